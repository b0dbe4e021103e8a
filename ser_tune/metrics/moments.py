"""Moments of pairs of numbers: the sums that correlations are computed from.

Squares of numbers around 200 or a million hide their spread in the last digits. The sums are therefore of distances
from a centre: the middle of the range of the truth, which the predictions have too unless they are far from it. Systems
on the same utterances have the same centre. The sums hold the centres as well, so sums of different centres add up.
"""

from dataclasses import dataclass

import numpy as np

__all__ = ["Spread", "moments", "spread_of"]

NEAR = 10.0
"""Ranges of the predictions between their middle and the centre of the truth, up to which both have this centre."""
NEGLIGIBLE = 1e-12
"""A variance is 0 where it is a smaller fraction of the mean square of the distances from the centre: 10,000 speakers
add rounding errors of about a hundredth of it."""


@dataclass(frozen=True, slots=True)
class Spread:
    """Population moments of pairs of numbers, each of shape (..., D); NaN where there are no pairs."""

    truth: np.ndarray
    """Variance of the truth; 0 where it is constant."""
    predicted: np.ndarray
    """Variance of the predictions; 0 where they are constant."""
    both: np.ndarray
    """Covariance; 0 where either is constant."""
    shift: np.ndarray
    """Mean of the predictions minus mean of the truth."""


def moments(truth: np.ndarray, predicted: np.ndarray, groups: np.ndarray, n_groups: int, outputs: int) -> np.ndarray:
    """First and second moments of the pairs of each group.

    Args:
        truth: Numbers, shape (N, D).
        predicted: Numbers, shape (N, D).
        groups: The number of each utterance's group, shape (N,).
        n_groups: G.
        outputs: D.

    Returns:
        Shape (G, D, 5, 5): sums over utterances of the products of any two of 1, the centre of the truth, the centre of
        the predictions, and the distances of truth and prediction from their centres.

    >>> moments(np.array([[1.0], [3.0]]), np.array([[2.0], [3.0]]), np.array([0, 0]), 1, 1)[0, 0, 0].tolist()
    [2.0, 4.0, 4.0, 0.0, 1.0]
    """
    sums = np.zeros((n_groups, outputs, 5, 5))
    if not len(truth):
        return sums
    pairs = np.stack([truth, predicted], axis=-1).astype(np.float64)  # (N, D, 2)
    lowest, highest = pairs.min(axis=0), pairs.max(axis=0)
    centres = lowest + (highest - lowest) / 2  # (D, 2)
    near = np.abs(centres[:, 1] - centres[:, 0]) <= NEAR * (highest - lowest)[:, 1]
    centres[:, 1] = np.where(near, centres[:, 0], centres[:, 1])
    distances = pairs - centres
    counts = _totals(np.ones(len(truth)), groups, n_groups)
    present = np.maximum(counts, 1)[:, np.newaxis, np.newaxis]
    means = _totals(distances, groups, n_groups) / present
    means += _totals(distances - means[groups], groups, n_groups) / present  # without the first sum's rounding errors
    around = distances - means[groups]
    own = np.concatenate([np.ones((n_groups, outputs, 1)), np.broadcast_to(centres, means.shape), means], axis=-1)
    sums[:] = counts[:, np.newaxis, np.newaxis, np.newaxis] * own[..., :, np.newaxis] * own[..., np.newaxis, :]
    sums[..., 3:, 3:] += _totals(around[..., :, np.newaxis] * around[..., np.newaxis, :], groups, n_groups)
    return sums


def spread_of(sums: np.ndarray) -> Spread:
    """Variances, covariance and shift from moments, shape (..., D, 5, 5).

    Pairs (1, 2), (3, 3): the truth's variance is 1, the covariance and the shift are 0.5.

    >>> spread = spread_of(moments(np.array([[1.0], [3.0]]), np.array([[2.0], [3.0]]), np.array([0, 0]), 1, 1)[0])
    >>> spread.truth.tolist(), spread.predicted.tolist(), spread.both.tolist(), spread.shift.tolist()
    ([1.0], [0.25], [0.5], [0.5])
    """
    with np.errstate(invalid="ignore", divide="ignore"):  # no pairs have no moments: NaN
        products = sums / sums[..., :1, :1]
    means, squares = products[..., 0, 1:], products[..., 1:, 1:]
    covariances = squares - means[..., :, np.newaxis] * means[..., np.newaxis, :]
    # Equal centres have no variance; rounding may give more than 0
    centred = np.diagonal(covariances, axis1=-2, axis2=-1) <= NEGLIGIBLE * np.diagonal(squares, axis1=-2, axis2=-1)
    centred[..., 2:] = False
    covariances[centred[..., :, np.newaxis] | centred[..., np.newaxis, :]] = 0.0
    joint = (  # of centre plus distance: (..., D, 2, 2)
        covariances[..., :2, :2] + covariances[..., :2, 2:] + covariances[..., 2:, :2] + covariances[..., 2:, 2:]
    )
    within = np.diagonal(squares[..., 2:, 2:] + covariances[..., :2, :2], axis1=-2, axis2=-1)
    variances = np.diagonal(joint, axis1=-2, axis2=-1)
    constant = variances <= NEGLIGIBLE * within
    variances = np.where(constant, 0.0, variances)
    return Spread(
        truth=variances[..., 0],
        predicted=variances[..., 1],
        both=np.where(constant.any(axis=-1), 0.0, joint[..., 0, 1]),
        shift=(means[..., 1] - means[..., 0]) + (means[..., 3] - means[..., 2]),
    )


def _totals(values: np.ndarray, groups: np.ndarray, n_groups: int) -> np.ndarray:
    """The totals of each group, shape (G, ...), of values of shape (N, ...)."""
    flat = values.reshape(len(values), -1)
    totals = [np.bincount(groups, column, minlength=n_groups) for column in flat.T]
    summed: np.ndarray = np.stack(totals, axis=-1).reshape(n_groups, *values.shape[1:])
    return summed
