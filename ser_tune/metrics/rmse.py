"""`rmse`: root mean squared error, mean over the dimensions, on the corpus's scale."""

import math

import numpy as np

from .base import Metric
from .errors import error_sums, root_mean_squared_errors

__all__ = ["METRIC"]


def root_mean_squared_error(sums: np.ndarray) -> np.ndarray:
    """The mean over the dimensions of their root mean squared errors, shape (...).

    Args:
        sums: Utterances, absolute and squared errors of each dimension, shape (..., D, 3).

    Errors of 3 and 4, the root of 12.5:

    >>> truth, predicted = np.array([[0.0], [0.0]]), np.array([[3.0], [-4.0]])
    >>> round(float(root_mean_squared_error(error_sums(truth, predicted, np.array([0, 0]), 1, 1)[0])), 4)
    3.5355
    """
    mean: np.ndarray = root_mean_squared_errors(sums).mean(axis=-1)
    return mean


METRIC = Metric(
    name="rmse",
    title="RMSE",
    description="the root mean squared error on the corpus's scale, over all held-out utterances pooled; of several "
    "dimensions the mean",
    sums=error_sums,
    value=root_mean_squared_error,
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
