"""`kl`: mean Kullback-Leibler divergence of the predicted from the true distributions, in nats, smoothed."""

import math

import numpy as np

from .base import Metric
from .divergences import mean_distance, relative_entropies, shares, totals

__all__ = ["METRIC"]

SMOOTHING = 0.001
"""The weight of the uniform distribution with which truth and prediction are mixed: a class with a probability of 0
would make the divergence infinite."""


def divergences(truth: np.ndarray, predicted: np.ndarray, groups: np.ndarray, n_groups: int, _: int) -> np.ndarray:
    """Utterances and the sum of their divergences KL(truth || prediction) for each group, shape (G, 2).

    Args:
        truth: Distributions, shape (N, K).
        predicted: Distributions, shape (N, K).
        groups: The number of each utterance's group, shape (N,).
        n_groups: G.

    Annotators who agree, and a prediction without an answer: ln 2, less the smoothing.

    >>> sums = divergences(np.array([[1.0, 0.0]]), np.array([[0.5, 0.5]]), np.array([0]), 1, 2)
    >>> sums.round(4).tolist()
    [[1.0, 0.6888]]
    """
    p, q = (SMOOTHING / side.shape[1] + (1 - SMOOTHING) * shares(side) for side in (truth, predicted))
    return totals(np.maximum(relative_entropies(p, q), 0.0), groups, n_groups)


METRIC = Metric(
    name="kl",
    title="KL",
    description="the mean Kullback-Leibler divergence in nats, of the predicted distribution over the {answer}s from "
    f"the annotators', both mixed with {SMOOTHING} of the uniform distribution",
    sums=divergences,
    value=mean_distance,
    predictions="distributions",
    higher_is_better=False,
    high=math.inf,
    scale="linear",
    citation="S. Kullback, R. Leibler: On Information and Sufficiency, Annals of Mathematical Statistics 22(1), 1951",
)
