"""A fold: who trains, who validates, who is tested; and whether its scores are free of the selection."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from ..corpora import Corpus
from ..errors import CorpusError

__all__ = ["NOT_FREE", "SIDES", "Fold", "Strata", "refuse_missing", "selection_note"]

SIDES = ("validation", "test", "holdout")
"""Speakers that are scored: who chose the epoch and the trial; who is tested once, fold by fold; who is kept out of the
whole search."""

NOT_FREE = (
    "validation speakers of one fold are test speakers of another, so test scores are not free of the selection; "
    "numbers for comparison come from --nested or --holdout"
)
"""The sentence of `selection_note` for most protocols."""
CORPORA_NOT_FREE = (
    "speakers that a fold holds out train and validate in other folds, which chose the trial, so test scores are not "
    "free of the selection; numbers for comparison come from --nested"
)
"""The same where folds hold out whole corpora or languages."""


@dataclass(frozen=True, slots=True)
class Fold:
    """Disjoint speakers on three sides, and the numbers of their utterances; some of them in text-independent folds."""

    number: int
    validation_speakers: tuple[str, ...]
    test_speakers: tuple[str, ...]
    train: np.ndarray
    """Utterance numbers, int64; so are the next two."""
    validation: np.ndarray
    test: np.ndarray
    official: str = ""
    """Digest of the corpus's official split, if the fold is it; empty for other folds."""
    held_out: tuple[str, ...] = ()
    """Names of the speakers that a scheme holds out, of whole corpora their labels, such as `urdu:`; not all of their
    utterances need be tested. Empty where the scheme is `speakers`."""

    @property
    def key(self) -> str:
        """Its validation and test speakers, such as `08/03`, or the digest of the official split; identifies a network.

        A network is identified by the fold that it is trained in. Whole corpora have their label: `emodb:03/urdu:`.
        """
        if self.official:
            return f"official-{self.official}"
        return f"{'+'.join(self.validation_speakers)}/{'+'.join(self.held_out or self.test_speakers)}"


@dataclass(frozen=True, slots=True)
class Strata:
    """The strata of a corpus: no training side may lack a stratum."""

    of_utterance: Sequence[str]
    """The stratum of each utterance, such as the name of its class, shape (U,)."""
    noun: str
    """The noun for a stratum, such as `emotion`."""


def selection_note(folds: Sequence[Fold]) -> str:
    """Whether test scores are free of the selection of trials, as a sentence to be shown beside them."""
    if not any(fold.test_speakers for fold in folds):
        return (
            "the split has no test set with labels; validation speakers chose the trial, so their score is optimistic"
        )
    validation = {speaker for fold in folds for speaker in fold.validation_speakers}
    if validation.isdisjoint(speaker for fold in folds for speaker in fold.test_speakers):
        if folds[0].held_out:
            return "no test speaker trains or validates in any fold, so test scores are free of the selection"
        return "no test speaker validates in another fold, so test scores are free of the selection"
    return CORPORA_NOT_FREE if folds[0].held_out else NOT_FREE


def refuse_missing(corpus: Corpus, fold: Fold, strata: Strata) -> None:
    """Raise `CorpusError` where a side is empty or the training side lacks a stratum."""
    for side, numbers in (("validation", fold.validation), ("test", fold.test)):
        if not len(numbers) and fold.held_out:
            raise CorpusError(
                f"corpus {corpus.name}, fold {fold.number}, which holds out {', '.join(fold.held_out)}: there is no "
                f"utterance of a known speaker to {'validate' if side == 'validation' else 'test'}; a corpus whose "
                "speakers validate needs at least two"
            )
        if not len(numbers) and (side == "validation" or fold.test_speakers):
            raise CorpusError(
                f"corpus {corpus.name}, fold {fold.number}: the {side} speakers speak no text of the {side} side; use "
                "other folds, or leave out protocol.text_independent"
            )
    trained = {strata.of_utterance[utterance] for utterance in fold.train}
    if missing := sorted(set(strata.of_utterance) - trained):
        table = "choose another table with corpus.mapping, " if fold.held_out else ""
        raise CorpusError(
            f"corpus {corpus.name}, fold {fold.number}: no training utterance has {strata.noun} '{missing[0]}'; {table}"
            "keep other emotions with protocol.emotions, or use other folds"
        )
