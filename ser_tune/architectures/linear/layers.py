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
0.02 apart after these iterations."""


def weighted_layers(features: np.ndarray, supervision: Supervision, penalty: float) -> np.ndarray:
    """Shares of layers, shape (C,), learned together with a linear map of the weighted sum of features (N, C, F)."""
    layers, bands = features.shape[1:]
    outputs, loss = supervision.targets.shape[1], LOSSES[supervision.loss]
    examples = np.ascontiguousarray(features.transpose(1, 0, 2), dtype=np.float32).reshape(layers, -1)

    def value(flat: np.ndarray) -> tuple[float, np.ndarray]:
        shares, now = softmax(flat[:layers]), flat[layers:].reshape(outputs, bands + 1)
        mixed = (shares.astype(np.float32) @ examples).reshape(-1, bands)
        total, slope = loss(mixed @ now[:, :-1].T + now[:, -1], supervision.targets, supervision.weights)
        gradient = np.column_stack([slope.T @ mixed, slope.sum(axis=0)]) + penalty * now
        of_shares = (examples @ (slope @ now[:, :-1]).astype(np.float32).ravel()).astype(np.float64)
        of_logits = shares * (of_shares - shares @ of_shares)
        total += penalty / 2 * float(np.square(now).sum())
        return total, np.concatenate([of_logits, gradient.ravel()])

    start = np.zeros(layers + outputs * (bands + 1))
    options = {"maxiter": LAYER_ITERATIONS, "ftol": LAYER_PROGRESS}
    result = minimize(value, start, jac=True, method="L-BFGS-B", options=options)
    learned: np.ndarray = softmax(result.x[:layers])
    return learned


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
    targets, weights, loss = supervision.targets, supervision.weights, LOSSES[supervision.loss]

    def value(flat: np.ndarray) -> tuple[float, np.ndarray]:
        shares, now = softmax(flat[:layers]), flat[layers:].reshape(targets.shape[1], bands + 1)
        total, of_weights, of_shares = penalty / 2 * float(np.square(now).sum()), penalty * now, np.zeros(layers)
        for rows, features in blocks():
            of_layers = torch.from_numpy(shares).to(features)
            mixed = torch.einsum("bcf,c->bf", features, of_layers)
            narrow = torch.from_numpy(now[:, :-1]).to(features)
            scores = (mixed @ narrow.T).double().cpu().numpy() + now[:, -1]
            own, slope = loss(scores, targets[rows], weights[rows])
            sloped = torch.from_numpy(slope).to(features)
            total += own
            of_weights[:, :-1] += (sloped.T @ mixed).double().cpu().numpy()
            of_weights[:, -1] += slope.sum(axis=0)
            of_shares += torch.einsum("bcf,bf->c", features, sloped @ narrow).double().cpu().numpy()
        of_logits = shares * (of_shares - shares @ of_shares)
        return total, np.concatenate([of_logits, of_weights.ravel()])

    start = np.zeros(layers + targets.shape[1] * (bands + 1))
    options = {"maxiter": LAYER_ITERATIONS, "ftol": LAYER_PROGRESS}
    learned: np.ndarray = softmax(minimize(value, start, jac=True, method="L-BFGS-B", options=options).x[:layers])
    return learned
