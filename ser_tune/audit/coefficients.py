"""Entropy, Fleiss's kappa and Krippendorff's alpha, computed from sums over utterances as metrics are.

Packages of these coefficients are under the GPL, need older versions of SciPy and NumPy, or bring a library of
statistics for a few lines. Tests compare the formulas with published examples. None of them has predictions.
"""

import math

import numpy as np

from ..metrics import Metric

__all__ = ["ALPHA", "ENTROPY", "KAPPA", "entropies"]


def entropies(votes: np.ndarray) -> np.ndarray:
    """The entropy of each row of counts or shares (N, K), in bits, shape (N,).

    >>> entropies(np.array([[2, 2, 0], [4, 0, 0]])).tolist()
    [1.0, 0.0]
    """
    shares = votes / votes.sum(axis=1, keepdims=True)
    found: np.ndarray = (shares * -np.log2(np.where(shares > 0, shares, 1.0))).sum(axis=1)
    return found


def entropy_sums(votes: np.ndarray, _: np.ndarray, groups: np.ndarray, n_groups: int, _outputs: int) -> np.ndarray:
    """Utterances and the sum of their entropies for each group, shape (G, 2), from votes (N, K)."""
    return _totals(np.column_stack([np.ones(len(votes)), entropies(votes)]), groups, n_groups)


def kappa_sums(votes: np.ndarray, _: np.ndarray, groups: np.ndarray, n_groups: int, _outputs: int) -> np.ndarray:
    """Utterances, the sum of their shares of agreeing pairs, and the votes of each class, shape (G, 2 + K).

    Args:
        votes: Counts, shape (N, K), two or more an utterance.
        groups: The number of each utterance's group, shape (N,).
        n_groups: G.
    """
    counts = votes.sum(axis=1)
    agreeing = (votes * (votes - 1)).sum(axis=1) / (counts * (counts - 1))
    return _totals(np.column_stack([np.ones(len(votes)), agreeing, votes]), groups, n_groups)


def alpha_sums(ratings: np.ndarray, _: np.ndarray, groups: np.ndarray, n_groups: int, _outputs: int) -> np.ndarray:
    """Ratings, weighted squares within utterances, and the sums of ratings and of their squares, shape (G, 4).

    Args:
        ratings: Shape (N, R), two or more an utterance; NaN where an annotator has none.
        groups: The number of each utterance's group, shape (N,).
        n_groups: G.
    """
    centred = ratings - (np.nanmin(ratings) + np.nanmax(ratings)) / 2  # squares of small numbers keep their digits
    counts, sums, squares = (~np.isnan(ratings)).sum(axis=1), np.nansum(centred, axis=1), np.nansum(centred**2, axis=1)
    within = counts / (counts - 1) * (squares - sums**2 / counts)
    return _totals(np.column_stack([counts, within, sums, squares]), groups, n_groups)


def mean_entropy(sums: np.ndarray) -> np.ndarray:
    """The mean entropy, shape (...), from `entropy_sums` (..., 2)."""
    mean: np.ndarray = sums[..., 1] / sums[..., 0]
    return mean


def fleiss_kappa(sums: np.ndarray) -> np.ndarray:
    """Fleiss's kappa, shape (...), from `kappa_sums` (..., 2 + K); NaN where all votes are for a single class.

    The pairs of annotators that agree, beyond those of votes that are drawn from all votes together. An utterance with
    more votes than another weighs as much.

    Two utterances, on which three of three and one of three pairs agree:

    >>> sums = kappa_sums(np.array([[3, 0], [1, 2]]), None, np.array([0, 0]), 1, 2)[0]
    >>> round(float(fleiss_kappa(sums)), 4)
    0.25
    """
    agreeing, votes = sums[..., 1] / sums[..., 0], sums[..., 2:]
    by_chance = ((votes / votes.sum(axis=-1, keepdims=True)) ** 2).sum(axis=-1)
    with np.errstate(invalid="ignore", divide="ignore"):
        kappas: np.ndarray = (agreeing - by_chance) / (1 - by_chance)
    return kappas


def krippendorff_alpha(sums: np.ndarray) -> np.ndarray:
    """Krippendorff's alpha of an interval scale, shape (...), from `alpha_sums` (..., 4); NaN where all are equal.

    1 - observed / expected disagreement: mean squared differences within utterances, and between all ratings.

    >>> sums = alpha_sums(np.array([[1.0, 2.0], [4.0, 4.0]]), None, np.array([0, 0]), 1, 1)[0]
    >>> round(float(krippendorff_alpha(sums)), 4)
    0.8889
    """
    counts, within, totals, squares = np.moveaxis(sums, -1, 0)
    with np.errstate(invalid="ignore", divide="ignore"):
        alphas: np.ndarray = 1 - (within / counts) / ((squares - totals**2 / counts) / (counts - 1))
    return alphas


def _totals(values: np.ndarray, groups: np.ndarray, n_groups: int) -> np.ndarray:
    """The totals of each group, shape (G, C), of rows (N, C)."""
    return np.stack([np.bincount(groups, column, minlength=n_groups) for column in values.T], axis=1)


ENTROPY = Metric(
    name="entropy",
    title="entropy",
    description="the mean entropy of an utterance's votes, in bits",
    sums=entropy_sums,
    value=mean_entropy,
    high=math.inf,
    scale="linear",
)
KAPPA = Metric(
    name="kappa",
    title="Fleiss's kappa",
    description="the agreement of votes beyond chance",
    sums=kappa_sums,
    value=fleiss_kappa,
    low=-1.0,
    citation="J. L. Fleiss: Measuring Nominal Scale Agreement Among Many Raters, Psychological Bulletin 76(5), 1971; "
    "unequal numbers of votes: J. L. Fleiss, B. Levin, M. C. Paik: Statistical Methods for Rates and Proportions, 2003",
)
ALPHA = Metric(
    name="alpha",
    title="Krippendorff's alpha",
    description="the agreement of ratings on an interval scale, beyond chance",
    sums=alpha_sums,
    value=krippendorff_alpha,
    low=-1.0,
    citation="K. Krippendorff: Computing Krippendorff's Alpha-Reliability, University of Pennsylvania, 2011",
)
