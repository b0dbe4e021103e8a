"""Distances between two distributions of every utterance: sums and means."""

import numpy as np

__all__ = ["mean_distance", "relative_entropies", "shares", "totals"]


def shares(weights: np.ndarray) -> np.ndarray:
    """Rows divided by their sums, shape (N, K), float64; NaN where a row has no weight.

    >>> shares(np.array([[1, 3]])).tolist()
    [[0.25, 0.75]]
    """
    rows = np.asarray(weights, dtype=np.float64)
    with np.errstate(invalid="ignore", divide="ignore"):
        divided: np.ndarray = rows / rows.sum(axis=1, keepdims=True)
    return divided


def relative_entropies(p: np.ndarray, q: np.ndarray) -> np.ndarray:
    """Σ p · ln(p / q) of each row, shape (N,), in nats; a share p of 0 adds nothing.

    Args:
        p: Distributions, shape (N, K).
        q: Distributions, shape (N, K), positive where p is.

    >>> relative_entropies(np.array([[1.0, 0.0]]), np.array([[0.5, 0.5]])).round(4).tolist()
    [0.6931]
    """
    ratios = np.divide(p, q, out=np.ones_like(p), where=p > 0)
    entropies: np.ndarray = np.where(np.isnan(p), np.nan, p * np.log(ratios)).sum(axis=1)
    return entropies


def totals(distances: np.ndarray, groups: np.ndarray, n_groups: int) -> np.ndarray:
    """Utterances and the sum of their distances for each group, shape (G, 2).

    Args:
        distances: Of each utterance, shape (N,).
        groups: The number of each utterance's group, shape (N,).
        n_groups: G.
    """
    counts = np.bincount(groups, minlength=n_groups)
    return np.stack([counts, np.bincount(groups, distances, minlength=n_groups)], axis=-1)


def mean_distance(sums: np.ndarray) -> np.ndarray:
    """The mean distance, shape (...), from `totals`, shape (..., 2); NaN without utterances.

    >>> mean_distance(np.array([[4.0, 1.0], [2.0, 1.0]])).tolist()
    [0.25, 0.5]
    """
    with np.errstate(invalid="ignore", divide="ignore"):
        mean: np.ndarray = sums[..., 1] / sums[..., 0]
    return mean
