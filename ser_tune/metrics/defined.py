"""Means over the outputs that have a value."""

import numpy as np

__all__ = ["mean_of_defined"]


def mean_of_defined(values: np.ndarray) -> np.ndarray:
    """The mean over the last axis without NaN, shape (...); NaN where nothing else is there.

    >>> mean_of_defined(np.array([[0.5, np.nan, 1.0], [np.nan, np.nan, np.nan]])).tolist()
    [0.75, nan]
    """
    defined = ~np.isnan(values)
    counts = defined.sum(axis=-1)
    mean: np.ndarray = np.where(counts > 0, np.where(defined, values, 0.0).sum(axis=-1) / np.maximum(counts, 1), np.nan)
    return mean
