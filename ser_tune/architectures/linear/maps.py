"""Symmetric maps of features: powers of covariances, and the map of a penalty on changes of scores.

Features may be many more than recordings, and a matrix of features is never made: an eigenvalue of the products of
recordings is one of the products of features.
"""

from dataclasses import dataclass

import numpy as np
from scipy.linalg import eigh

__all__ = ["Covariance", "SymmetricMap", "shrinkage_of", "steadying"]

RANK = 1e-10
"""Eigenvalues below this fraction of the largest are rounding errors."""


@dataclass(frozen=True, slots=True)
class SymmetricMap:
    """A symmetric matrix (D, D) with few eigenvalues that differ from the others."""

    vectors: np.ndarray
    """Orthonormal rows, shape (R, D)."""
    values: np.ndarray
    """Their eigenvalues, shape (R,)."""
    rest: float
    """Eigenvalue of all other directions."""

    def __call__(self, rows: np.ndarray) -> np.ndarray:
        """Multiply rows (N, D) with the matrix; of the rows' type."""
        vectors, factors = self.vectors.astype(rows.dtype, copy=False), (self.values - self.rest).astype(rows.dtype)
        mapped: np.ndarray = rows * rows.dtype.type(self.rest) + ((rows @ vectors.T) * factors) @ vectors
        return mapped


@dataclass(frozen=True, slots=True)
class Spread:
    """Eigenvectors of DᵀD of rows (N, D), without the directions in which all rows are 0."""

    vectors: np.ndarray
    """In rows, shape (R, D), of the type of the rows that they are of."""
    values: np.ndarray
    """Eigenvalues, shape (R,), float64, positive."""

    @property
    def nbytes(self) -> int:
        """Bytes of the arrays."""
        return self.vectors.nbytes + self.values.nbytes

    @classmethod
    def of(cls, rows: np.ndarray) -> "Spread":
        """Take the eigenvectors of the smaller matrix of products, of rows or of features."""
        products = _products(rows).astype(np.float64)
        values, vectors = eigh(products, driver="evd", overwrite_a=True)
        there = values > max(RANK * values[-1], np.finfo(np.float32).tiny)
        values, vectors = values[there], vectors[:, there]
        if len(rows) > rows.shape[1]:
            return cls(vectors.T.astype(rows.dtype), values)
        return cls(((vectors / np.sqrt(values)).T.astype(rows.dtype)) @ rows, values)


@dataclass(frozen=True, slots=True)
class Covariance:
    """Mean and shrunk covariance of the features of some recordings."""

    mean: np.ndarray
    """Shape (D,)."""
    spread: Spread
    """Eigenvectors of the centred features, before shrinkage."""
    shrinkage: float
    width: int
    """D."""

    @classmethod
    def of(cls, features: np.ndarray, *, shrinkage: float, weights: np.ndarray | None = None) -> "Covariance":
        """The covariance (1 - shrinkage) S + shrinkage · tr(S) / D · I, of features (N, D).

        Args:
            features: Of recordings.
            shrinkage: More than 0, and at most 1.
            weights: Of the recordings, shape (N,), that sum to 1; None where they are alike. The mean is unweighted.
        """
        mean = features.mean(axis=0)
        shares = np.full(len(features), 1 / len(features)) if weights is None else weights
        centred = (features - mean) * np.sqrt(shares).astype(features.dtype)[:, None]
        return cls(mean, Spread.of(centred), shrinkage, features.shape[1])

    def power(self, exponent: float) -> SymmetricMap:
        """The covariance to a power, such as -1/2; the identity where all recordings are equal."""
        rest = self.shrinkage * float(self.spread.values.sum()) / self.width
        if not rest:
            return SymmetricMap(self.spread.vectors[:0], np.zeros(0), 1.0)
        values = (1 - self.shrinkage) * self.spread.values + rest
        return SymmetricMap(self.spread.vectors, values**exponent, rest**exponent)


def shrinkage_of(features: np.ndarray) -> float:
    """The shrinkage with the least expected squared error of the covariance of features (N, D), within 0.001 and 1.

    O. Ledoit, M. Wolf: A well-conditioned estimator for large-dimensional covariance matrices, Journal of Multivariate
    Analysis 88(2), 2004.
    """
    count, width = features.shape
    centred = features - features.mean(axis=0)
    lengths = np.square(centred, dtype=np.float64).sum(axis=1)
    squared = float(np.square(_products(centred).astype(np.float64)).sum()) / count**2
    distance = squared / width - (lengths.mean() / width) ** 2
    noise = (float(np.square(lengths).sum()) / count - squared) / count / width
    return min(max(noise / distance, 1e-3), 1.0) if distance > 0 else 1.0


def _products(rows: np.ndarray) -> np.ndarray:
    """Products of rows (N, D), shape (N, N), or of their columns, (D, D), where there are fewer of these."""
    products: np.ndarray = rows.T @ rows if len(rows) > rows.shape[1] else rows @ rows.T
    return products


def steadying(spread: Spread, weight: float) -> SymmetricMap:
    """The map P = (I + weight · DᵀD)^-1/2, of the spread of changes D of features.

    Weights V of mapped features P x with the penalty V Vᵀ are weights W = V P of features x with the penalty
    W (I + weight · DᵀD) Wᵀ, which the changes of the scores that the changes of features make are part of.
    """
    return SymmetricMap(spread.vectors, 1 / np.sqrt(1 + weight * spread.values), 1.0)
