"""`map`: mean average precision over the classes."""

import math

import numpy as np

from .base import Metric
from .defined import mean_of_defined

__all__ = ["METRIC"]

STEPS = 1000
"""Scores are rounded to a thousandth, so that the counts by score are sums."""


def by_score(truth: np.ndarray, predicted: np.ndarray, groups: np.ndarray, n_groups: int, outputs: int) -> np.ndarray:
    """Utterances with and without each class by their rounded score, for each group.

    Args:
        truth: Whether an utterance has a class, shape (N, K).
        predicted: Scores from 0 to 1, shape (N, K).
        groups: The number of each utterance's group, shape (N,).
        n_groups: G.
        outputs: K.

    Returns:
        Counts, shape (G, K, 1001, 2), int64: the highest score first; with the class, then without.

    >>> counts = by_score(np.array([[True], [False]]), np.array([[0.9994], [0.25]]), np.array([0, 0]), 1, 1)
    >>> counts[0, 0, 1].tolist(), counts[0, 0, 750].tolist()
    ([1, 0], [0, 1])
    """
    places = STEPS - np.clip(np.rint(predicted * STEPS), 0, STEPS).astype(np.int64)
    without = 1 - np.asarray(truth, dtype=bool).astype(np.int64)
    shape = (n_groups, outputs, STEPS + 1, 2)
    cells = np.ravel_multi_index((groups[:, np.newaxis], np.arange(outputs), places, without), shape)
    return np.bincount(cells.ravel(), minlength=math.prod(shape)).reshape(shape)


def condensed(sums: np.ndarray) -> np.ndarray:
    """Counts by score without the scores at which nothing is found.

    Precision counts at scores of utterances with the class. Those without it count at the next such score.

    Args:
        sums: Counts by score of some groups, shape (G, K, scores, 2).

    Returns:
        Shape (G, K, fewer scores, 2).

    >>> counts = condensed(np.array([[[[0, 1], [1, 0], [0, 2], [0, 3], [1, 0], [0, 4]]]]))
    >>> counts.tolist()
    [[[[1, 1], [1, 5], [0, 4]]]]
    """
    finds = sums[..., 0].any(axis=0)  # (K, scores)
    places = finds.cumsum(axis=-1) - finds
    fewer = np.zeros((*sums.shape[:2], int(places.max(initial=0)) + 1, 2), dtype=sums.dtype)
    for output, own in enumerate(places):
        starts = np.flatnonzero(np.diff(own, prepend=-1))
        fewer[:, output, : len(starts)] = np.add.reduceat(sums[:, output], starts, axis=1)
    return fewer


def average_precisions(sums: np.ndarray) -> np.ndarray:
    """The average precision of every class: the sum over the scores of precision times the gain of recall.

    Utterances of equal scores count together.

    Args:
        sums: Counts by score, the highest first, shape (..., K, scores, 2).

    Returns:
        Shape (..., K); NaN where no utterance has the class.

    Highest score right, the next wrong, the third right: 1 · 1/2 + 2/3 · 1/2

    >>> average_precisions(np.array([[[1, 0], [0, 1], [1, 0]]])).round(4).tolist()
    [0.8333]
    """
    right = sums[..., 0]
    found = right.cumsum(axis=-1)
    named = (right + sums[..., 1]).cumsum(axis=-1)
    gains = np.einsum("...s,...s->...", right, found / np.maximum(named, 1e-300))
    total = found[..., -1]
    precision: np.ndarray = np.where(total > 0, gains / np.where(total > 0, total, 1), np.nan)
    return precision


def mean_average_precision(sums: np.ndarray) -> np.ndarray:
    """The mean over the classes of the truth; NaN where it has none.

    Args:
        sums: Counts by score, the highest first, shape (..., K, scores, 2).

    >>> round(float(mean_average_precision(np.array([[[1, 0], [0, 1], [1, 0]], [[0, 1], [0, 1], [0, 1]]]))), 4)
    0.8333
    """
    return mean_of_defined(average_precisions(sums))


METRIC = Metric(
    name="map",
    title="mAP",
    description="the mean over the {answer}s that occur in the truth of the average precision, of scores rounded to "
    "0.001, over all held-out utterances pooled",
    sums=by_score,
    value=mean_average_precision,
    predictions="label_scores",
    part="average precision",
    parts=average_precisions,
    condensed=condensed,
    citation="C. Buckley, E. Voorhees: Evaluating Evaluation Measure Stability, SIGIR 2000",
)
