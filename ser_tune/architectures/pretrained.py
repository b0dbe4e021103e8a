"""Settings of initial weights from torchvision's AlexNet, for every architecture that has its convolutions."""

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Literal, Self, TypeAlias

from pydantic import model_validator

from ..config import NetworkSettings, Value

if TYPE_CHECKING:
    from torch import nn

__all__ = ["SMALLEST_INPUT", "PretrainedSettings", "Weights", "initialise"]

SMALLEST_INPUT = 63
"""Least bands, and frames, of AlexNet's poolings."""
Weights: TypeAlias = Literal["none", "imagenet"] | Path


class PretrainedSettings(NetworkSettings):
    """Settings of architectures that have AlexNet's convolutions."""

    weights: Weights = "none"
    """Initial weights: none (random), imagenet (AlexNet's, downloaded by torchvision), or a file that holds them.
    alex_net takes all but the last layer's, the others the convolutions' kernels. They are of width 1."""

    @classmethod
    def implied(cls, written: Mapping[str, object]) -> Mapping[str, Value]:
        """Pretrained weights leave no choice of the width."""
        return {"width": 1.0} if written.get("weights", "none") != "none" else {}

    @model_validator(mode="after")
    def _weights_have_one_width(self) -> Self:
        if self.weights != "none" and self.width != 1:
            raise ValueError(f"model.width must be 1 with model.weights {self.weights}, not {self.width}")
        return self


def initialise(network: "nn.Module", settings: PretrainedSettings) -> None:
    """Give a new network whose `convolutions` are AlexNet's with batch norm the kernels that its settings name."""
    from .networks.alexnet_weights import initialise_convolutions

    initialise_convolutions(network, settings)
