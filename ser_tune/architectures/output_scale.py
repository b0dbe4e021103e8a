"""The scale of a network's outputs: units of the targets, and thresholds of decisions."""

import numpy as np
import torch
from torch import Tensor, nn

__all__ = ["OutputScale", "scale_outputs", "set_scale", "set_threshold"]


class OutputScale(nn.Module):
    """An affine map of outputs (B, K), fixed before training; in evaluation mode, thresholds are subtracted."""

    shift: Tensor
    spread: Tensor
    threshold: Tensor

    def __init__(self, outputs: int) -> None:
        """Create the map of K outputs that changes nothing."""
        super().__init__()
        self.register_buffer("shift", torch.zeros(outputs))
        self.register_buffer("spread", torch.ones(outputs))
        self.register_buffer("threshold", torch.zeros(outputs))

    def forward(self, raw: Tensor) -> Tensor:
        """From a network's last layer (B, K) to its raw outputs (B, K), float32."""
        scaled = raw.float() * self.spread + self.shift
        return scaled if self.training else scaled - self.threshold


def scale_outputs(network: nn.Module, outputs: int) -> None:
    """Attach a scale to a network of K outputs as its submodule `output_scale`, which every call applies."""
    network.output_scale = OutputScale(outputs)
    network.register_forward_hook(_scaled)


def _scaled(network: nn.Module, _: object, raw: Tensor) -> Tensor:
    scaled: Tensor = network.output_scale(raw)  # type: ignore[operator]
    return scaled


def set_scale(network: nn.Module, shift: np.ndarray, spread: np.ndarray) -> None:
    """Set units of a network: its last layer's 0 becomes `shift`, and 1 becomes `shift + spread`, each (K,)."""
    scale = _of(network)
    scale.shift.copy_(torch.from_numpy(shift))
    scale.spread.copy_(torch.from_numpy(spread))


def set_threshold(network: nn.Module, threshold: np.ndarray) -> None:
    """Set the outputs, shape (K,), that become 0 in evaluation mode."""
    _of(network).threshold.copy_(torch.from_numpy(threshold))


def _of(network: nn.Module) -> OutputScale:
    scale = network.output_scale
    assert isinstance(scale, OutputScale)
    return scale
