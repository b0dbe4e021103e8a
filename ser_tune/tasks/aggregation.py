"""Combination of the log probabilities of an utterance's segments."""

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from torch import Tensor

__all__ = ["AGGREGATIONS", "aggregate", "probabilities"]

AGGREGATIONS = ("mean_log_softmax", "mean_probability", "maximum", "confidence")


def aggregate(log_probabilities: np.ndarray, utterance: np.ndarray, how: str) -> np.ndarray:
    """Combine the segments of every utterance.

    Args:
        log_probabilities: Of segments, shape (S, K).
        utterance: Which utterance each segment belongs to, shape (S,), counted from 0 without gaps.
        how: `mean_log_softmax` or `mean_probability` (the product and the sum rule of Kittler et al. 1998, IEEE TPAMI
            20(3), 226-239), `maximum` (their max rule: the largest probability of each class), or `confidence` (mean
            probability, weighted by the softmax of negative entropies: parameter-free attention to the segments that
            are certain; after Misra et al. 2003, ICASSP, who weigh by inverse entropies).

    Returns:
        Log probabilities of utterances, shape (U, K), float32; each row's probabilities sum to 1.

    Raises:
        ValueError: There is no such way.
    """
    shape = (int(utterance.max()) + 1, log_probabilities.shape[1])
    if how == "mean_log_softmax":
        combined = _weighted_mean(log_probabilities, np.ones(len(utterance)), utterance, shape)
    elif how == "maximum":
        combined = np.full(shape, -np.inf)
        np.maximum.at(combined, utterance, log_probabilities)
    elif how in ("mean_probability", "confidence"):
        probabilities = np.exp(log_probabilities)
        # exp of negative entropies, from 1/K to 1, is their softmax but for its sum
        weight = np.exp(-_entropy(log_probabilities)) if how == "confidence" else np.ones(len(utterance))
        mean = _weighted_mean(probabilities, weight, utterance, shape)
        combined = np.log(np.maximum(mean, np.finfo(np.float64).tiny))
    else:
        raise ValueError(f"how is '{how}'; expected mean_log_softmax, mean_probability, maximum or confidence")
    with np.errstate(invalid="ignore"):  # NaN stays NaN, and training refuses it
        normalised: np.ndarray = combined - np.logaddexp.reduce(combined, axis=1, keepdims=True)
    return normalised.astype(np.float32)


def probabilities(log_probabilities: "Tensor", how: str) -> "Tensor":
    """Combine the segments of one utterance, as `aggregate` does, in operations that a graph can have.

    Args:
        log_probabilities: Of segments, shape (S, K).
        how: As in `aggregate`.

    Returns:
        Probabilities, shape (K,), float64.
    """
    import torch

    wide = log_probabilities.double()
    if how == "mean_log_softmax":
        combined = wide.mean(dim=0)
    elif how == "maximum":
        combined = wide.amax(dim=0)
    else:
        weight = torch.ones_like(wide[:, :1])
        if how == "confidence":
            weight = (wide.exp() * wide).sum(dim=1, keepdim=True).exp()
        combined = ((weight * wide.exp()).sum(dim=0) / weight.sum()).clamp(min=np.finfo(np.float64).tiny).log()
    return torch.softmax(combined, dim=0)


def _entropy(log_probabilities: np.ndarray) -> np.ndarray:
    """The entropy of each row, in nats, shape (S,); a class of probability 0 adds nothing."""
    certain = np.isneginf(log_probabilities)
    surprise = np.where(certain, 0, -log_probabilities)
    return (np.exp(log_probabilities) * surprise).sum(axis=1)  # type: ignore[no-any-return]


def _weighted_mean(values: np.ndarray, weight: np.ndarray, utterance: np.ndarray, shape: tuple[int, int]) -> np.ndarray:
    """The mean over every utterance's segments, shape (U, K)."""
    total = np.zeros(shape, dtype=np.float64)
    np.add.at(total, utterance, weight[:, None] * values)
    mean: np.ndarray = total / np.bincount(utterance, weights=weight)[:, None]
    return mean
