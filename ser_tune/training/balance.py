"""Weights of training examples, by which corpora, classes and speakers of unequal numbers count alike."""

import numpy as np

from ..config import BalanceSettings

__all__ = ["example_weights"]


def example_weights(
    settings: BalanceSettings, *, corpora: np.ndarray | None, strata: np.ndarray, speakers: np.ndarray
) -> np.ndarray | None:
    """Weights of examples.

    Args:
        settings: Exponents.
        corpora: A number for each example's corpus, shape (N,), int64; None where there is one corpus.
        strata: A number for each example's stratum, such as its class, shape (N,), int64.
        speakers: A number for each example's speaker, shape (N,), int64.

    Returns:
        Shape (N,), float64, with mean 1; None where all are 1.

    >>> alike, corpora = np.zeros(4, int), np.array([0, 0, 0, 1])
    >>> weights = example_weights(BalanceSettings(corpora=1), corpora=corpora, strata=alike, speakers=alike)
    >>> [round(float(weight), 2) for weight in weights]
    [0.67, 0.67, 0.67, 2.0]
    """
    if settings.is_even:
        return None
    corpus = np.zeros(len(strata), dtype=np.int64) if corpora is None else corpora
    of_class = _joined(corpus, strata) if settings.classes else corpus
    weights = np.ones(len(strata))
    for group, within, exponent in (
        (_joined(of_class, speakers), of_class, settings.speakers),
        (of_class, corpus, settings.classes),
        (corpus, np.zeros_like(corpus), settings.corpora),
    ):
        if exponent:
            weights = _evened(weights, group, within, exponent)
    return None if np.all(weights == 1) else weights


def _joined(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """A number for each pair of numbers, shape (N,)."""
    numbers: np.ndarray = np.unique(np.stack([first, second], axis=1), axis=0, return_inverse=True)[1].reshape(-1)
    return numbers


def _evened(weights: np.ndarray, group: np.ndarray, within: np.ndarray, exponent: float) -> np.ndarray:
    """Weights (N,) where each group's total is that of before to the power of 1 - exponent, and `within` keep theirs.

    Args:
        weights: Of before.
        group: A number for each example's group, shape (N,).
        within: A number for each example's larger group, shape (N,).
        exponent: 0 to 1.
    """
    before = np.bincount(within, weights)
    changed = weights * np.bincount(group, weights)[group] ** -exponent
    after = np.bincount(within, changed)
    evened: np.ndarray = changed * (before / np.where(after > 0, after, 1))[within]
    return evened
