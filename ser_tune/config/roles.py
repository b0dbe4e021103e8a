"""`Role` and `Flag`, markers in the `Annotated` type of a setting: its role in a study, its command-line option."""

from dataclasses import dataclass
from enum import Enum, auto

from pydantic import BaseModel

__all__ = ["Flag", "Role", "roles_of"]


class Role(Enum):
    """A property of a setting, or of a whole section, that code outside `config` depends on."""

    PROTOCOL = auto()
    """Part of the evaluation protocol; a search over it would compare scores that are not comparable."""
    FIXED = auto()
    """Never searched."""
    RESUMABLE = auto()
    """May change when a study resumes, because no trial's result depends on it."""
    PER_CALL = auto()
    """Applies to a single call and is not stored with the study."""
    CIRCUMSTANCE = auto()
    """May differ from a published study file; the run still counts as a reproduction of that file."""
    IDENTITY = auto()
    """Part of the name of a nested search in the leaderboard."""
    ADDED = auto()
    """Added when studies were stored already. With its default it is left out of a configuration's JSON, so that what
    is stored of it, and digests over it, stay as they were."""
    DESCENT = auto()
    """Applies to gradient descent only, not to architectures with a solver."""


@dataclass(frozen=True, slots=True)
class Flag:
    """The command-line option of a setting, in addition to `--set`."""

    option: str
    """The option as typed, such as `--per-gpu`."""
    metavar: str | None = None
    """Placeholder of the value in help texts; None takes the type's name."""
    completes: str = ""
    """Entry-point group, such as `architectures`, whose component names the shell completes."""
    repeatable: bool = False
    """Whether the option can be repeated though the setting is a single value."""

    @property
    def name(self) -> str:
        """The keyword argument of this option in `api`.

        >>> Flag("--per-gpu").name
        'per_gpu'
        """
        return self.option.removeprefix("--").replace("-", "_")


def roles_of(settings: type[BaseModel], name: str) -> frozenset[Role]:
    """The roles of a setting, those included that it has where a base class declares it."""
    bases = [base for base in settings.__mro__ if issubclass(base, BaseModel) and name in base.model_fields]
    return frozenset(extra for base in bases for extra in base.model_fields[name].metadata if isinstance(extra, Role))
