"""Weights of a linear probe of more examples than memory holds, from blocks of their features."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor

from ..base import Examples
from ..networks.linear_probe import averaged
from .compact import MOST, Compact
from .layers import mixing
from .streaming import Sketch, Stream, fit_stream
from .targets import Supervision

if TYPE_CHECKING:
    from ..networks.linear_probe import LinearProbe

__all__ = ["fit_large"]

READ, READ_BY_CARD = 2**24, 2**28
"""Bytes of a block: on a processor few enough for its cache, on a graphics card enough to keep it busy."""


@dataclass(frozen=True, slots=True)
class _Features:
    """Features of examples, averaged over frames."""

    examples: Examples

    @property
    def device(self) -> torch.device:
        return self.examples.labels.device

    def layers(self) -> Iterator[tuple[slice, Tensor]]:
        """Rows, and their features (B, C, F), float32."""
        for rows, inputs in self.examples.blocks(READ if self.device.type == "cpu" else READ_BY_CARD):
            yield rows, averaged(*inputs)

    def flat(self) -> Iterator[tuple[slice, Tensor]]:
        """Rows, and their features (B, C · F), of one layer after another."""
        for rows, features in self.layers():
            yield rows, features.flatten(start_dim=1)

    def mixed(self, shares: np.ndarray) -> Callable[[], Iterator[tuple[slice, Tensor]]]:
        """Read rows and the weighted sums (B, F) of their layers."""
        weights = torch.from_numpy(shares.astype(np.float32)).to(self.device)

        def blocks() -> Iterator[tuple[slice, Tensor]]:
            for rows, features in self.layers():
                yield rows, torch.einsum("bcf,c->bf", features, weights)

        return blocks

    def layer(self, number: int, bands: int) -> np.ndarray:
        """Features of a layer, shape (N, F)."""
        found = np.empty((len(self.examples), bands), dtype=np.float32)
        for rows, features in _Features(self.examples.channels([number])).layers():
            found[rows] = features[:, 0].cpu().numpy()
        return found


def fit_large(
    network: "LinearProbe", examples: Examples, aims: Supervision, penalty: float, groups: np.ndarray | None
) -> tuple[np.ndarray, np.ndarray | None]:
    """Solve a probe; shares of layers are learned first, and filled in.

    Args:
        network: Its channels are those that the examples have.
        examples: Their inputs are read again and again.
        aims: Targets, weights and loss.
        penalty: The squared weights count half of it.
        groups: A number for each example's group, shape (N,), or None.

    Returns:
        Weights of features and the bias, shape (K, D + 1); and the scores (N, K) of each example by weights that are
        solved without its group.
    """
    features, count = _Features(examples), len(examples)
    width, layers = network.classifier.in_features, len(network.channels)
    if network.weighted:
        shares = mixing(features.layers, (layers, width), aims, penalty)
        network.layer_weights.copy_(torch.from_numpy(shares))
        stream = Stream(features.mixed(shares), count, width)
        return _fitted(stream, Sketch.of(stream, features.device), aims, penalty, groups)
    shared, key = examples.results, (examples.source, tuple(network.channels))
    stream = Stream(features.flat, count, width)
    if count > min(MOST, width) or features.device.type != "cpu":
        sketch = shared.get((key, "sketch"), lambda: Sketch.of(stream, features.device))
        return _fitted(stream, sketch, aims, penalty, groups)
    bands = width // layers
    compact = shared.get(
        (key, "compact"), lambda: Compact.of((features.layer(number, bands) for number in range(layers)), count)
    )
    sketch = shared.get((key, "sketch"), lambda: Sketch.of(compact.stream, features.device))
    weights, scores = _fitted(compact.stream, sketch, aims, penalty, groups)
    of_examples = torch.from_numpy(compact.of_examples(weights[:, :-1]))
    found = stream.pulled(len(weights), lambda rows, _: of_examples.T[rows])
    return np.column_stack([found[:, :-1].numpy(), weights[:, -1]]), scores


def _fitted(
    stream: Stream, sketch: Sketch, aims: Supervision, penalty: float, groups: np.ndarray | None
) -> tuple[np.ndarray, np.ndarray | None]:
    weights, bias, scores = fit_stream(stream, sketch, aims, penalty, groups)
    return np.column_stack([weights, bias]), scores
