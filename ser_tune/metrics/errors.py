"""Errors of numbers: the sums that MAE and RMSE are computed from."""

import numpy as np

__all__ = ["error_sums", "means_of"]


def error_sums(truth: np.ndarray, predicted: np.ndarray, groups: np.ndarray, n_groups: int, outputs: int) -> np.ndarray:
    """Utterances, absolute errors and squared errors of each group.

    Args:
        truth: Numbers, shape (N, D).
        predicted: Numbers, shape (N, D).
        groups: The number of each utterance's group, shape (N,).
        n_groups: G.
        outputs: D.

    Returns:
        Sums, shape (G, D, 3).

    >>> error_sums(np.array([[1.0], [2.0]]), np.array([[1.5], [0.0]]), np.array([0, 0]), 1, 1).tolist()
    [[[2.0, 2.5, 4.25]]]
    """
    errors = np.abs(predicted.astype(np.float64) - truth.astype(np.float64))
    sums = np.zeros((n_groups, outputs, 3))
    np.add.at(sums, groups, np.stack([np.ones_like(errors), errors, errors**2], axis=-1))
    return sums


def means_of(sums: np.ndarray, which: int) -> np.ndarray:
    """The mean absolute (1) or squared (2) error of each dimension, shape (..., D); NaN without utterances.

    Args:
        sums: Utterances, absolute and squared errors of each dimension, shape (..., D, 3).
        which: The place of the errors in the sums.
    """
    with np.errstate(invalid="ignore", divide="ignore"):
        mean: np.ndarray = sums[..., which] / sums[..., 0]
    return mean
