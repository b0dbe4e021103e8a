"""Confusion matrices: the sums that metrics of classes are computed from."""

import math

import numpy as np

__all__ = ["confusions", "hits_and_totals", "recalls_of"]


def confusions(
    truth: np.ndarray, predicted: np.ndarray, groups: np.ndarray, n_groups: int, n_classes: int
) -> np.ndarray:
    """A confusion matrix for each group of utterances.

    Args:
        truth: Class numbers, shape (N,).
        predicted: Class numbers, shape (N,).
        groups: The number of each utterance's group, shape (N,).
        n_groups: G.
        n_classes: K.

    Returns:
        Counts, shape (G, K, K), int64: rows are the truth, columns the prediction.

    >>> confusions(np.array([0, 1, 1]), np.array([0, 0, 1]), np.array([1, 1, 0]), 2, 2).tolist()
    [[[0, 0], [0, 1]], [[1, 0], [1, 0]]]
    """
    shape = (n_groups, n_classes, n_classes)
    cells = np.ravel_multi_index((groups, truth, predicted), shape)
    return np.bincount(cells, minlength=math.prod(shape)).reshape(shape)


def hits_and_totals(counts: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Correct utterances and all utterances of each class (..., K), from confusion matrices (..., K, K)."""
    return counts.diagonal(axis1=-2, axis2=-1), counts.sum(axis=-1)


def recalls_of(counts: np.ndarray) -> np.ndarray:
    """The recall of every class of confusion matrices (..., K, K), shape (..., K); NaN where a class does not occur.

    >>> recalls_of(np.array([[1, 1, 0], [0, 0, 0], [0, 0, 2]])).tolist()
    [0.5, nan, 1.0]
    """
    hits, totals = hits_and_totals(counts)
    recalls: np.ndarray = np.where(totals > 0, hits / np.maximum(totals, 1), np.nan)
    return recalls
