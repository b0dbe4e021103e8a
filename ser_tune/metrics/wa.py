"""`wa`: weighted accuracy, which is plain accuracy."""

import numpy as np

from .base import Metric
from .confusions import confusions, hits_and_totals

__all__ = ["METRIC"]


def weighted_accuracy(counts: np.ndarray) -> np.ndarray:
    """The fraction that is right.

    Args:
        counts: Confusion matrices, shape (..., K, K): rows are the truth.

    >>> float(weighted_accuracy(np.array([[2, 0, 1], [0, 1, 0], [0, 0, 0]])))
    0.75
    """
    hits, totals = hits_and_totals(counts)
    wa: np.ndarray = hits.sum(axis=-1) / totals.sum(axis=-1)
    return wa


METRIC = Metric(
    name="wa",
    title="WA",
    description="plain accuracy",
    sums=confusions,
    value=weighted_accuracy,
    hub="accuracy",
    citation="B. Schuller et al.: The INTERSPEECH 2009 Emotion Challenge, Interspeech 2009",
)
