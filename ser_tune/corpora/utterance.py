"""An utterance: a labelled recording, or a stretch of a recording."""

import unicodedata
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np

__all__ = ["Utterance", "normalised_text"]


@dataclass(frozen=True, slots=True)
class Utterance:
    """A labelled recording, or a stretch of a recording."""

    id: str
    """Unique in its corpus, such as `03a01Fa`."""
    path: Path
    speaker: str
    """The grouping key of every fold."""
    emotion: str
    group: str = ""
    """Speakers of one group are never on the training side and a held-out side of a fold. Where every group is of two
    (IEMOCAP's sessions), one validates while the other is tested, unless `protocol.folds` keeps groups whole. Empty
    means the speaker alone."""
    start_s: float = 0.0
    end_s: float | None = None
    """Seconds into the file; None is its end."""
    style: str = ""
    """Speaking style, where the corpus has several: IEMOCAP's `improvised` and `scripted`, RAVDESS's `speech`."""
    text: str = ""
    """A key of the spoken words, equal where the words are equal; empty where they are not known."""
    attributes: tuple[tuple[str, str], ...] = ()
    """Name and value of what else is known, such as the speaker's `gender`; scores can be grouped by them."""

    def speech(self) -> "np.ndarray":
        """Decode the recording; shape (N,), float32, mono, 16 kHz.

        Raises:
            AudioError: It cannot be used; the message names the file.
        """
        from ..audio import read_speech  # libsndfile, which names of utterances do without

        return read_speech(self.path, start_s=self.start_s, end_s=self.end_s)


def normalised_text(words: str) -> str:
    """The words without case, punctuation and repeated spaces, as a key that is equal where the words are equal.

    >>> normalised_text(" Don't  go,   please! ")
    'dont go please'
    """
    letters = unicodedata.normalize("NFKC", words.casefold())
    return " ".join("".join(letter for letter in letters if unicodedata.category(letter)[0] != "P").split())
