"""A row of a split's file, as it is written."""

from dataclasses import dataclass
from pathlib import Path

from ..corpora.stretches import WHOLE, Stretch

__all__ = ["HEADER", "Entry"]

HEADER = "path,emotion,fold|split[,speaker][,start,end][,text][,prediction]"


@dataclass(frozen=True, slots=True)
class Entry:
    """A row before its recording is located."""

    path: str
    """Of the recording, as written."""
    base: Path
    """The folder that a relative path starts at."""
    emotion: str
    speaker: str = ""
    """Empty where it is not known."""
    dialogue: bool = False
    """Whether the speaker may be that of a whole dialogue, so that a known corpus's scheme wins."""
    stretch: Stretch = WHOLE
    text: str = ""
    fold: str = ""
    side: str = ""
    prediction: str = ""
