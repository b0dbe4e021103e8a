"""Scores of groups of utterances, and the gap between the best and the worst group."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from ..metrics import Metric, Ranking
from .intervals import UNKNOWN, Interval, margin, resampled_sums, resamples, speaker_interval
from .scores import sums_of

__all__ = ["Gap", "GroupScore", "Pooled", "largest_gap", "part_intervals", "score_groups"]


@dataclass(frozen=True, slots=True)
class Pooled:
    """A pooled score."""

    value: float
    interval: Interval
    """95 %, by bootstrap over the speakers; unknown with one speaker."""


@dataclass(frozen=True, slots=True)
class GroupScore:
    """Scores of a group of utterances."""

    name: str
    utterances: int
    speakers: int
    strata: int
    """How many different targets occur in the group, such as classes: a score may be over these alone."""
    scores: Mapping[str, Pooled]
    """By the metric's name; the first ranks."""


@dataclass(frozen=True, slots=True)
class Gap:
    """The difference of a score between the best and the worst group."""

    best: str
    worst: str
    difference: float
    """Of the best group's score to that of the worst, whichever is better: positive."""
    interval: Interval
    """95 %, of the difference between these two, by bootstrap over speakers; unknown where one has a single speaker."""


@dataclass(frozen=True, slots=True)
class _Judged:
    """Utterances and their predictions."""

    truth: np.ndarray
    predicted: np.ndarray
    speakers: np.ndarray
    groups: np.ndarray
    outputs: int


def score_groups(
    truth: np.ndarray,
    predicted: np.ndarray,
    speakers: np.ndarray,
    groups: Sequence[str],
    metrics: Sequence[Metric],
    outputs: int,
) -> tuple[GroupScore, ...]:
    """Score each group by itself.

    Args:
        truth: Targets, shape (N, ...), N ≥ 1.
        predicted: Predictions, shape (N, ...).
        speakers: A number for each utterance's speaker, shape (N,).
        groups: The group of each utterance; those of an empty one are left out.
        metrics: What to compute.
        outputs: K, the number of the task's outputs.

    Returns:
        The groups, by name.

    >>> from ser_tune.metrics import METRICS
    >>> truth, predicted, speakers = np.array([0, 1, 1]), np.array([0, 1, 0]), np.array([0, 0, 1])
    >>> groups = score_groups(truth, predicted, speakers, ["a", "a", "b"], [METRICS.get("uar")], 2)
    >>> [(one.name, one.scores["uar"].value, one.strata) for one in groups]
    [('a', 1.0, 2), ('b', 0.0, 1)]
    """
    names = np.asarray(groups)
    scored = []
    for name in sorted(set(groups) - {""}):
        own = np.flatnonzero(names == name)
        scores = {}
        for metric in metrics:
            sums = sums_of(metric, truth[own], predicted[own], speakers[own], outputs)
            scores[metric.name] = Pooled(float(metric.value(sums.sum(axis=0))), speaker_interval(metric, sums))
        scored.append(
            GroupScore(
                name=name,
                utterances=len(own),
                speakers=len(np.unique(speakers[own])),
                strata=len(np.unique(truth[own], axis=0)),
                scores=scores,
            )
        )
    return tuple(scored)


def largest_gap(
    truth: np.ndarray,
    predicted: np.ndarray,
    speakers: np.ndarray,
    groups: Sequence[str],
    metric: Metric,
    outputs: int,
) -> Gap | None:
    """The gap between the groups with the best and the worst score; None where fewer than two groups have a score.

    All speakers are resampled together, so that a speaker who is in both groups counts alike in both. Arguments are
    those of `score_groups`.
    """
    every = score_groups(truth, predicted, speakers, groups, [metric], outputs)
    scored = [one for one in every if not Ranking.is_missing(_value(one))]
    if len(scored) < 2:
        return None
    ranked = Ranking(metric).best_first(scored, _value)
    best, worst = ranked[0], next(one for one in ranked if _value(one) == _value(ranked[-1]))
    difference = abs(_value(best) - _value(worst))
    interval = UNKNOWN
    if min(best.speakers, worst.speakers) > 1:
        judged = _Judged(truth, predicted, speakers, np.asarray(groups), outputs)
        interval = _interval(metric, judged, best.name, worst.name, difference)
    return Gap(best=best.name, worst=worst.name, difference=difference, interval=interval)


def _value(group: GroupScore) -> float:
    return next(iter(group.scores.values())).value


def _interval(metric: Metric, judged: _Judged, best: str, worst: str, difference: float) -> Interval:
    known, numbers = np.unique(judged.speakers, return_inverse=True)
    drawn, resampled = resamples(len(known)), []
    for group in (best, worst):
        own = judged.groups == group
        sums = metric.sums(judged.truth[own], judged.predicted[own], numbers[own], len(known), judged.outputs)
        with np.errstate(invalid="ignore", divide="ignore"):  # a resample without any speaker of the group
            resampled.append(metric.value(resampled_sums(drawn, sums)))
    differences = resampled[0] - resampled[1]
    half = margin(differences[np.isfinite(differences)], len(known))
    return UNKNOWN if half < 1e-12 else Interval(difference - half, difference + half)


def part_intervals(
    truth: np.ndarray, predicted: np.ndarray, speakers: np.ndarray, metric: Metric, outputs: int
) -> dict[int, Interval]:
    """95 % intervals of a metric over the utterances of each class that occurs, by bootstrap over their speakers.

    Of UAR these are the intervals of the classes' recalls. Truth is class numbers; other arguments are those of
    `score_groups`.
    """
    intervals = {}
    for label in np.unique(truth):
        own = np.flatnonzero(truth == label)
        sums = sums_of(metric, truth[own], predicted[own], speakers[own], outputs)
        intervals[int(label)] = speaker_interval(metric, sums)
    return intervals
