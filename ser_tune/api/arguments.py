"""Markers in annotations that guide the command line, and the annotations that many functions share."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

if TYPE_CHECKING:
    from ..project import Project

__all__ = [
    "Argument",
    "AsName",
    "Data",
    "ErrorRate",
    "RegisteredModel",
    "Rule",
    "Settings",
    "StudyFile",
    "StudyName",
    "located",
    "path_or_none",
]


@dataclass(frozen=True, slots=True, kw_only=True)
class Argument:
    """Facts of an argument for the command line, beside its name, type, default and documentation.

    The command line reads the first type of a union.
    """

    option: str = ""
    """The option, such as `--as`, where it is not the argument's name."""
    metavar: str | None = None
    """The word for the value in help texts, such as `STUDY`."""
    completes: str = ""
    """Names that the shell completes: `study`, `model`, `result`, or a kind of components, such as `corpora`."""
    minimum: float | None = None
    maximum: float | None = None


Data = Path | str | None
StudyFile = Annotated[Path | str | None, Argument(metavar="[FILE]")]
StudyName = Annotated[str, Argument(metavar="STUDY", completes="study")]
RegisteredModel = Annotated[str, Argument(metavar="MODEL", completes="model")]
AsName = Annotated[str | None, Argument(option="--as")]
ErrorRate = Annotated[float | None, Argument(metavar="R", minimum=0.001, maximum=0.5)]
Rule = Annotated[str | None, Argument(completes="promotion_rules")]
Settings = Annotated[Mapping[str, object] | None, Argument(option="--set", metavar="PATH=VALUE")]


def located(project: "Project | None") -> "Project":
    """The project, or where there is none, that of the current folder."""
    from ..project import Project

    return project or Project.locate()


def path_or_none(path: Data) -> Path | None:
    """A path as `Path`."""
    return None if path is None else Path(path)
