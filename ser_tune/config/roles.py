"""Marks in a setting's `Annotated` beside its search range: the setting's roles, and its own command-line option."""

from dataclasses import dataclass
from enum import Enum, auto

__all__ = ["Flag", "Role"]


class Role(Enum):
    """A property of a setting, or of a whole section, that other rooms act on."""

    PROTOCOL = auto()
    """Changes the meaning of a trial's score; a search over it would rank unlike numbers together."""
    FIXED = auto()
    """No search varies it."""
    RESUMABLE = auto()
    """May differ when a study resumes: it does not change what a trial is."""
    PER_CALL = auto()
    """Applies to one call; no stored study has it."""
    CIRCUMSTANCE = auto()
    """May differ from a published study file: the published configuration is still the one that is reproduced."""
    IDENTITY = auto()
    """Part of the name under which the leaderboard lists a nested search."""
    DESCENT = auto()
    """Applies to gradient descent only, not to architectures that are solved."""


@dataclass(frozen=True, slots=True)
class Flag:
    """A command-line option of its own; every setting can be written with `--set` too."""

    option: str
    """As users type it, such as `--per-gpu`."""
    metavar: str | None = None
    """The word for a value in help texts; None is the type's."""
    completes: str = ""
    """The components whose names the shell completes, by their group of entry points such as `architectures`."""

    @property
    def name(self) -> str:
        """The keyword argument of Python callers.

        >>> Flag("--per-gpu").name
        'per_gpu'
        """
        return self.option.removeprefix("--").replace("-", "_")
