"""`ccc`: concordance correlation coefficient, mean over the dimensions."""

import numpy as np

from .base import Metric
from .dimensions import MeanOverDimensions
from .moments import moments, spread_of

__all__ = ["METRIC"]


def concordances(sums: np.ndarray) -> np.ndarray:
    """The CCC of each dimension: 2 · covariance / (both variances + squared difference of the means).

    Args:
        sums: Moments, shape (..., D, 5, 5).

    Returns:
        Shape (..., D): 0 where only truth or prediction is constant, NaN where both are.

    Truth 1, 3 and prediction 2, 3: 2 · 0.5 / (1 + 0.25 + 0.25)

    >>> sums = moments(np.array([[1.0], [3.0]]), np.array([[2.0], [3.0]]), np.array([0, 0]), 1, 1)[0]
    >>> concordances(sums).round(4).tolist()
    [0.6667]
    """
    spread = spread_of(sums)
    varied = (spread.truth > 0) | (spread.predicted > 0)
    total = np.where(varied, spread.truth + spread.predicted + spread.shift**2, np.nan)
    return np.clip(2 * spread.both / total, -1.0, 1.0)


METRIC = Metric(
    name="ccc",
    title="CCC",
    description="the concordance correlation coefficient, over all held-out utterances pooled; of several dimensions "
    "the mean",
    sums=moments,
    value=MeanOverDimensions(concordances),
    predictions="dimensions",
    low=-1.0,
    jackknife=True,
    part="CCC",
    parts=concordances,
    chance=lambda outputs: 0.0,
    citation="L. I.-K. Lin: A Concordance Correlation Coefficient to Evaluate Reproducibility, Biometrics 45(1), 1989",
)
