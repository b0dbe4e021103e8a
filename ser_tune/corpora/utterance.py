"""An utterance: a labelled recording, or a stretch of a recording."""

import unicodedata
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np

__all__ = ["Annotation", "Utterance", "normalised_text"]

_ASCII_PUNCTUATION = {code: None for code in range(128) if unicodedata.category(chr(code))[0] == "P"}


@dataclass(frozen=True, slots=True)
class Annotation:
    """The judgements of an utterance's annotators, where a corpus has more than their consensus.

    Pairs are sorted by name, and no name is twice in a field.
    """

    votes: tuple[tuple[str, int], ...] = ()
    """Emotion, and the number of annotators who chose it, at least 1. An annotator who named several chose each."""
    secondary: tuple[tuple[str, int], ...] = ()
    """Emotion, and the number of annotators who heard it beside the emotion that they chose."""
    emotions: tuple[str, ...] = ()
    """Every emotion of an utterance that has several, sorted."""
    dimensions: tuple[tuple[str, float], ...] = ()
    """Continuous rating by its name, such as `arousal`: the mean over annotators, as the corpus's owners have it."""
    ratings: tuple[tuple[float, ...], ...] = ()
    """Rating of every dimension by each annotator, in the order of `dimensions`; NaN where it was left out."""
    annotators: int = 0
    """The number of annotators; 0 where it is not known."""


@dataclass(frozen=True, slots=True)
class Utterance:
    """A labelled recording, or a stretch of a recording."""

    id: str
    """Unique in its corpus, such as `03a01Fa`."""
    path: Path
    speaker: str
    """The grouping key of every fold."""
    emotion: str
    """The consensus of the corpus's owners; empty where there is none."""
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
    annotation: Annotation = Annotation()
    """The annotators' judgements, where the corpus has them."""
    split: str = ""
    """Side of the corpus's official split: `train`, `validation`, or the name of a test set such as `test` or `test1`;
    empty where the corpus has no such split."""
    corpus: str = ""
    """Label of its corpus in a union of corpora, such as `emodb`; empty in a corpus by itself."""
    language: str = ""
    """Spoken language as an ISO 639 code, such as `de`; empty where it is not known."""

    @property
    def own_speaker(self) -> str:
        """The speaker's name in its own corpus, without the label that it has in a union."""
        return self.speaker.removeprefix(f"{self.corpus}:") if self.corpus else self.speaker

    @property
    def is_held_out(self) -> bool:
        """Whether the official split holds it out from training."""
        return self.split not in ("", "train")

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
    if words.isascii():  # the usual case, and the faster one
        return " ".join(words.casefold().translate(_ASCII_PUNCTUATION).split())
    letters = unicodedata.normalize("NFKC", words.casefold())
    return " ".join("".join(letter for letter in letters if unicodedata.category(letter)[0] != "P").split())
