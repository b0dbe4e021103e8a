"""Calibration of probabilities: expected calibration error, temperature, accuracy by coverage."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

__all__ = [
    "Coverage",
    "Reliability",
    "accuracy_by_coverage",
    "fit_temperature",
    "reliability",
    "share_reliability",
    "with_temperature",
]

BINS = 10
COVERAGES = (1.0, 0.9, 0.8, 0.7, 0.6, 0.5, 0.4, 0.3, 0.2, 0.1)
LOWEST_TEMPERATURE, HIGHEST_TEMPERATURE = 0.05, 20.0


@dataclass(frozen=True, slots=True)
class Reliability:
    """Accuracy by confidence, in bins of equal width; bins without utterances are left out."""

    count: np.ndarray
    """Utterances, or shares, of each bin, shape (B,)."""
    confidence: np.ndarray
    """Mean probability of the predicted class, shape (B,)."""
    accuracy: np.ndarray
    """Share of right predictions, shape (B,)."""

    @property
    def ece(self) -> float:
        """Expected calibration error: the mean distance of accuracy and confidence, weighted by the bins' counts."""
        return float(np.average(np.abs(self.accuracy - self.confidence), weights=self.count))


@dataclass(frozen=True, slots=True)
class Coverage:
    """Accuracy where the least confident utterances are left undecided."""

    coverage: float
    """Share of the utterances that are decided."""
    accuracy: float
    confidence: float
    """The lowest among the decided utterances."""


def reliability(
    probabilities: np.ndarray, truth: np.ndarray, *, predicted: np.ndarray | None = None, bins: int = BINS
) -> Reliability:
    """Compare confidence with accuracy (C. Guo et al., ICML 2017, arXiv 1706.04599).

    Args:
        probabilities: Shape (N, K), N ≥ 1; rows sum to 1.
        truth: Class numbers, shape (N,).
        predicted: Class numbers, shape (N,); None are the most probable classes.
        bins: Of equal width between 0 and 1; a bin has its upper end.

    Two utterances at 0.8, one right, and one at 0.6, right: ECE = 2/3 · 0.3 + 1/3 · 0.4

    >>> found = reliability(np.array([[0.8, 0.2], [0.2, 0.8], [0.6, 0.4]]), np.array([0, 0, 0]))
    >>> round(found.ece, 4)
    0.3333
    """
    return _binned(*_judged(probabilities, truth, predicted), bins)


def share_reliability(predicted: np.ndarray, truth: np.ndarray, *, bins: int = BINS) -> Reliability:
    """Compare predicted shares with true ones: bins count shares, and their accuracy is the mean true share.

    Args:
        predicted: Shares of N utterances and K outputs, shape (N, K), N ≥ 1; rows sum to 1.
        truth: Likewise, such as shares of votes.
        bins: Of equal width between 0 and 1; a bin has its upper end.

    Two shares of 0.5 that are 1 and 0, and on average right; 0.8 and 0.2 that are 0.9 and 0.1:

    >>> found = share_reliability(np.array([[0.5, 0.5], [0.8, 0.2]]), np.array([[1.0, 0.0], [0.9, 0.1]]))
    >>> found.confidence.round(4).tolist(), found.accuracy.round(4).tolist(), round(found.ece, 4)
    ([0.2, 0.5, 0.8], [0.1, 0.5, 0.9], 0.05)
    """
    return _binned(predicted.ravel(), truth.ravel(), bins)


def with_temperature(log_probabilities: np.ndarray, temperature: float) -> np.ndarray:
    """Probabilities of which the logarithms are divided by a temperature, shape (N, K).

    >>> with_temperature(np.log([[0.8, 0.2]]), 0.5).round(4).tolist()
    [[0.9412, 0.0588]]
    """
    from scipy.special import softmax

    probabilities: np.ndarray = softmax(np.asarray(log_probabilities, dtype=np.float64) / temperature, axis=1)
    return probabilities


def fit_temperature(log_probabilities: np.ndarray, truth: np.ndarray) -> float:
    """The temperature with the lowest mean negative log likelihood (Guo et al. 2017), between 0.05 and 20.

    Args:
        log_probabilities: Shape (N, K), N ≥ 1.
        truth: Class numbers, shape (N,).

    Three of four right at a probability of 0.9: the best probability is 0.75, so T = log 9 / log 3 = 2

    >>> round(fit_temperature(np.log([[0.9, 0.1]] * 4), np.array([0, 0, 0, 1])), 3)
    2.0
    """
    from scipy.optimize import minimize_scalar

    def loss(log_temperature: float) -> float:
        probabilities = with_temperature(log_probabilities, math.exp(log_temperature))
        own = probabilities[np.arange(len(truth)), truth]
        return float(-np.log(np.maximum(own, 1e-300)).mean())

    bounds = (math.log(LOWEST_TEMPERATURE), math.log(HIGHEST_TEMPERATURE))
    return math.exp(minimize_scalar(loss, bounds=bounds, method="bounded", options={"xatol": 1e-6}).x)


def accuracy_by_coverage(
    probabilities: np.ndarray,
    truth: np.ndarray,
    coverages: Sequence[float] = COVERAGES,
    *,
    predicted: np.ndarray | None = None,
) -> tuple[Coverage, ...]:
    """Accuracy of the most confident utterances.

    Args:
        probabilities: Shape (N, K), N ≥ 1.
        truth: Class numbers, shape (N,).
        coverages: Shares of the utterances, each more than 0; rounded up to whole utterances.
        predicted: Class numbers, shape (N,); None are the most probable classes.

    >>> probabilities, truth = np.array([[0.9, 0.1], [0.4, 0.6]]), np.array([0, 0])
    >>> [(found.coverage, found.accuracy) for found in accuracy_by_coverage(probabilities, truth, [1.0, 0.5])]
    [(1.0, 0.5), (0.5, 1.0)]
    """
    confidence, right = _judged(probabilities, truth, predicted)
    order = np.argsort(-confidence, kind="stable")
    found = []
    for share in coverages:
        decided = order[: math.ceil(round(share * len(truth), 6))]
        found.append(Coverage(share, float(right[decided].mean()), float(confidence[decided].min())))
    return tuple(found)


def _binned(confidence: np.ndarray, right: np.ndarray, bins: int) -> Reliability:
    """Means in bins of confidence (N,), and of how right it was (N,)."""
    # Rounded, so that 0.8 of a float32 is not in the bin above
    bin_of = np.clip(np.ceil(np.round(confidence * bins, 6)).astype(int) - 1, 0, bins - 1)
    count = np.bincount(bin_of, minlength=bins)
    used = count > 0
    return Reliability(
        count=count[used],
        confidence=np.bincount(bin_of, confidence, minlength=bins)[used] / count[used],
        accuracy=np.bincount(bin_of, right, minlength=bins)[used] / count[used],
    )


def _judged(
    probabilities: np.ndarray, truth: np.ndarray, predicted: np.ndarray | None
) -> tuple[np.ndarray, np.ndarray]:
    """The probability of the predicted class, and whether it is right, each of shape (N,)."""
    named = probabilities.argmax(axis=1) if predicted is None else predicted
    return probabilities[np.arange(len(truth)), named], named == truth
