"""Scores of groups of utterances, and the gap between the best and the worst group."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from ..metrics import Metric, Ranking
from ..row_groups import rows_by
from .intervals import (
    UNKNOWN,
    Estimate,
    Interval,
    jackknife_margin,
    left_out_scores,
    margin,
    resampled_scores,
    resamples_for,
    score_interval,
    speaker_interval,
)
from .scores import sums_of

__all__ = ["Gap", "GroupScore", "largest_gap", "part_intervals", "score_groups"]


@dataclass(frozen=True, slots=True)
class GroupScore:
    """Scores of a group of utterances."""

    name: str
    utterances: int
    speakers: int
    strata: int
    """Number of the task's outputs that the group's targets have, such as its classes; a score can be limited to
    these."""
    scores: Mapping[str, Estimate]
    """Pooled scores by the metric's name; the first score ranks the groups."""


@dataclass(frozen=True, slots=True)
class Gap:
    """The difference of a score between the best and the worst group."""

    best: str
    worst: str
    difference: float
    """Positive, also for metrics that are better when lower."""
    interval: Interval
    """95 % interval by bootstrap over speakers; unknown if a group has a single speaker."""


def score_groups(
    truth: np.ndarray,
    predicted: np.ndarray,
    speakers: np.ndarray,
    groups: Sequence[str],
    metrics: Sequence[Metric],
    outputs: int,
) -> tuple[GroupScore, ...]:
    """Compute the scores of each group.

    Args:
        truth: Targets, shape (N, ...), N ≥ 1.
        predicted: Predictions, shape (N, ...).
        speakers: Number of each utterance's speaker, shape (N,).
        groups: Group of each utterance; utterances with an empty group are ignored.
        metrics: Metrics to compute; the first ranks the groups.
        outputs: K, the number of the task's outputs.

    Returns:
        The groups, sorted by name.

    >>> from ser_tune.metrics import METRICS
    >>> truth, predicted, speakers = np.array([0, 1, 1]), np.array([0, 1, 0]), np.array([0, 0, 1])
    >>> groups = score_groups(truth, predicted, speakers, ["a", "a", "b"], [METRICS.get("uar")], 2)
    >>> [(group.name, group.scores["uar"].value, group.strata) for group in groups]
    [('a', 1.0, 2), ('b', 0.0, 1)]
    """
    scored = []
    for name, own in rows_by(groups).items():
        if not name:
            continue
        scores = {}
        for metric in metrics:
            sums = sums_of(metric, truth[own], predicted[own], speakers[own], outputs)
            scores[metric.name] = Estimate(float(metric.value(sums.sum(axis=0))), speaker_interval(metric, sums))
        scored.append(
            GroupScore(
                name=name,
                utterances=len(own),
                speakers=len(np.unique(speakers[own])),
                strata=len(np.unique(truth[own])) if truth.ndim == 1 else int((truth[own] != 0).any(axis=0).sum()),
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

    The bootstrap draws speakers for both groups at once, so a speaker in both groups has the same weight in both.
    Arguments are those of `score_groups`.
    """
    every = score_groups(truth, predicted, speakers, groups, [metric], outputs)
    scored = [group for group in every if not Ranking.is_missing(_value(group))]
    if len(scored) < 2:
        return None
    ranked = Ranking(metric).best_first(scored, _value)
    best, worst = ranked[0], next(group for group in ranked[1:] if _value(group) == _value(ranked[-1]))
    difference = abs(_value(best) - _value(worst))
    interval = UNKNOWN
    if min(best.speakers, worst.speakers) > 1:
        known, numbers = np.unique(speakers, return_inverse=True)
        sums = []
        for group in (best, worst):
            own = np.asarray(groups) == group.name
            sums.append(metric.sums(truth[own], predicted[own], numbers[own], len(known), outputs))
        interval = _gap_interval(metric, sums, difference)
    return Gap(best=best.name, worst=worst.name, difference=difference, interval=interval)


def _value(group: GroupScore) -> float:
    return next(iter(group.scores.values())).value


def _gap_interval(metric: Metric, sums: Sequence[np.ndarray], difference: float) -> Interval:
    """The interval of the difference between two groups, from the sums of each group's speakers, shape (S, ...)."""
    n_speakers = len(sums[0])
    drawn = resamples_for(metric, n_speakers)
    with np.errstate(invalid="ignore", divide="ignore"):  # a resample without any speaker of the group
        best, worst = (resampled_scores(metric, drawn, group) for group in sums)
    differences = best - worst
    half = margin(differences[np.isfinite(differences)], n_speakers)
    half = max(half, jackknife_margin(left_out_scores(metric, sums[0]) - left_out_scores(metric, sums[1])))
    return UNKNOWN if half < 1e-12 else Interval(difference - half, difference + half)


def part_intervals(
    truth: np.ndarray, predicted: np.ndarray, speakers: np.ndarray, metric: Metric, outputs: int
) -> dict[int, Interval]:
    """95 % intervals of a metric's value for each output that has one, by bootstrap over speakers.

    Where `truth` holds class numbers, those of the metric over the utterances of each class, whose speakers are drawn:
    for UAR, they are the intervals of each class's recall. Other arguments are those of `score_groups`.

    >>> from ser_tune.metrics import METRICS
    >>> truth, predicted = np.array([[1.0], [2.0], [3.0], [1.5]]), np.array([[1.5], [2.0], [2.0], [2.0]])
    >>> found = part_intervals(truth, predicted, np.array([0, 0, 1, 1]), METRICS.get("mae"), 1)
    >>> {output: str(interval) for output, interval in found.items()}
    {0: '[0.000, 3.686]'}
    """
    if truth.ndim > 1:
        return _output_intervals(metric, sums_of(metric, truth, predicted, speakers, outputs))
    intervals = {}
    for label in np.unique(truth):
        own = np.flatnonzero(truth == label)
        sums = sums_of(metric, truth[own], predicted[own], speakers[own], outputs)
        intervals[int(label)] = speaker_interval(metric, sums)
    return intervals


def _output_intervals(metric: Metric, sums: np.ndarray) -> dict[int, Interval]:
    """The interval of every output's value, from the sums of each speaker, shape (S, ...)."""
    n_speakers = len(sums)
    if metric.parts is None:
        return {}
    points = metric.parts(sums.sum(axis=0))
    present = np.flatnonzero(~np.isnan(points))
    if n_speakers < 2:
        return {int(output): UNKNOWN for output in present}
    resampled = resampled_scores(replace(metric, value=metric.parts), resamples_for(metric, n_speakers), sums)
    halves = [margin(column[np.isfinite(column)], n_speakers) for column in resampled[:, present].T]
    if metric.jackknife:
        without = metric.parts(sums.sum(axis=0) - sums)[:, present].T
        halves = [max(half, jackknife_margin(column)) for half, column in zip(halves, without, strict=True)]
    return {
        int(output): score_interval(metric, float(points[output]), half)
        for output, half in zip(present, halves, strict=True)
    }
