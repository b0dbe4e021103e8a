"""The table of predictions that a corpus's challenges take."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from .utterance import Utterance

__all__ = ["Challenge"]


def _id(utterance: Utterance) -> str:
    return utterance.id


@dataclass(frozen=True, slots=True)
class Challenge:
    """Columns and codes of the table; without a challenge they are the names of this program."""

    file: str = "path"
    """Column of the recordings."""
    file_of: Callable[[Utterance], str] = _id
    """From an utterance to its cell in that column."""
    answer: str = "emotion"
    """Column of the answers, unless these are dimensions."""
    codes: Mapping[str, str] = field(default_factory=dict)
    """Emotion to its code; where there are codes, the table takes no other emotion."""
    dimensions: Mapping[str, str] = field(default_factory=dict)
    """Dimension to its column, in the order of the columns; where there are columns, the table takes no other
    dimension."""
    citation: str = ""
