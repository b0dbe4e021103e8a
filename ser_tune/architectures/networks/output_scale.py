"""The scale of a network's outputs: units of the targets, and thresholds of decisions.

It is three buffers and a hook of the network itself. As a module it would be a layer of an `nn.Sequential`.
"""

import numpy as np
import torch
from torch import Tensor, nn

__all__ = ["scale_of", "scale_outputs", "set_scale", "set_threshold", "threshold_of"]

SHIFT, SPREAD, THRESHOLD = "output_shift", "output_spread", "output_threshold"


def scale_outputs(network: nn.Module, outputs: int) -> None:
    """Attach a scale, which changes nothing yet, to a network of K outputs; every call of the network applies it.

    The last layer's outputs (B, K) become raw outputs, float32: multiplied by the spread, moved by the shift; in
    evaluation mode the thresholds are subtracted.
    """
    network.register_buffer(SHIFT, torch.zeros(outputs))
    network.register_buffer(SPREAD, torch.ones(outputs))
    network.register_buffer(THRESHOLD, torch.zeros(outputs))
    network.register_forward_hook(_scaled)


def _scaled(network: nn.Module, _: object, last: Tensor) -> Tensor:
    scaled = last.float() * network.get_buffer(SPREAD) + network.get_buffer(SHIFT)
    return scaled if network.training else scaled - network.get_buffer(THRESHOLD)


def scale_of(network: nn.Module) -> tuple[Tensor, Tensor] | None:
    """Shift and spread, each (K,); None where the network has no scale."""
    return (network.get_buffer(SHIFT), network.get_buffer(SPREAD)) if hasattr(network, SHIFT) else None


def set_scale(network: nn.Module, shift: np.ndarray, spread: np.ndarray) -> None:
    """Set units of a network: its last layer's 0 becomes `shift`, and 1 becomes `shift + spread`, each (K,)."""
    network.get_buffer(SHIFT).copy_(torch.from_numpy(shift))
    network.get_buffer(SPREAD).copy_(torch.from_numpy(spread))


def set_threshold(network: nn.Module, threshold: np.ndarray) -> None:
    """Set the outputs, shape (K,), that become 0 in evaluation mode."""
    network.get_buffer(THRESHOLD).copy_(torch.from_numpy(threshold))


def threshold_of(network: nn.Module) -> np.ndarray:
    """The outputs, shape (K,), that become 0 in evaluation mode, of a network that has a scale."""
    threshold: np.ndarray = network.get_buffer(THRESHOLD).cpu().numpy()
    return threshold
