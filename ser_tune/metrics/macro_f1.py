"""`macro_f1`: the mean over the classes of the F1 score."""

import numpy as np

from .base import Metric
from .defined import mean_of_defined

__all__ = ["METRIC"]


def outcomes(truth: np.ndarray, predicted: np.ndarray, groups: np.ndarray, n_groups: int, outputs: int) -> np.ndarray:
    """True positives, false positives and false negatives of each class, for each group.

    Args:
        truth: Whether an utterance has a class, shape (N, K).
        predicted: Whether it was predicted to have it, shape (N, K).
        groups: The number of each utterance's group, shape (N,).
        n_groups: G.
        outputs: K.

    Returns:
        Counts, shape (G, K, 3), int64.

    >>> truth, predicted = np.array([[True, False], [True, True]]), np.array([[True, True], [False, True]])
    >>> outcomes(truth, predicted, np.array([0, 0]), 1, 2).tolist()
    [[[1, 0, 1], [1, 1, 0]]]
    """
    has, named = np.asarray(truth, dtype=bool), np.asarray(predicted, dtype=bool)
    counts = np.zeros((n_groups, outputs, 3), dtype=np.int64)
    np.add.at(counts, groups, np.stack([has & named, ~has & named, has & ~named], axis=-1))
    return counts


def f1_scores(sums: np.ndarray) -> np.ndarray:
    """The F1 score of every class, shape (..., K), from outcomes (..., K, 3); NaN where the truth lacks the class."""
    hits, added, missed = np.moveaxis(sums, -1, 0)
    occurs = hits + missed > 0
    f1: np.ndarray = np.where(occurs, 2 * hits / np.where(occurs, 2 * hits + added + missed, 1), np.nan)
    return f1


def macro_f1(sums: np.ndarray) -> np.ndarray:
    """The mean F1 score of the classes of the truth; NaN where it has none.

    Args:
        sums: True positives, false positives and false negatives, shape (..., K, 3).

    Classes with an F1 score of 2/3 and of 1, and a class that only the predictions have:

    >>> round(float(macro_f1(np.array([[1, 0, 1], [2, 0, 0], [0, 1, 0]]))), 4)
    0.8333
    """
    return mean_of_defined(f1_scores(sums))


METRIC = Metric(
    name="macro_f1",
    title="macro-F1",
    description="the mean F1 score of the {answer}s that occur in the truth, over all held-out utterances pooled",
    sums=outcomes,
    value=macro_f1,
    predictions="label_sets",
    part="F1",
    parts=f1_scores,
    hub="f1",
    citation="J. Opitz, S. Burst: Macro F1 and Macro F1, 2019, arXiv 1911.03347 (the mean of the classes' scores)",
)
