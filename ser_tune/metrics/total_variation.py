"""`total_variation`: mean total variation distance between the predicted and the true distributions."""

import numpy as np

from .base import Metric
from .divergences import mean_distance, shares, totals

__all__ = ["METRIC"]


def distances(truth: np.ndarray, predicted: np.ndarray, groups: np.ndarray, n_groups: int, _: int) -> np.ndarray:
    """Utterances and the sum of their total variation distances for each group, shape (G, 2).

    The distance is half the sum of the absolute differences: the share of the annotators who would have to change.

    Args:
        truth: Distributions, shape (N, K).
        predicted: Distributions, shape (N, K).
        groups: The number of each utterance's group, shape (N,).
        n_groups: G.

    >>> distances(np.array([[0.75, 0.25]]), np.array([[0.5, 0.5]]), np.array([0]), 1, 2).tolist()
    [[1.0, 0.25]]
    """
    return totals(np.abs(shares(truth) - shares(predicted)).sum(axis=1) / 2, groups, n_groups)


METRIC = Metric(
    name="total_variation",
    title="total variation",
    description="the mean total variation distance (0 is equal, 1 is nothing in common) between the predicted "
    "distribution over the {answer}s and the annotators'",
    sums=distances,
    value=mean_distance,
    predictions="distributions",
    higher_is_better=False,
    citation="D. Levin, Y. Peres, E. Wilmer: Markov Chains and Mixing Times, chapter 4, American Mathematical Society, "
    "2009",
)
