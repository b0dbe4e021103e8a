"""`pcc`: Pearson's correlation coefficient, mean over the dimensions."""

import numpy as np

from .base import Metric
from .dimensions import MeanOverDimensions
from .moments import moments, spread_of

__all__ = ["METRIC"]


def correlations(sums: np.ndarray) -> np.ndarray:
    """The correlation of each dimension: covariance / root of the product of both variances.

    Args:
        sums: Moments, shape (..., D, 5, 5).

    Returns:
        Shape (..., D); NaN where truth or prediction is constant.

    Truth 1, 2, 3 and prediction 1, 3, 2: covariance 1/3, both variances 2/3

    >>> truth, predicted = np.array([[1.0], [2.0], [3.0]]), np.array([[1.0], [3.0], [2.0]])
    >>> correlations(moments(truth, predicted, np.array([0, 0, 0]), 1, 1)[0]).round(4).tolist()
    [0.5]
    """
    spread = spread_of(sums)
    product = np.sqrt(spread.truth) * np.sqrt(spread.predicted)
    return np.clip(spread.both / np.where(product > 0, product, np.nan), -1.0, 1.0)


METRIC = Metric(
    name="pcc",
    title="PCC",
    description="Pearson's correlation coefficient, over all held-out utterances pooled; of several dimensions the "
    "mean",
    sums=moments,
    value=MeanOverDimensions(correlations),
    predictions="dimensions",
    low=-1.0,
    jackknife=True,
    part="PCC",
    parts=correlations,
    chance=lambda outputs: 0.0,
    hub="pearsonr",
    citation="K. Pearson: Note on Regression and Inheritance in the Case of Two Parents, Proceedings of the Royal "
    "Society of London 58, 1895",
)
