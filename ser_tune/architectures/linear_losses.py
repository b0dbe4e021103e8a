"""Losses of linear classifiers, each with its slope: squares, squared hinge, multinomial logistic."""

from collections.abc import Callable, Mapping
from typing import TypeAlias

import numpy as np
from scipy.special import log_softmax, softmax

__all__ = ["LOSSES", "Loss", "logistic", "signs_of", "squared_hinge", "squares"]

Loss: TypeAlias = Callable[[np.ndarray, np.ndarray, np.ndarray], tuple[float, np.ndarray]]
"""From scores (N, K), labels (N,) and what each example counts (N,) to the loss, and its slope by the scores (N, K)."""


def signs_of(labels: np.ndarray, n_classes: int) -> np.ndarray:
    """1 for the own class and -1 for the others, shape (N, K), of labels of shape (N,)."""
    return np.where(labels[:, None] == np.arange(n_classes), 1.0, -1.0)


def squares(scores: np.ndarray, labels: np.ndarray, counts: np.ndarray) -> tuple[float, np.ndarray]:
    """Half the squared distance of scores to 1 and -1; as `Loss`."""
    missed = scores - signs_of(labels, scores.shape[1])
    return float((counts @ np.square(missed)).sum()) / 2, counts[:, None] * missed


def squared_hinge(scores: np.ndarray, labels: np.ndarray, counts: np.ndarray) -> tuple[float, np.ndarray]:
    """Squared hinge loss of one class against the rest; as `Loss`."""
    signs = signs_of(labels, scores.shape[1])
    short = np.maximum(1 - signs * scores, 0)
    return float((counts @ np.square(short)).sum()), -2 * counts[:, None] * signs * short


def logistic(scores: np.ndarray, labels: np.ndarray, counts: np.ndarray) -> tuple[float, np.ndarray]:
    """Multinomial logistic loss; as `Loss`."""
    each = np.arange(len(labels))
    slope = softmax(scores, axis=1)
    slope[each, labels] -= 1
    return -float(counts @ log_softmax(scores, axis=1)[each, labels]), counts[:, None] * slope


LOSSES: Mapping[str, Loss] = {"ridge": squares, "squared_hinge": squared_hinge, "logistic": logistic}
"""By the setting `model.objective`."""
