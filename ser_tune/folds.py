"""Speaker folds: who trains, who validates, who is tested."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from .corpora import Corpus
from .errors import CorpusError

__all__ = ["DEFAULT_FOLDS", "Fold", "speaker_folds"]

DEFAULT_FOLDS = 5


@dataclass(frozen=True, slots=True)
class Fold:
    """Disjoint speakers on three sides, and the numbers of their utterances."""

    number: int
    validation_speakers: tuple[str, ...]
    test_speakers: tuple[str, ...]
    train: np.ndarray
    """Utterance numbers, int64; so are the next two."""
    validation: np.ndarray
    test: np.ndarray


def speaker_folds(corpus: Corpus, folds: int | None = None) -> tuple[Fold, ...]:
    """Split a corpus so that every speaker is tested once and validates once.

    With sessions (IEMOCAP), a fold holds out one session, and its speakers take turns: one validates, the other is
    tested. Otherwise speakers, sorted, are dealt to `folds` parts of about equal size; fold i tests part i and
    validates on part i + 1.

    Args:
        corpus: What to split.
        folds: Number of folds; None means the corpus's own, else five, or one a speaker where there are fewer.

    Raises:
        CorpusError: There are fewer speakers than folds need, or a training side lacks an emotion.
    """
    speakers = corpus.speakers
    sessions: dict[str, list[str]] = {}
    for speaker, group in sorted({(one.speaker, one.group) for one in corpus.utterances}):
        if group:
            sessions.setdefault(group, []).append(speaker)
    if sessions and folds is None and all(len(pair) == 2 for pair in sessions.values()) and len(sessions) > 1:
        sides: list[tuple[tuple[str, ...], tuple[str, ...]]] = [
            ((validation,), (test,)) for pair in sessions.values() for validation, test in (pair, reversed(pair))
        ]
    else:
        count = folds or corpus.folds or max(3, min(DEFAULT_FOLDS, len(speakers)))
        parts = _parts(corpus, count, sessions)
        sides = [(parts[(number + 1) % count], parts[number]) for number in range(count)]
    return tuple(_fold(corpus, number, *side) for number, side in enumerate(sides))


def _parts(corpus: Corpus, count: int, sessions: dict[str, list[str]]) -> list[tuple[str, ...]]:
    """Deal speakers, or whole sessions, to `count` parts."""
    units = [tuple(pair) for pair in sessions.values()] if sessions else [(one,) for one in corpus.speakers]
    if len(units) < count:
        raise CorpusError(
            f"corpus {corpus.name} has {len(units)} {'session(s)' if sessions else 'speaker(s)'} "
            f"({', '.join(corpus.speakers[:12])}); {count} speaker-independent folds need at least {count}"
        )
    return [
        tuple(sorted(speaker for number in chunk for speaker in units[number]))
        for chunk in np.array_split(np.arange(len(units)), count)
    ]


def _fold(corpus: Corpus, number: int, validation: Sequence[str], test: Sequence[str]) -> Fold:
    side = np.array(
        [
            "validation" if one.speaker in validation else "test" if one.speaker in test else "train"
            for one in corpus.utterances
        ]
    )
    fold = Fold(
        number=number,
        validation_speakers=tuple(validation),
        test_speakers=tuple(test),
        train=np.flatnonzero(side == "train"),
        validation=np.flatnonzero(side == "validation"),
        test=np.flatnonzero(side == "test"),
    )
    trained = {corpus.utterances[one].emotion for one in fold.train}
    if missing := sorted(set(corpus.emotions) - trained):
        raise CorpusError(
            f"corpus {corpus.name}, fold {number}: no training speaker has emotion '{missing[0]}'; "
            "keep other emotions with protocol.emotions, or use other folds"
        )
    return fold
