"""`mae`: mean absolute error, mean over the dimensions, on the corpus's scale."""

import math

import numpy as np

from .base import Metric
from .errors import error_sums, mean_absolute_errors

__all__ = ["METRIC"]


def mean_absolute_error(sums: np.ndarray) -> np.ndarray:
    """The mean over the dimensions, shape (...).

    Args:
        sums: Utterances, absolute and squared errors of each dimension, shape (..., D, 3).

    Errors of 0.5 and 2:

    >>> truth, predicted = np.array([[1.0], [2.0]]), np.array([[1.5], [0.0]])
    >>> float(mean_absolute_error(error_sums(truth, predicted, np.array([0, 0]), 1, 1)[0]))
    1.25
    """
    mean: np.ndarray = mean_absolute_errors(sums).mean(axis=-1)
    return mean


METRIC = Metric(
    name="mae",
    title="MAE",
    description="the mean absolute error on the corpus's scale, over all held-out utterances pooled; of several "
    "dimensions the mean",
    sums=error_sums,
    value=mean_absolute_error,
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
