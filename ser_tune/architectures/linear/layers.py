"""Shares of an encoder's layers in their weighted sum, learned together with a linear map of it."""

from collections.abc import Callable, Iterator

import numpy as np
import torch
from scipy.optimize import minimize
from scipy.special import softmax

from .newton import LOSSES
from .targets import Supervision

__all__ = ["mixing", "weighted_layers"]

LAYER_ITERATIONS, LAYER_PROGRESS = 60, 1e-4
"""L-BFGS for shares of layers: iterations at most, and the relative progress of a step below which it ends. Shares need
no digits beyond the second, of which rounding leaves less: with EmoDB and ridge, sums in float32 and in float64 end
0.02 apart after these iterations. More iterations are no better: the penalty favours features of large variance, and a
sum of layers has less than a single layer. With Whisper base, the minimum of the loss on nine speakers of EmoDB (by
sequential quadratic programming over shares, with the best map of each) has layer 2 alone. The UAR of left-out speakers
is then 0.846, 0.892 and 0.912 instead of 0.899, 0.909 and 0.912 (ridge, penalties of 0.01, 0.1 and 1)."""


def weighted_layers(features: np.ndarray, supervision: Supervision, penalty: float) -> np.ndarray:
    """Shares of layers, shape (C,), learned together with a linear map of the weighted sum of features (N, C, F)."""
    count, layers, bands = features.shape
    examples = np.ascontiguousarray(features.transpose(1, 0, 2), dtype=np.float32).reshape(layers, -1)
    narrow, mixed = np.empty((count, bands), dtype=np.float32), np.empty((count, bands))  # filled again and again

    def loss(shares: np.ndarray, weights: np.ndarray) -> tuple[float, np.ndarray, np.ndarray]:
        np.matmul(shares.astype(np.float32), examples, out=narrow.reshape(-1))
        mixed[:] = narrow
        scores = mixed @ weights[:, :-1].T + weights[:, -1]
        total, slope = LOSSES[supervision.loss](scores, supervision.targets, supervision.weights)
        of_weights = np.column_stack([slope.T @ mixed, slope.sum(axis=0)])
        narrow[:] = np.matmul(slope, weights[:, :-1], out=mixed)
        return total, (examples @ narrow.reshape(-1)).astype(np.float64), of_weights

    return _learned(loss, layers, (supervision.targets.shape[1], bands + 1), penalty)


def mixing(
    blocks: Callable[[], Iterator[tuple[slice, torch.Tensor]]],
    shape: tuple[int, int],
    supervision: Supervision,
    penalty: float,
) -> np.ndarray:
    """Shares of layers, as `weighted_layers`, of features that are read in blocks.

    Args:
        blocks: Reads rows and their features (B, C, F), float32.
        shape: C and F.
        supervision: Targets and loss.
        penalty: The squared weights count half of it.
    """
    layers, bands = shape
    targets, counts = supervision.targets, supervision.weights

    def loss(shares: np.ndarray, weights: np.ndarray) -> tuple[float, np.ndarray, np.ndarray]:
        total, of_shares, of_weights = 0.0, np.zeros(layers), np.zeros_like(weights)
        for rows, features in blocks():
            mixed = torch.einsum("bcf,c->bf", features, torch.from_numpy(shares).to(features))
            narrow = torch.from_numpy(weights[:, :-1]).to(features)
            scores = (mixed @ narrow.T).double().cpu().numpy() + weights[:, -1]
            own, slope = LOSSES[supervision.loss](scores, targets[rows], counts[rows])
            sloped = torch.from_numpy(slope).to(features)
            total += own
            of_weights[:, :-1] += (sloped.T @ mixed).double().cpu().numpy()
            of_weights[:, -1] += slope.sum(axis=0)
            of_shares += torch.einsum("bcf,bf->c", features, sloped @ narrow).double().cpu().numpy()
        return total, of_shares, of_weights

    return _learned(loss, layers, (targets.shape[1], bands + 1), penalty)


def _learned(
    loss: Callable[[np.ndarray, np.ndarray], tuple[float, np.ndarray, np.ndarray]],
    layers: int,
    shape: tuple[int, int],
    penalty: float,
) -> np.ndarray:
    """The shares (C,) of `layers`, with weights of a shape, of which the least loss and penalty are.

    `loss` makes of shares and weights the loss, and its slopes by both.
    """

    def value(flat: np.ndarray) -> tuple[float, np.ndarray]:
        shares, weights = softmax(flat[:layers]), flat[layers:].reshape(shape)
        total, of_shares, of_weights = loss(shares, weights)
        of_logits = shares * (of_shares - shares @ of_shares)
        total += penalty / 2 * float(np.square(weights).sum())
        return total, np.concatenate([of_logits, (of_weights + penalty * weights).ravel()])

    start = np.zeros(layers + shape[0] * shape[1])
    options = {"maxiter": LAYER_ITERATIONS, "ftol": LAYER_PROGRESS}
    learned: np.ndarray = softmax(minimize(value, start, jac=True, method="L-BFGS-B", options=options).x[:layers])
    return learned
