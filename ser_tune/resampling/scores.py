"""Scores of held-out utterances, in both forms: pooled over all of them, and mean and deviation over the folds."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np

from ..metrics import Metric
from .intervals import Interval, speaker_interval

__all__ = ["HeldOutFold", "Score", "Scores", "describe_score", "interval_of", "score", "sums_of", "with_interval"]

HeldOutFold: TypeAlias = tuple[np.ndarray, np.ndarray, np.ndarray]
"""Truth (N, ...) and predictions (N, ...) of a fold's held-out utterances, and a number for each utterance's speaker
(N,), the same in all folds."""


@dataclass(frozen=True, slots=True)
class Score:
    """A metric of held-out utterances."""

    value: float
    """Pooled: over every held-out utterance. A metric's title alone means this."""
    interval: Interval
    """95 %, of the pooled score, by bootstrap over speakers."""
    fold_mean: float
    fold_std: float
    """Population standard deviation over the folds."""
    parts: Mapping[int, float]
    """Pooled value of every output that has one, such as the recall of every class that occurs."""


Scores: TypeAlias = Mapping[str, Score]
"""By the metric's name, in the order of the task's metrics: the first is the primary objective."""


def sums_of(metric: Metric, truth: np.ndarray, predicted: np.ndarray, speakers: np.ndarray, outputs: int) -> np.ndarray:
    """The sums of every speaker's utterances, shape (S, ...), in the order of the speakers' numbers.

    Args:
        metric: Whose sums.
        truth: Targets, shape (N, ...).
        predicted: Predictions, shape (N, ...).
        speakers: A number for each utterance's speaker, shape (N,).
        outputs: K, the number of the task's outputs.
    """
    known, which = np.unique(speakers, return_inverse=True)
    return metric.sums(truth, predicted, which, len(known), outputs)


def score(folds: Sequence[HeldOutFold], metrics: Sequence[Metric], outputs: int) -> Scores:
    """Score the held-out utterances of one or more folds.

    Args:
        folds: At least one, each with at least one utterance.
        metrics: Their scores are computed.
        outputs: K, the number of the task's outputs.

    >>> from ser_tune.metrics import METRICS
    >>> folds = [(np.array([0, 1, 1]), np.array([0, 1, 0]), np.array([4, 4, 2]))]
    >>> scores = score(folds, [METRICS.get("uar")], 2)
    >>> scores["uar"].value, scores["uar"].interval.known, scores["uar"].parts
    (0.75, True, {0: 1.0, 1: 0.5})
    """
    truth, predicted, speakers = (np.concatenate(side) for side in zip(*folds, strict=True))
    scores = {}
    for metric in metrics:
        sums = sums_of(metric, truth, predicted, speakers, outputs)
        pooled = sums.sum(axis=0)
        of_folds = [metric.score(fold_truth, found, outputs) for fold_truth, found, _ in folds]
        parts = () if metric.parts is None else metric.parts(pooled).tolist()
        scores[metric.name] = Score(
            value=float(metric.value(pooled)),
            interval=speaker_interval(metric, sums),
            fold_mean=float(np.mean(of_folds)),
            fold_std=float(np.std(of_folds)),
            parts={number: part for number, part in enumerate(parts) if not math.isnan(part)},
        )
    return scores


def describe_score(metrics: Mapping[str, float], name: str) -> str:
    """A score with its 95 % interval, as every table shows it.

    >>> describe_score({"test_uar": 0.7, "test_uar_low": 0.6, "test_uar_high": 0.78}, "test_uar")
    '0.7000 [0.600, 0.780]'
    """
    if name not in metrics:
        return ""
    return with_interval(metrics[name], interval_of(metrics, name))


def interval_of(metrics: Mapping[str, float], name: str) -> Interval:
    """The 95 % interval that was stored beside a score.

    >>> str(interval_of({"test_uar": 0.7, "test_uar_low": 0.6, "test_uar_high": 0.78}, "test_uar"))
    '[0.600, 0.780]'
    """
    return Interval(metrics.get(f"{name}_low", math.nan), metrics.get(f"{name}_high", math.nan))


def with_interval(value: float, interval: Interval, sign: str = "") -> str:
    """A number and its 95 % interval, where that is known; `sign` is `+` for a difference.

    >>> with_interval(-0.1, Interval(-0.2, 0.05), "+")
    '-0.1000 [-0.200, +0.050]'
    """
    bracket = f" [{interval.low:{sign}.3f}, {interval.high:{sign}.3f}]" if interval.known else ""
    return f"{value:{sign}.4f}{bracket}"
