"""WA and UAR.

WA is plain accuracy. UA is UAR: the mean of the recalls of the classes that occur in the truth being scored; a class
that does not occur has no recall and is left out, never counted as 0 or 1.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from .bootstrap import Interval, speaker_confusions, speaker_intervals

__all__ = [
    "Scores",
    "class_recalls",
    "confusion",
    "describe_score",
    "interval_of",
    "score",
    "uar",
    "wa",
    "with_interval",
]


def uar(truth: np.ndarray, predicted: np.ndarray) -> float:
    """Unweighted average recall, also called UA.

    Args:
        truth: Class numbers, shape (N,), N ≥ 1.
        predicted: Class numbers, shape (N,).

    Two of three right and one of one right, and a class that only the predictions have:

    >>> round(uar(np.array([0, 0, 0, 1]), np.array([0, 0, 2, 1])), 4)
    0.8333
    """
    from sklearn.metrics import recall_score  # takes 2 s, and reading results does without

    return float(recall_score(truth, predicted, labels=np.unique(truth), average="macro", zero_division=0.0))


def wa(truth: np.ndarray, predicted: np.ndarray) -> float:
    """Weighted accuracy: the fraction that is right.

    Args:
        truth: Class numbers, shape (N,), N ≥ 1.
        predicted: Class numbers, shape (N,).

    >>> wa(np.array([0, 0, 0, 1]), np.array([0, 0, 2, 1]))
    0.75
    """
    return float(np.mean(np.asarray(truth) == np.asarray(predicted)))


def class_recalls(truth: np.ndarray, predicted: np.ndarray) -> dict[int, float]:
    """Recall of every class that occurs in the truth.

    Args:
        truth: Class numbers, shape (N,), N ≥ 1.
        predicted: Class numbers, shape (N,).

    >>> class_recalls(np.array([0, 0, 2]), np.array([0, 1, 2]))
    {0: 0.5, 2: 1.0}
    """
    from sklearn.metrics import recall_score

    present = np.unique(truth)
    recalls = recall_score(truth, predicted, labels=present, average=None, zero_division=0.0)
    return {int(label): float(recall) for label, recall in zip(present, recalls, strict=True)}


def confusion(truth: np.ndarray, predicted: np.ndarray, n_classes: int) -> np.ndarray:
    """Counts, shape (n_classes, n_classes): rows are the truth, columns the prediction."""
    from sklearn.metrics import confusion_matrix

    matrix: np.ndarray = confusion_matrix(truth, predicted, labels=np.arange(n_classes))
    return matrix


@dataclass(frozen=True, slots=True)
class Scores:
    """Both forms of both numbers: pooled over every held-out utterance, and mean and deviation over the folds."""

    uar: float
    """Pooled: one confusion matrix over every held-out utterance. "UAR" alone means this."""
    wa: float
    uar_interval: Interval
    """95 %, of the pooled UAR, by bootstrap over speakers."""
    wa_interval: Interval
    fold_uar_mean: float
    fold_uar_std: float
    """Population standard deviation over the folds."""
    fold_wa_mean: float
    fold_wa_std: float
    recalls: dict[int, float]
    """Pooled recall of every class that occurs."""


def score(folds: Sequence[tuple[np.ndarray, np.ndarray, np.ndarray]]) -> Scores:
    """Score the held-out utterances of one or more folds.

    Args:
        folds: For each fold the truth and the prediction, class numbers of shape (N,), and a number for each
            utterance's speaker, shape (N,), the same in all folds.

    >>> scores = score([(np.array([0, 1, 1]), np.array([0, 1, 0]), np.array([4, 4, 2]))])
    >>> scores.uar, scores.uar_interval.known
    (0.75, True)
    """
    truth, predicted, speakers = (np.concatenate(side) for side in zip(*folds, strict=True))
    uars = [uar(*sides) for *sides, _ in folds]
    was = [wa(*sides) for *sides, _ in folds]
    n_classes = int(max(truth.max(), predicted.max())) + 1
    uar_interval, wa_interval = speaker_intervals(speaker_confusions(truth, predicted, speakers, n_classes))
    return Scores(
        uar=uar(truth, predicted),
        wa=wa(truth, predicted),
        uar_interval=uar_interval,
        wa_interval=wa_interval,
        fold_uar_mean=float(np.mean(uars)),
        fold_uar_std=float(np.std(uars)),
        fold_wa_mean=float(np.mean(was)),
        fold_wa_std=float(np.std(was)),
        recalls=class_recalls(truth, predicted),
    )


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
