"""Calibration of a linear map's scores on training speakers that were left out, by the kind of predictions."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
from scipy.optimize import minimize, minimize_scalar
from scipy.special import log_softmax, softmax

from .newton import binary_loss
from .targets import balanced, signs_of

__all__ = ["Calibration", "calibrated"]

LARGEST = 7.0
"""Bound of logarithms of factors, and of shifts of logits: left-out speakers may be told apart without an error."""


@dataclass(frozen=True, slots=True)
class Calibration:
    """Changes of scores s to raw outputs (gain · s + shift) / temperature."""

    temperature: float = 1.0
    gain: np.ndarray | float = 1.0
    """A positive factor for each output, shape (K,)."""
    shift: np.ndarray | float = 0.0
    """Shape (K,)."""


def calibrated(kind: str, scores: np.ndarray, values: np.ndarray) -> Calibration:
    """The calibration that fits left-out speakers best, for a kind of predictions.

    Args:
        kind: The kind of predictions.
        scores: Scores of examples whose speakers were left out, shape (N, K).
        values: The task's values of these examples, shape (N, ...), in the unit of the scores.
    """
    return CALIBRATIONS[kind](scores, values)


def temperature(scores: np.ndarray, labels: np.ndarray) -> Calibration:
    """The temperature with the least mean surprise at classes (N,)."""

    def surprise(log_temperature: float) -> float:
        chances = log_softmax(scores / np.exp(log_temperature), axis=1)
        return -float(chances[np.arange(len(scores)), labels].mean())

    best = minimize_scalar(surprise, bounds=(-LARGEST, LARGEST), method="bounded").x
    return Calibration(temperature=float(np.exp(best)))


def shifted_temperature(scores: np.ndarray, shares: np.ndarray) -> Calibration:
    """The temperature, and shifts of the logits, with the least mean cross-entropy with shares (N, K).

    A. Alexandari, A. Kundaje, A. Shrikumar: Maximum likelihood with bias-corrected calibration, ICML 2020,
    arXiv 1901.06852.
    """

    def surprise(point: np.ndarray) -> tuple[float, np.ndarray]:
        scaled = scores * np.exp(-point[0])
        logits = scaled + point[1:]
        missed = (softmax(logits, axis=1) - shares) / len(scores)
        slope = np.concatenate([[-(missed * scaled).sum()], missed.sum(axis=0)])
        return -float((shares * log_softmax(logits, axis=1)).sum()) / len(scores), slope

    start, bounds = np.zeros(scores.shape[1] + 1), [(-LARGEST, LARGEST)] * (scores.shape[1] + 1)
    best = minimize(surprise, start, jac=True, method="L-BFGS-B", bounds=bounds).x
    found = float(np.exp(best[0]))
    return Calibration(temperature=found, shift=found * best[1:])


def temperature_of_labels(scores: np.ndarray, values: np.ndarray) -> Calibration:
    """The temperature with the least mean surprise at label sets (N, K).

    Examples with and without a label have the same total weight, and no shift moves the decision between them.
    """
    weights = np.column_stack([balanced(own.astype(np.int64), 2) for own in values.T])
    signs = signs_of(values)

    def surprise(log_temperature: float) -> float:
        return binary_loss(scores / np.exp(log_temperature), signs, weights)[0]

    best = minimize_scalar(surprise, bounds=(-LARGEST, LARGEST), method="bounded").x
    return Calibration(temperature=float(np.exp(best)))


def concordance(predicted: np.ndarray, values: np.ndarray) -> Calibration:
    """The gain and shift of each dimension with the largest concordance correlation (Lin 1989) with values (N, D).

    2 a cov / (var_t + a² var_p + (mean_t - a mean_p - b)²) is largest where the mean and the deviation of the
    predictions are those of the values: b = mean_t - a mean_p, then a = sqrt(var_t / var_p). A squared error makes
    predictions vary less. A dimension that left-out speakers do not follow keeps its gain.
    """
    means, means_of_values = predicted.mean(axis=0), values.mean(axis=0)
    follows = ((predicted - means) * (values - means_of_values)).mean(axis=0) > 0
    gain = np.sqrt(values.var(axis=0) / np.where(follows, predicted.var(axis=0), 1.0))
    gain = np.where(follows, gain, 1.0)
    return Calibration(gain=gain, shift=means_of_values - gain * means)


CALIBRATIONS: Mapping[str, Callable[[np.ndarray, np.ndarray], Calibration]] = {
    "classes": temperature,
    "distributions": shifted_temperature,
    "label_scores": temperature_of_labels,
    "dimensions": concordance,
}
"""By the kind of predictions."""
