"""The score of several dimensions from the value of each."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

__all__ = ["MeanOverDimensions"]


@dataclass(frozen=True, slots=True)
class MeanOverDimensions:
    """The mean over the dimensions: the `value` of a metric that has `parts`. NaN where a dimension has no value.

    >>> halves = MeanOverDimensions(lambda sums: sums / 2)
    >>> halves(np.array([[1.0, 3.0], [1.0, np.nan]])).tolist()
    [1.0, nan]
    """

    parts: Callable[[np.ndarray], np.ndarray]
    """From sums, shape (..., *sums), to the value of every dimension, shape (..., D)."""

    def __call__(self, sums: np.ndarray) -> np.ndarray:
        """Scores, shape (...), of sums, shape (..., *sums)."""
        mean: np.ndarray = self.parts(sums).mean(axis=-1)
        return mean
