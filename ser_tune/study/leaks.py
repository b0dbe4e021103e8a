"""The leak check: nothing of the speakers that are held out may reach training. It runs before every study.

What is looked for is what published evaluations got wrong: a speaker on two sides of a fold, one recording on two
sides, whole or in parts, and statistics (scalings, class weights) that were fitted on more than the training speakers.
"""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import replace
from itertools import pairwise

import numpy as np

from ..corpora import Corpus
from ..errors import LeakError
from ..folds import Fold
from ..prediction import UtteranceFeatures
from ..training import AnyTrial, TrainingData, fold_statistics

__all__ = ["refuse_fitted_leaks", "refuse_leaks", "refuse_misplaced_copies"]

UNUSED = "unused"
"""The side of utterances that a text-independent fold leaves out."""


def refuse_leaks(
    corpus: Corpus, folds: Sequence[Fold], sounds: Sequence[str], *, text_independent: bool = False
) -> None:
    """Look for speakers and recordings on two sides of a fold; held-out speakers are a side of their own.

    Args:
        corpus: What was split.
        folds: How.
        sounds: A hash of each utterance's decoded sound, shape (U,).
        text_independent: Look for texts on two sides as well. Utterances on no side are then unused, and no leak.

    Raises:
        LeakError: There is one; the message names the utterances.
    """
    keys = {
        "are of one speaker": [one.speaker for one in corpus.utterances],
        "hold the same sound": list(sounds),
        "are cut from one recording": list(corpus.contents),
    }
    if text_independent:
        keys["have the same text"] = [utterance.text for utterance in corpus.utterances]
    no_side = UNUSED if text_independent else "held out"
    for fold in folds:
        side = np.full(len(corpus.utterances), no_side, dtype=object)
        for name, numbers in (("training", fold.train), ("validation", fold.validation), ("test", fold.test)):
            if len(taken := numbers[side[numbers] != no_side]):
                raise LeakError(f"{_where(corpus, fold)}: '{corpus.utterances[taken[0]].id}' is on two sides")
            side[numbers] = name
        for what, values in keys.items():
            _refuse_two_sides(corpus, fold, side, what, values)


def _refuse_two_sides(corpus: Corpus, fold: Fold, side: np.ndarray, what: str, values: Sequence[str]) -> None:
    """Raise where utterances of one value are on two sides."""
    numbers_of = defaultdict(list)
    for number, value in zip(range(len(side)), values, strict=True):
        if side[number] != UNUSED:
            numbers_of[value].append(number)
    for numbers in numbers_of.values():
        for one, other in pairwise(numbers):
            if side[one] != side[other]:
                pair = [corpus.utterances[number] for number in (one, other)]
                named = [
                    f"'{utterance.id}' (speaker {utterance.speaker}, {side[number]})"
                    for utterance, number in zip(pair, (one, other), strict=True)
                ]
                # A session's speakers take turns as validation and test unless folds are made of whole sessions
                together = pair[0].group != "" and pair[0].group == pair[1].group
                way_out = "keep sessions whole with protocol.folds" if together else "give both one speaker"
                raise LeakError(
                    f"{_where(corpus, fold)}: {named[0]} and {named[1]} {what}; leave one out, or {way_out}"
                )


def _where(corpus: Corpus, fold: Fold) -> str:
    return f"leak in corpus {corpus.name}, fold {fold.number}"


def refuse_misplaced_copies(corpus: Corpus, sounds: Sequence[str], copied: Sequence[str]) -> None:
    """Look for perturbed copies of another utterance than the one whose place they take, perhaps a held-out speaker's.

    Args:
        corpus: What was copied.
        sounds: A hash of each utterance's decoded sound, shape (U,).
        copied: A hash of the sound that each copy was made from, shape (U,).

    Raises:
        LeakError: There is one; the message names the utterance.
    """
    if len(sounds) != len(copied):
        raise LeakError(f"leak in corpus {corpus.name}: {len(copied)} copies of {len(sounds)} utterances")
    for utterance, sound, copy in zip(corpus.utterances, sounds, copied, strict=True):
        if sound != copy:
            raise LeakError(f"leak in corpus {corpus.name}: the copy of '{utterance.id}' was made from another sound")


def refuse_fitted_leaks(config: AnyTrial, data: TrainingData, folds: Sequence[Fold]) -> None:
    """Change every utterance that is not trained on, and see whether anything that training is given changes.

    Args:
        config: Any trial of the study: what statistics are fitted on is not searched.
        data: The corpus as training sees it.
        folds: Who trains.

    Raises:
        LeakError: Scalings or class weights depend on speakers that are held out.
    """
    for fold in folds:
        outside = np.ones(len(data.labels), dtype=bool)
        outside[fold.train] = False
        # Scope `speaker` reads all recordings of a training speaker, also those that text-independent folds leave out
        by_speaker = config.normalisation.scope == "speaker"
        foreign = ~np.isin(data.speakers, data.speakers[fold.train]) if by_speaker else outside
        altered = _altered(data, outside, foreign)
        before, after = (fold_statistics(config, one, fold.train) for one in (data, altered))
        where = f"leak in fold {fold.number}"
        if not np.array_equal(before.class_counts, after.class_counts):
            raise LeakError(f"{where}: the class weights depend on speakers that are not trained on")
        # Where the training speakers' statistics scale everybody, they scale the held-out utterances too
        scaled = np.arange(len(data.labels)) if config.normalisation.scope == "train" else fold.train
        numbers = {(int(before.scaling_number[one]), int(after.scaling_number[one])) for one in scaled}
        pairs = [(before.scalings[one], after.scalings[other]) for one, other in numbers]
        if before.train_scaling is not None and after.train_scaling is not None:
            pairs.append((before.train_scaling, after.train_scaling))
        for old, new in pairs:
            if not (np.array_equal(old.shift, new.shift) and np.array_equal(old.spread, new.spread)):
                raise LeakError(f"{where}: the normalisation depends on speakers that are not trained on")


def _altered(data: TrainingData, relabelled: np.ndarray, changed: np.ndarray) -> TrainingData:
    """The corpus with other labels or other features of some utterances, so that whatever reads any of them changes.

    Their class is one that does not exist: exchanged classes would leave the counts of a balanced corpus as they are.
    Their smallest and largest values lie beyond those of all utterances.
    """
    return replace(
        data,
        labels=np.where(relabelled, len(data.emotions), data.labels),
        features=_altered_features(data.features, changed),
        copies=tuple(_altered_features(one, changed) for one in data.copies),
    )


def _altered_features(features: UtteranceFeatures, which: np.ndarray) -> UtteranceFeatures:
    moments, mask = features.moments, which[:, np.newaxis, np.newaxis]
    squares = moments.squares
    lowest, highest = min(float(moments.minimum.min()), 0.0), max(float(moments.maximum.max()), 0.0)
    return replace(
        features,
        moments=replace(
            moments,
            total=np.where(mask, 2 * moments.total + 1, moments.total),
            squares=None if squares is None else np.where(mask, 5 * squares + 1, squares),
            minimum=np.where(mask, 2 * lowest - 1, moments.minimum),
            maximum=np.where(mask, 2 * highest + 1, moments.maximum),
        ),
    )
