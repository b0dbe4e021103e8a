"""Agreement of a corpus's annotators, and the score of an annotator against the others."""

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from ..corpora import Utterance
from ..metrics import Metric
from ..resampling import Estimate, speaker_interval, sums_of
from ..tasks import TASKS
from .coefficients import ALPHA, ENTROPY, KAPPA

__all__ = [
    "Agreement",
    "RatingAgreement",
    "VoteAgreement",
    "agreement_of",
    "left_out_votes",
    "rating_agreement",
    "vote_agreement",
]

AT_ONCE = 20_000
"""Utterances whose left-out annotators are held at once."""
DISTRIBUTION, DIMENSIONS = "distribution", "dimensions"
"""The tasks by whose metrics annotators are scored."""
Pair = tuple[np.ndarray, np.ndarray, np.ndarray]
"""Truth, predictions, and the number of each utterance's speaker."""


@dataclass(frozen=True, slots=True)
class VoteAgreement:
    """Agreement of annotators who each chose a class."""

    utterances: int
    """Those with two votes or more, which all numbers are of."""
    votes: float
    """Mean number of votes of an utterance."""
    highest_entropy: float
    """Entropy of equally frequent classes, in bits."""
    entropy: Estimate
    """Mean entropy of the votes of an utterance, in bits."""
    kappa: Estimate
    """Fleiss's kappa."""
    human: Mapping[str, Estimate]
    """By the metric's name: scores of single votes against the distribution of the other annotators' votes."""


@dataclass(frozen=True, slots=True)
class RatingAgreement:
    """Agreement of annotators on a dimension."""

    dimension: str
    utterances: int
    """Those with two ratings or more, which all numbers are of."""
    ratings: float
    """Mean number of ratings of an utterance."""
    alpha: Estimate
    """Krippendorff's alpha of an interval scale."""
    human: Mapping[str, Estimate]
    """By the metric's name: scores of single ratings against the mean of the other annotators' ratings."""


@dataclass(frozen=True, slots=True)
class Agreement:
    """Agreement of a corpus's annotators."""

    votes: VoteAgreement | None = None
    """None where no utterance has two votes."""
    ratings: tuple[RatingAgreement, ...] = ()
    """By dimension; without dimensions that no utterance has two ratings of."""


def agreement_of(utterances: Sequence[Utterance]) -> Agreement:
    """The agreement of the annotators of some utterances."""
    speakers = np.unique([utterance.speaker for utterance in utterances], return_inverse=True)[1]
    found = (rating_agreement(name, ratings, speakers) for name, ratings in _ratings(utterances))
    return Agreement(
        votes=vote_agreement(_votes(utterances), speakers), ratings=tuple(row for row in found if row is not None)
    )


def _votes(utterances: Sequence[Utterance]) -> np.ndarray:
    """The votes of each utterance, shape (N, K), of the K classes that were chosen."""
    names = sorted({name for utterance in utterances for name, _ in utterance.annotation.votes})
    place = {name: number for number, name in enumerate(names)}
    votes = np.zeros((len(utterances), len(names)))
    for row, utterance in zip(votes, utterances, strict=True):
        for name, count in utterance.annotation.votes:
            row[place[name]] = count
    return votes


def _ratings(utterances: Sequence[Utterance]) -> Iterator[tuple[str, np.ndarray]]:
    """Dimensions and their ratings, shape (N, R), NaN where an annotator has none."""
    annotations = [utterance.annotation for utterance in utterances]
    names = sorted({name for annotation in annotations if annotation.ratings for name, _ in annotation.dimensions})
    raters = max((len(annotation.ratings) for annotation in annotations), default=0)
    ratings = np.full((len(names), len(utterances), raters), np.nan)
    for number, annotation in enumerate(annotations):
        if annotation.ratings:
            places = [names.index(name) for name, _ in annotation.dimensions]
            ratings[places, number, : len(annotation.ratings)] = np.array(annotation.ratings).T
    yield from zip(names, ratings, strict=True)


def vote_agreement(votes: np.ndarray, speakers: np.ndarray) -> VoteAgreement | None:
    """The agreement of annotators who each chose a class.

    Args:
        votes: Counts, shape (N, K). Every vote is taken for that of another annotator.
        speakers: The number of each utterance's speaker, shape (N,).

    Returns:
        None where no utterance has two votes.

    >>> found = vote_agreement(np.array([[3, 0], [1, 2], [0, 1]]), np.array([0, 1, 1]))
    >>> found.utterances, *(round(own.value, 3) for own in (found.entropy, found.kappa, found.human["uar"]))
    (2, 0.459, 0.25, 0.833)
    """
    voted = votes.sum(axis=1) >= 2
    if not voted.any():
        return None
    own, who = votes[voted], np.unique(speakers[voted], return_inverse=True)[1]
    task, outputs = TASKS.get(DISTRIBUTION), votes.shape[1]
    # The KL of a single vote is infinite but for smoothing
    metrics = [metric for metric in map(task.metric, task.metrics) if math.isfinite(metric.high)]

    def pairs() -> Iterator[Pair]:
        for begin in range(0, len(own), AT_ONCE):
            number, others, vote = left_out_votes(own[begin : begin + AT_ONCE])
            yield others, np.eye(outputs)[vote], who[begin + number]

    return VoteAgreement(
        utterances=len(own),
        votes=float(own.sum() / len(own)),
        highest_entropy=math.log2(outputs),
        entropy=_estimate(ENTROPY, sums_of(ENTROPY, own, own, who, outputs)),
        kappa=_estimate(KAPPA, sums_of(KAPPA, own, own, who, outputs)),
        human=_scores(pairs(), metrics, int(who.max()) + 1, outputs),
    )


def left_out_votes(votes: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Leave every annotator out in turn.

    Args:
        votes: Counts of utterances with two votes or more, shape (N, K).

    Returns:
        Of each vote (V,) the number of its utterance; the distribution of the others' votes, shape (V, K); the class
        that was chosen, shape (V,).

    >>> number, others, vote = left_out_votes(np.array([[2, 1]]))
    >>> number.tolist(), others.tolist(), vote.tolist()
    ([0, 0, 0], [[0.5, 0.5], [0.5, 0.5], [1.0, 0.0]], [0, 0, 1])
    """
    number, vote = np.nonzero(votes)
    repeats = votes[number, vote].astype(np.int64)
    number, vote = np.repeat(number, repeats), np.repeat(vote, repeats)
    others = votes[number].astype(np.float64)
    others[np.arange(len(vote)), vote] -= 1
    return number, others / others.sum(axis=1, keepdims=True), vote


def rating_agreement(dimension: str, ratings: np.ndarray, speakers: np.ndarray) -> RatingAgreement | None:
    """The agreement of annotators on a dimension.

    Args:
        dimension: Its name.
        ratings: Of each utterance and annotator, shape (N, R); NaN where there is none.
        speakers: The number of each utterance's speaker, shape (N,).

    Returns:
        None where no utterance has two ratings.

    >>> ratings = np.array([[1.0, 2.0, np.nan], [4.0, 4.0, np.nan], [1.0, np.nan, np.nan]])
    >>> found = rating_agreement("arousal", ratings, np.array([0, 1, 1]))
    >>> found.utterances, round(found.alpha.value, 4), round(found.human["mae"].value, 4)
    (2, 0.8889, 0.5)
    """
    rated = (~np.isnan(ratings)).sum(axis=1) >= 2
    if not rated.any():
        return None
    own, who = ratings[rated], np.unique(speakers[rated], return_inverse=True)[1]
    number, rater = np.nonzero(~np.isnan(own))
    rating, counts = own[number, rater], (~np.isnan(own)).sum(axis=1)
    others = (np.nansum(own, axis=1)[number] - rating) / (counts[number] - 1)
    task, pair = TASKS.get(DIMENSIONS), (others[:, np.newaxis], rating[:, np.newaxis], who[number])
    return RatingAgreement(
        dimension=dimension,
        utterances=len(own),
        ratings=float(counts.mean()),
        alpha=_estimate(ALPHA, sums_of(ALPHA, own, own, who, 1)),
        human=_scores([pair], [task.metric(name) for name in task.metrics], int(who.max()) + 1, 1),
    )


def _scores(pairs: Iterable[Pair], metrics: Sequence[Metric], n_speakers: int, outputs: int) -> Mapping[str, Estimate]:
    """Score predictions against truths that come in parts."""
    totals: dict[str, np.ndarray] = {}
    for truth, predicted, who in pairs:
        for metric in metrics:
            part = metric.sums(truth, predicted, who, n_speakers, outputs)
            totals[metric.name] = totals[metric.name] + part if metric.name in totals else part
    return {metric.name: _estimate(metric, totals[metric.name]) for metric in metrics}


def _estimate(metric: Metric, sums: np.ndarray) -> Estimate:
    """The value over all speakers (S, ...), and its interval."""
    return Estimate(float(metric.value(sums.sum(axis=0))), speaker_interval(metric, sums))
