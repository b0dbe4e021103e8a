"""Folds of a corpus whose emotions are what every training side covers, as a classification study draws them."""

from collections.abc import Sequence

from ser_tune import folds
from ser_tune.corpora import Corpus
from ser_tune.folds import Fold, Strata

__all__ = ["emotion_strata", "speaker_folds", "text_independent_folds"]


def emotion_strata(corpus: Corpus) -> Strata:
    """The emotion of each utterance."""
    return Strata([one.emotion for one in corpus.utterances], "emotion")


def speaker_folds(corpus: Corpus, count: int | None = None, *, holdout: Sequence[str] = ()) -> tuple[Fold, ...]:
    """Folds by speaker."""
    return folds.speaker_folds(corpus, count, strata=emotion_strata(corpus), holdout=holdout)


def text_independent_folds(corpus: Corpus, by_speaker: Sequence[Fold]) -> tuple[Fold, ...]:
    """The same, restricted by text."""
    return folds.text_independent_folds(corpus, by_speaker, strata=emotion_strata(corpus))
