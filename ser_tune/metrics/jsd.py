"""`jsd`: mean Jensen-Shannon divergence of the predicted from the true distributions, in bits."""

import math

import numpy as np

from .base import Metric
from .divergences import mean_distance, relative_entropies, shares, totals

__all__ = ["METRIC"]


def divergences(truth: np.ndarray, predicted: np.ndarray, groups: np.ndarray, n_groups: int, _: int) -> np.ndarray:
    """Utterances and the sum of their Jensen-Shannon divergences for each group, shape (G, 2).

    The divergence is the mean of the relative entropies, base 2, of truth and prediction to their mean.

    Args:
        truth: Distributions, shape (N, K).
        predicted: Distributions, shape (N, K).
        groups: The number of each utterance's group, shape (N,).
        n_groups: G.

    Distributions without a common class are 1 bit apart:

    >>> divergences(np.array([[1.0, 0.0]]), np.array([[0.0, 1.0]]), np.array([0]), 1, 2).tolist()
    [[1.0, 1.0]]
    """
    p, q = shares(truth), shares(predicted)
    middle = (p + q) / 2
    bits = (relative_entropies(p, middle) + relative_entropies(q, middle)) / (2 * math.log(2))
    return totals(np.clip(bits, 0.0, 1.0), groups, n_groups)


METRIC = Metric(
    name="jsd",
    title="JSD",
    description="the mean Jensen-Shannon divergence (base 2: 0 is equal, 1 is nothing in common) of the predicted "
    "distribution over the {answer}s from the annotators'",
    sums=divergences,
    value=mean_distance,
    predictions="distributions",
    higher_is_better=False,
    citation="J. Lin: Divergence Measures Based on the Shannon Entropy, IEEE Transactions on Information Theory 37(1), "
    "1991",
)
