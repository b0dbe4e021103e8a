"""Errors of numbers: the sums that MAE and RMSE are computed from."""

import numpy as np

__all__ = ["error_sums", "mean_absolute_errors", "root_mean_squared_errors"]


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


def mean_absolute_errors(sums: np.ndarray) -> np.ndarray:
    """The mean absolute error of each dimension, shape (..., D), from sums (..., D, 3); NaN without utterances."""
    return _mean(sums, 1)


def root_mean_squared_errors(sums: np.ndarray) -> np.ndarray:
    """The root mean squared error of each dimension, shape (..., D), from sums (..., D, 3); NaN without utterances."""
    # Where two systems are swapped, sums of an error of 0 are differences, which rounding can make negative
    root: np.ndarray = np.sqrt(np.maximum(_mean(sums, 2), 0.0))
    return root


def _mean(sums: np.ndarray, which: int) -> np.ndarray:
    with np.errstate(invalid="ignore", divide="ignore"):
        mean: np.ndarray = sums[..., which] / sums[..., 0]
    return mean
