"""`rmse`: root mean squared error, mean over the dimensions, on the corpus's scale."""

import math

import numpy as np

from .base import Metric
from .dimensions import MeanOverDimensions
from .errors import error_sums, means_of

__all__ = ["METRIC"]


def root_mean_squared_errors(sums: np.ndarray) -> np.ndarray:
    """The root mean squared error of each dimension, shape (..., D); NaN without utterances.

    Args:
        sums: Utterances, absolute and squared errors of each dimension, shape (..., D, 3).

    Errors of 3 and 4, the root of 12.5:

    >>> truth, predicted = np.array([[0.0], [0.0]]), np.array([[3.0], [-4.0]])
    >>> root_mean_squared_errors(error_sums(truth, predicted, np.array([0, 0]), 1, 1)[0]).round(4).tolist()
    [3.5355]
    """
    # Where two systems are swapped, sums of an error of 0 are differences, which rounding can make negative
    root: np.ndarray = np.sqrt(np.maximum(means_of(sums, 2), 0.0))
    return root


METRIC = Metric(
    name="rmse",
    title="RMSE",
    description="the root mean squared error on the corpus's scale, over all held-out utterances pooled; of several "
    "dimensions the mean",
    sums=error_sums,
    value=MeanOverDimensions(root_mean_squared_errors),
    predictions="dimensions",
    higher_is_better=False,
    high=math.inf,
    scale="linear",
    part="RMSE",
    parts=root_mean_squared_errors,
    hub="rmse",
    citation="T. Chai, R. R. Draxler: Root Mean Square Error (RMSE) or Mean Absolute Error (MAE)?, Geoscientific Model "
    "Development 7(3), 2014",
)
