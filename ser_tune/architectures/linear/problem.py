"""`Problem`: examples and objective of a linear map, of which the weights are of features, or of fewer examples.

The best weights of D features are a sum of the N examples (representer theorem), so that N weights of examples hold all
that those of features do, and of features a solver needs the products of examples alone, the Gram matrix.
"""

import math
from collections.abc import Callable, Hashable
from dataclasses import dataclass, field
from typing import Protocol

import numpy as np

from ..shared import ResultT, Shared
from .targets import Supervision

__all__ = ["ByExamples", "ByFeatures", "Problem", "Space", "space_of"]

LEAST = 1e-10
"""The least penalty, relative to the mean of the diagonal of the smaller matrix of products, which equal examples and
features that are sums of others make singular."""
AT_ONCE = 128
"""Features that are changed to float64 at once: few enough for a processor's cache."""


class Space(Protocol):
    """Examples of a linear map with K outputs, and a space of its weights (K, R)."""

    @property
    def size(self) -> int:
        """R, the smaller of N and D + 1."""

    @property
    def least_penalty(self) -> float:
        """The penalty that smaller ones are raised to."""

    @property
    def nbytes(self) -> int:
        """Bytes of the arrays."""

    def scores(self, weights: np.ndarray) -> np.ndarray:
        """Scores (N, K) of all examples."""

    def pulled(self, slope: np.ndarray) -> np.ndarray:
        """The gradient by the weights, shape (K, R), from the slope of a loss by the scores, (N, K)."""

    def product(self, weights: np.ndarray, scores: np.ndarray, others: np.ndarray) -> float:
        """The product of the maps of two weights (K, R), of which the first have scores (N, K)."""

    def of_features(self, weights: np.ndarray) -> np.ndarray:
        """Weights of features and the bias, shape (K, D + 1), from weights (K, R)."""


@dataclass(frozen=True, slots=True)
class ByFeatures:
    """Weights of features."""

    rows: np.ndarray
    """Features (N, D + 1), float64, of which the last is always 1."""

    @property
    def size(self) -> int:
        """As `Space`."""
        size: int = self.rows.shape[1]
        return size

    @property
    def least_penalty(self) -> float:
        """As `Space`."""
        return LEAST * float(np.square(self.rows).sum()) / self.size

    @property
    def nbytes(self) -> int:
        """As `Space`."""
        return self.rows.nbytes

    def scores(self, weights: np.ndarray) -> np.ndarray:
        """As `Space`."""
        scores: np.ndarray = (weights @ self.rows.T).T  # with few outputs faster than rows @ weights.T
        return scores

    def pulled(self, slope: np.ndarray) -> np.ndarray:
        """As `Space`."""
        gradient: np.ndarray = slope.T @ self.rows
        return gradient

    def product(self, weights: np.ndarray, scores: np.ndarray, others: np.ndarray) -> float:
        """As `Space`."""
        return float((weights * others).sum())

    def of_features(self, weights: np.ndarray) -> np.ndarray:
        """As `Space`."""
        return weights


@dataclass(frozen=True, slots=True)
class ByExamples:
    """Weights of examples, of which features' weights are the sum."""

    gram: np.ndarray
    """Products of examples, shape (N, N), float64."""
    features: np.ndarray = field(repr=False)
    """Shape (N, D), of any type; a feature that is always 1 is left out."""

    @property
    def size(self) -> int:
        """As `Space`."""
        return len(self.gram)

    @property
    def least_penalty(self) -> float:
        """As `Space`."""
        return LEAST * float(self.gram.trace()) / len(self.gram)

    @property
    def nbytes(self) -> int:
        """As `Space`."""
        return self.gram.nbytes + self.features.nbytes

    def scores(self, weights: np.ndarray) -> np.ndarray:
        """As `Space`."""
        scores: np.ndarray = (weights @ self.gram).T  # with 7 outputs 1.8 times as fast as gram @ weights.T
        return scores

    def pulled(self, slope: np.ndarray) -> np.ndarray:
        """As `Space`."""
        return slope.T

    def product(self, weights: np.ndarray, scores: np.ndarray, others: np.ndarray) -> float:
        """As `Space`."""
        return float((scores.T * others).sum())

    def of_features(self, weights: np.ndarray) -> np.ndarray:
        """As `Space`."""
        bands = self.features.shape[1]
        result = np.empty((len(weights), bands + 1))
        for start in range(0, bands, AT_ONCE):
            some = slice(start, min(start + AT_ONCE, bands))
            result[:, some] = weights @ self.features[:, some].astype(np.float64, copy=False)
        result[:, -1] = weights.sum(axis=1)
        return result


def space_of(features: np.ndarray) -> ByFeatures | ByExamples:
    """The smaller space of features (N, D) of any type, to which a feature that is always 1 is added."""
    count, bands = features.shape
    exact = features.astype(np.float64, copy=False)
    if count > bands:
        return ByFeatures(np.column_stack([exact, np.ones(count)]))
    return ByExamples(exact @ exact.T + 1, features)


@dataclass(frozen=True, slots=True)
class Problem:
    """Examples and objective of a linear map."""

    space: ByFeatures | ByExamples
    supervision: Supervision
    penalty: float
    """The squared weights count half of it."""
    shared: Shared
    """Results that do not depend on penalty and objective."""
    key: Hashable
    """All that the space depends on."""
    own: Shared
    """The same results while the problem is solved, also where they are too large to be shared."""

    @classmethod
    def of(
        cls,
        space: ByFeatures | ByExamples,
        supervision: Supervision,
        penalty: float,
        *,
        shared: Shared | None = None,
        key: Hashable = None,
    ) -> "Problem":
        """A problem of examples.

        Args:
            space: The examples.
            supervision: Their targets, and the loss.
            penalty: The squared weights count half of it; very small penalties are raised.
            shared: Keeps results for other problems of the same space; None keeps them for this problem alone.
            key: All that the space depends on.
        """
        own = Shared(math.inf)
        return cls(space, supervision, max(penalty, space.least_penalty), shared or own, key, own)

    def kept(self, kind: Hashable, make: Callable[[], ResultT]) -> ResultT:
        """A result of the space, by its kind and all that it depends on besides: made if no problem has it."""
        key = (self.key, kind)
        return self.own.get(key, make if self.shared is self.own else lambda: self.shared.get(key, make))
