"""The object every architecture defines, and the layers that several share."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor, nn

from ..config import ModelSettings, Range, Value

__all__ = ["Architecture", "FrameAttention", "InputShape", "alexnet_convolutions", "scaled"]


@dataclass(frozen=True, slots=True)
class InputShape:
    """The shape (C, F, T) of the segments that a network will see."""

    channels: int
    bands: int
    frames: int


@dataclass(frozen=True, slots=True)
class Architecture:
    """How to build a network; every module of this room defines one as `ARCHITECTURE`."""

    name: str
    settings: type[ModelSettings]
    build: Callable[[Any, InputShape, int], nn.Module]
    """From the settings, the input's shape and the number of classes to a network that maps segments (B, C, F, T) to
    logits (B, classes)."""
    citation: str
    initialise: Callable[[Any, Any], None] | None = None
    """Fills a new network with pretrained weights, from the network and the settings; None leaves it random."""
    defaults: Mapping[str, Value] = field(default_factory=dict)
    """Settings of other sections that belong to the published configuration: dotted path to value."""
    search: Mapping[str, Range] = field(default_factory=dict)
    """Default search ranges of other sections that differ for this architecture: dotted path to range."""


def scaled(size: int, width: float) -> int:
    """A layer's size at a fraction of its published width, at least 1.

    >>> scaled(256, 0.25)
    64
    """
    return max(1, round(size * width))


def alexnet_convolutions(channels: int, width: float, *, batch_norm: bool) -> nn.Sequential:
    """AlexNet's five convolutions and three poolings (Krizhevsky 2014, arXiv 1404.5997).

    Maps (B, C, F, T) to (B, scaled(256, width), F', T'), where F' and T' are about 1/32 of F and T. Without batch
    norm and at width 1, layers are numbered as in torchvision's `alexnet().features`, so its weights fit.

    Args:
        channels: C.
        width: Fraction of the published number of maps.
        batch_norm: Whether to normalise after every convolution.
    """
    maps = [scaled(size, width) for size in (64, 192, 384, 256, 256)]
    layers: list[nn.Module] = []
    before = channels
    for number, (after, kernel, stride, padding) in enumerate(
        zip(maps, (11, 5, 3, 3, 3), (4, 1, 1, 1, 1), (2, 2, 1, 1, 1), strict=True)
    ):
        layers.append(nn.Conv2d(before, after, kernel, stride=stride, padding=padding, bias=not batch_norm))
        if batch_norm:
            layers.append(nn.BatchNorm2d(after))
        layers.append(nn.ReLU(inplace=True))
        if number in (0, 1, 4):
            layers.append(nn.MaxPool2d(kernel_size=3, stride=2))
        before = after
    return nn.Sequential(*layers)


class FrameAttention(nn.Module):
    """Weighted mean over positions: tanh projection, a learned score, softmax with a scaled score."""

    def __init__(self, features: int, hidden: int, *, score_scale: float = 1.0) -> None:
        """Create the projection and the score.

        Args:
            features: Size of the vectors that are averaged.
            hidden: Size of the projection.
            score_scale: Factor λ on the scores before the softmax; below 1 spreads the attention.
        """
        super().__init__()
        self.projection = nn.Linear(features, hidden)
        self.score = nn.Linear(hidden, 1, bias=False)
        self.score_scale = score_scale

    def forward(self, positions: Tensor) -> Tensor:
        """Average (B, positions, features) to (B, features)."""
        scores = self.score(torch.tanh(self.projection(positions)))
        weights = torch.softmax(self.score_scale * scores.float(), dim=1).to(positions.dtype)
        return (weights * positions).sum(dim=1)
