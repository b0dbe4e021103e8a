"""Calibration of a linear map's scores on training speakers that were left out, by the kind of predictions."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
from scipy.optimize import minimize, minimize_scalar
from scipy.special import log_softmax, softmax

from .linear_targets import balanced
from .newton import binary_loss

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

    best = _bounded(surprise, np.zeros(scores.shape[1] + 1))
    found = float(np.exp(best[0]))
    return Calibration(temperature=found, shift=found * best[1:])


def sigmoids(scores: np.ndarray, values: np.ndarray) -> Calibration:
    """A gain and a shift for each label, with the least logistic loss at label sets (N, K).

    J. Platt: Probabilistic outputs for support vector machines, 1999, with his targets instead of 0 and 1, and the same
    total weight for examples with and without the label: at probability 0.5 both are as likely to be found.
    """
    found = np.array([_sigmoid(own_scores, own) for own_scores, own in zip(scores.T, values.T, strict=True)])
    return Calibration(gain=np.exp(found[:, 0]), shift=found[:, 1])


def _sigmoid(scores: np.ndarray, own: np.ndarray) -> np.ndarray:
    """The logarithm of the gain, and the shift, of the scores (N,) of a label that examples have or not."""
    having = np.count_nonzero(own)
    weights = balanced(own.astype(np.int64), 2) / len(own)
    hoped = np.where(own, (having + 1) / (having + 2), 1 / (len(own) - having + 2))

    def surprise(point: np.ndarray) -> tuple[float, np.ndarray]:
        scaled = scores * np.exp(point[0])
        logits = (scaled + point[1])[:, None]
        (yes, of_yes), (no, of_no) = (
            binary_loss(logits, np.full_like(logits, sign), weights * share)
            for sign, share in ((1.0, hoped), (-1.0, 1 - hoped))
        )
        slope = (of_yes + of_no)[:, 0]
        return yes + no, np.array([slope @ scaled, slope.sum()])

    return _bounded(surprise, np.zeros(2))


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


def _bounded(function: Callable[[np.ndarray], tuple[float, np.ndarray]], start: np.ndarray) -> np.ndarray:
    """The least point within the bounds, of a function with its slope."""
    found = minimize(function, start, jac=True, method="L-BFGS-B", bounds=[(-LARGEST, LARGEST)] * len(start))
    least: np.ndarray = found.x
    return least


CALIBRATIONS: Mapping[str, Callable[[np.ndarray, np.ndarray], Calibration]] = {
    "classes": temperature,
    "distributions": shifted_temperature,
    "label_scores": sigmoids,
    "dimensions": concordance,
}
"""By the kind of predictions."""
