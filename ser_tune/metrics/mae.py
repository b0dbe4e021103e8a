"""`mae`: mean absolute error, mean over the dimensions, on the corpus's scale."""

import math

import numpy as np

from .base import Metric
from .dimensions import MeanOverDimensions
from .errors import error_sums, means_of

__all__ = ["METRIC"]


def mean_absolute_errors(sums: np.ndarray) -> np.ndarray:
    """The mean absolute error of each dimension, shape (..., D); NaN without utterances.

    Args:
        sums: Utterances, absolute and squared errors of each dimension, shape (..., D, 3).

    Errors of 0.5 and 2:

    >>> truth, predicted = np.array([[1.0], [2.0]]), np.array([[1.5], [0.0]])
    >>> mean_absolute_errors(error_sums(truth, predicted, np.array([0, 0]), 1, 1)[0]).tolist()
    [1.25]
    """
    return means_of(sums, 1)


METRIC = Metric(
    name="mae",
    title="MAE",
    description="the mean absolute error on the corpus's scale, over all held-out utterances pooled; of several "
    "dimensions the mean",
    sums=error_sums,
    value=MeanOverDimensions(mean_absolute_errors),
    predictions="dimensions",
    higher_is_better=False,
    high=math.inf,
    scale="linear",
    part="MAE",
    parts=mean_absolute_errors,
    hub="mae",
    citation="C. J. Willmott, K. Matsuura: Advantages of the Mean Absolute Error (MAE) over the Root Mean Square Error "
    "(RMSE) in Assessing Average Model Performance, Climate Research 30, 2005",
)
