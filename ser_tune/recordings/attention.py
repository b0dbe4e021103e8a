"""Attention weights of a network over an utterance."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor, nn

if TYPE_CHECKING:
    from ..prediction import Prediction

__all__ = ["over_time", "recorded"]

POOLINGS = {"FrameAttention": lambda module: module, "AttentiveStatistics": lambda module: module.attention}
"""Layers of this program that pool positions by attention, by the name of their class: a registered model has its own
copy of the program, and so other classes."""


@contextmanager
def recorded(networks: Sequence[nn.Module]) -> Iterator[list[list[np.ndarray]]]:
    """Record what attention weighs while networks run.

    Yields:
        Of every pooling layer, the weights of each run: (B, T'), each row with the sum 1.
    """
    hooks = []
    weights: list[list[np.ndarray]] = []
    for network in networks:
        shapes: list[tuple[int, int]] = []
        for layer in network.modules():
            if (attention := POOLINGS.get(type(layer).__name__)) is None:
                hooks.append(layer.register_forward_hook(_keep_shape(shapes)))
            elif type(layer).__name__ != "FrameAttention" or not _is_inside(layer, network):
                weights.append([])
                hooks.append(layer.register_forward_hook(_keep_weights(attention(layer), weights[-1], shapes)))
    try:
        yield weights
    finally:
        for hook in hooks:
            hook.remove()


def _is_inside(layer: nn.Module, network: nn.Module) -> bool:
    """Whether attention is a part of attentive statistics, which ask for its weights and do not run it."""
    return any(
        type(other).__name__ == "AttentiveStatistics" and layer in other.children() for other in network.modules()
    )


def _keep_shape(shapes: list[tuple[int, int]]) -> Any:  # noqa: ANN401 - a hook
    def keep(_layer: nn.Module, _given: Any, maps: Any) -> None:  # noqa: ANN401 - of any layer
        if isinstance(maps, Tensor) and maps.dim() == 4:
            shapes[:] = [(maps.shape[2], maps.shape[3])]

    return keep


def _keep_weights(attention: Any, weights: list[np.ndarray], shapes: list[tuple[int, int]]) -> Any:  # noqa: ANN401
    @torch.no_grad()
    def keep(_layer: nn.Module, given: Any, _pooled: Any) -> None:  # noqa: ANN401 - of any layer
        found = attention.weights(*given)[:, :, 0].float().cpu().numpy()
        bands, steps = shapes[-1] if shapes else (1, found.shape[1])
        if bands * steps == found.shape[1]:  # all positions of maps: summed over bands
            found = found.reshape(len(found), bands, steps).sum(axis=1)
        weights.append(found)

    return keep


def over_time(
    weights: Sequence[Sequence[np.ndarray]], prediction: "Prediction", segment_s: float | None, grid_s: np.ndarray
) -> np.ndarray | None:
    """Attention of one utterance, averaged over networks and segments.

    Args:
        weights: What `recorded` yielded.
        prediction: The utterance's.
        segment_s: Length of every segment, padding included; None where utterances are whole.
        grid_s: Times, shape (G,).

    Returns:
        Shape (G,): 1 is what even attention would weigh, NaN where there is no segment. None without any attention.
    """
    if not any(weights):
        return None
    total, count = np.zeros(len(grid_s)), np.zeros(len(grid_s))
    for runs in filter(None, weights):
        rows = [row for run in runs for row in run][-len(prediction.segments) :]  # adaptation ran them before
        for segment, row in zip(prediction.segments, rows, strict=True):
            length_s = segment_s or segment.end_s - segment.start_s
            place = ((grid_s - segment.start_s) / length_s * len(row)).astype(int)
            inside = (grid_s >= segment.start_s) & (grid_s < segment.end_s) & (place < len(row))
            total[inside] += row[place[inside]] * len(row)
            count[inside] += 1
    mean: np.ndarray = np.divide(total, count, out=np.full(len(grid_s), np.nan), where=count > 0)
    return mean
