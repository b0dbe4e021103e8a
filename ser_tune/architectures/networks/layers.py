"""Layers that several networks share, and the mean of several networks."""

from collections.abc import Callable, Iterable, Sequence

import torch
from torch import Tensor, nn

from ...tasks import TASKS

__all__ = ["SMALLEST_VARIANCE", "AttentiveStatistics", "Ensemble", "FrameAttention", "members_of", "scaled"]

SMALLEST_VARIANCE = 1e-6
"""The square root has no slope at 0, which a single position's variance is."""


def scaled(size: int, width: float) -> int:
    """A layer's size at a fraction of its published width, at least 1.

    >>> scaled(256, 0.25)
    64
    """
    return max(1, round(size * width))


class Ensemble(nn.Module):
    """Networks whose outputs are averaged (Lakshminarayanan et al. 2017, arXiv 1612.01474)."""

    def __init__(self, members: Iterable[nn.Module], task: str) -> None:
        """Take networks of one kind, and the name of their task, which averages raw outputs.

        Not the task's function: networks are pickled for other processes, and not every plug-in's function can be.
        """
        super().__init__()
        self.members = nn.ModuleList(members)
        self._task = task

    def forward(self, *inputs: Tensor) -> Tensor:
        """Return raw outputs (B, K), float32, of the mean of all networks for the same inputs."""
        return TASKS.get(self._task).members(torch.stack([member(*inputs).float() for member in self.members]))


def members_of(network: nn.Module) -> Sequence[nn.Module]:
    """The networks of an ensemble; of any other network, itself."""
    return list(network.members) if isinstance(network, Ensemble) else [network]


class FrameAttention(nn.Module):
    """Weighted mean over positions: a projection, a learned score, softmax with a scaled score."""

    def __init__(
        self,
        features: int,
        hidden: int,
        *,
        score_scale: float = 1.0,
        activation: Callable[[Tensor], Tensor] = torch.tanh,
    ) -> None:
        """Create the projection from `features` to `hidden`, and the score.

        `score_scale` is the factor λ on scores before the softmax; below 1 it spreads the attention.
        """
        super().__init__()
        self.projection = nn.Linear(features, hidden)
        self.score = nn.Linear(hidden, 1, bias=False)
        self.score_scale = score_scale
        self.activation = activation

    def weights(self, positions: Tensor, real: Tensor | None = None) -> Tensor:
        """Weights (B, positions, 1), float32, of (B, positions, features), among those that are `real`."""
        scores = self.score_scale * self.score(self.activation(self.projection(positions))).float()
        if real is not None:
            scores = scores.masked_fill(~real[:, :, None], -torch.inf)
        return torch.softmax(scores, dim=1)

    def forward(self, positions: Tensor, real: Tensor | None = None) -> Tensor:
        """Average (B, positions, features) to (B, features), over those where `real`, (B, positions) bool, is true."""
        return (self.weights(positions, real).to(positions.dtype) * positions).sum(dim=1)


class AttentiveStatistics(nn.Module):
    """Weighted mean and standard deviation over positions (Okabe et al. 2018, arXiv 1803.10963)."""

    def __init__(self, features: int, hidden: int) -> None:
        """Create the attention, whose projection has size `hidden`."""
        super().__init__()
        self.attention = FrameAttention(features, hidden)

    def forward(self, positions: Tensor, real: Tensor | None = None) -> Tensor:
        """From (B, positions, features) to (B, 2 · features), of those where `real`, (B, positions) bool, is true."""
        weights, values = self.attention.weights(positions, real), positions.float()
        mean = (weights * values).sum(dim=1, keepdim=True)
        variance = (weights * (values - mean).square()).sum(dim=1)
        return torch.cat([mean[:, 0], variance.clamp(min=SMALLEST_VARIANCE).sqrt()], dim=1)
