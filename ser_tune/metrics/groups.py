"""Scores of groups of utterances, and the gap between the best and the worst group."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from .bootstrap import UNKNOWN, Interval, margin, pooled_scores, resamples, speaker_confusions, speaker_intervals

__all__ = ["Gap", "GroupScore", "largest_gap", "recall_intervals", "score_groups"]


@dataclass(frozen=True, slots=True)
class GroupScore:
    """UAR and WA of a group of utterances."""

    name: str
    utterances: int
    speakers: int
    classes: int
    """Classes that occur in the group; its UAR is the mean of their recalls."""
    uar: float
    wa: float
    uar_interval: Interval
    """95 %, by bootstrap over the group's speakers; unknown with one speaker."""
    wa_interval: Interval


@dataclass(frozen=True, slots=True)
class Gap:
    """The difference of UAR between the best and the worst group."""

    best: str
    worst: str
    difference: float
    interval: Interval
    """95 %, of the difference between these two, by bootstrap over speakers; unknown where one has a single speaker."""


def score_groups(
    truth: np.ndarray, predicted: np.ndarray, speakers: np.ndarray, groups: Sequence[str]
) -> tuple[GroupScore, ...]:
    """Score each group by itself.

    Args:
        truth: Class numbers, shape (N,), N ≥ 1.
        predicted: Class numbers, shape (N,).
        speakers: A number for each utterance's speaker, shape (N,).
        groups: The group of each utterance; those of an empty one are left out.

    Returns:
        The groups, by name.

    >>> groups = score_groups(np.array([0, 1, 1]), np.array([0, 1, 0]), np.array([0, 0, 1]), ["a", "a", "b"])
    >>> [(one.name, one.uar, one.classes) for one in groups]
    [('a', 1.0, 2), ('b', 0.0, 1)]
    """
    n_classes = int(max(truth.max(), predicted.max())) + 1
    names = np.asarray(groups)
    scores = []
    for name in sorted(set(groups) - {""}):
        own = np.flatnonzero(names == name)
        confusions = speaker_confusions(truth[own], predicted[own], speakers[own], n_classes)
        uar, wa = pooled_scores(*_hits_and_totals(confusions.sum(axis=0)))
        uar_interval, wa_interval = speaker_intervals(confusions)
        scores.append(
            GroupScore(
                name=name,
                utterances=len(own),
                speakers=len(confusions),
                classes=len(np.unique(truth[own])),
                uar=float(uar),
                wa=float(wa),
                uar_interval=uar_interval,
                wa_interval=wa_interval,
            )
        )
    return tuple(scores)


def largest_gap(truth: np.ndarray, predicted: np.ndarray, speakers: np.ndarray, groups: Sequence[str]) -> Gap | None:
    """The gap between the group with the highest UAR and that with the lowest; None with fewer than two groups.

    All speakers are resampled together, so that a speaker who is in both groups counts alike in both. Arguments are
    those of `score_groups`.
    """
    scores = score_groups(truth, predicted, speakers, groups)
    if len(scores) < 2:
        return None
    best, worst = max(scores, key=lambda one: one.uar), min(scores, key=lambda one: one.uar)
    interval = UNKNOWN
    if min(best.speakers, worst.speakers) > 1:
        interval = _interval(truth, predicted, speakers, np.asarray(groups), best, worst)
    return Gap(best=best.name, worst=worst.name, difference=best.uar - worst.uar, interval=interval)


def _interval(
    truth: np.ndarray,
    predicted: np.ndarray,
    speakers: np.ndarray,
    groups: np.ndarray,
    best: GroupScore,
    worst: GroupScore,
) -> Interval:
    known, numbers = np.unique(speakers, return_inverse=True)
    drawn, n_classes = resamples(len(known)), int(max(truth.max(), predicted.max())) + 1
    resampled = []
    for group in (best, worst):
        own = groups == group.name
        counts = np.zeros((len(known), n_classes, n_classes), dtype=np.int64)
        np.add.at(counts, (numbers[own], truth[own], predicted[own]), 1)
        hits, totals = _hits_and_totals(counts)
        with np.errstate(invalid="ignore", divide="ignore"):  # a resample without any speaker of the group
            resampled.append(pooled_scores(drawn @ hits, drawn @ totals)[0])
    differences = resampled[0] - resampled[1]
    half = margin(differences[np.isfinite(differences)], len(known))
    if half < 1e-12:
        return UNKNOWN
    return Interval(best.uar - worst.uar - half, best.uar - worst.uar + half)


def recall_intervals(truth: np.ndarray, predicted: np.ndarray, speakers: np.ndarray) -> dict[int, Interval]:
    """95 % intervals of the recall of every class that occurs, by bootstrap over the speakers who spoke it.

    Arguments are those of `score_groups`.
    """
    n_classes = int(max(truth.max(), predicted.max())) + 1
    intervals = {}
    for label in np.unique(truth):
        own = np.flatnonzero(truth == label)
        intervals[int(label)] = speaker_intervals(
            speaker_confusions(truth[own], predicted[own], speakers[own], n_classes)
        )[0]
    return intervals


def _hits_and_totals(confusions: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Of confusion matrices (..., K, K): utterances that are right, and all utterances, of each class (..., K)."""
    return confusions.diagonal(axis1=-2, axis2=-1), confusions.sum(axis=-1)
