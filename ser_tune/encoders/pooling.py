"""Hidden states of pieces of speech, brought to the host: all of chosen layers, or moments over time of every layer."""

from collections.abc import Iterable, Sequence

import numpy as np
import torch
from torch import Tensor

from .readers import Batch

__all__ = ["frames_of", "moments_of"]


def frames_of(batches: Iterable[Batch], layers: Sequence[int] | None) -> list[np.ndarray]:
    """States of each piece, (L, D, T), float16, of some layers or all."""
    found: dict[int, list[np.ndarray]] = {}
    for pieces, of_layers in batches:
        for number, states in enumerate(of_layers):
            if layers is None or number in layers:
                for piece, own in zip(pieces, states, strict=True):
                    found.setdefault(piece, []).append(own.T.half().cpu().numpy())
    return [np.stack(found[piece]) for piece in sorted(found)]


def moments_of(batches: Iterable[Batch]) -> list[np.ndarray]:
    """Frames, means and variances over time of each piece, (3, L, D), float64.

    They are computed on the device, in float32, variances from differences from the mean.
    """
    found: dict[int, np.ndarray] = {}
    with torch.inference_mode():
        for pieces, of_layers in batches:
            pooled = torch.stack([torch.stack([_moments(own) for own in states]) for states in of_layers], dim=2)
            found |= zip(pieces, pooled.cpu().double().numpy(), strict=True)
    return [found[piece] for piece in sorted(found)]


def _moments(states: Tensor) -> Tensor:
    """From (T, D) to the number of frames, their mean and their variance, (3, D)."""
    mean = states.mean(dim=0)
    return torch.stack([torch.full_like(mean, len(states)), mean, (states - mean).square_().mean(dim=0)])
