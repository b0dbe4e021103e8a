"""Domain-adversarial training: features of a network that a classifier of corpora cannot tell apart."""

import math

import numpy as np
import torch
from torch import Tensor, nn

from ...errors import ConfigError

__all__ = ["DomainClassifier", "embedding_of", "ramp"]

HIDDEN = 64
"""Units of the classifier of corpora."""


class _Reversed(torch.autograd.Function):
    """The identity, with a gradient of the other sign."""

    @staticmethod
    def forward(ctx: torch.autograd.function.FunctionCtx, features: Tensor, weight: float) -> Tensor:
        """Return the features; keep the weight of their gradient."""
        ctx.weight = weight  # type: ignore[attr-defined]
        return features.view_as(features)

    @staticmethod
    def backward(ctx: torch.autograd.function.FunctionCtx, slope: Tensor) -> tuple[Tensor, None]:
        """Reverse the gradient."""
        return -ctx.weight * slope, None  # type: ignore[attr-defined]


class DomainClassifier(nn.Module):
    """From a network's last features to the corpus, with a reversed gradient.

    Y. Ganin et al.: Domain-adversarial training of neural networks, JMLR 17, 2016, arXiv 1505.07818.
    """

    def __init__(self, width: int, counts: np.ndarray) -> None:
        """Create the layers for features (B, width); `counts` are of the segments of each corpus."""
        super().__init__()
        self.layers = nn.Sequential(nn.Linear(width, HIDDEN), nn.ReLU(), nn.Linear(HIDDEN, len(counts)))
        weights = counts.sum() / (len(counts) * np.maximum(counts, 1))
        self.register_buffer("weights", torch.from_numpy(weights).float())

    def loss(self, features: Tensor, corpora: Tensor, weight: float) -> Tensor:
        """The cross-entropy of corpora (B,), of which the gradient by the features (B, width) is reversed."""
        logits = self.layers(_Reversed.apply(features.float(), weight))
        counted = self.weights if isinstance(self.weights, Tensor) else None
        loss: Tensor = nn.functional.cross_entropy(logits, corpora, weight=counted)
        return loss


def embedding_of(network: nn.Module, inputs: tuple[Tensor, ...]) -> tuple[Tensor, Tensor]:
    """Call a network: its raw outputs (B, K), and the features (B, W) that its classifier reads.

    Maps are averaged over their positions.

    Raises:
        ConfigError: It has no layers called `classifier`.
    """
    classifier = getattr(network, "classifier", None)
    if not isinstance(classifier, nn.Module):
        raise ConfigError(
            f"alignment.kind adversarial reads the features before a network's classifier, which "
            f"{type(network).__name__} has not; expected another alignment"
        )
    kept: list[Tensor] = []
    handle = classifier.register_forward_pre_hook(lambda _, given: kept.append(given[0]))
    try:
        raw: Tensor = network(*inputs)
    finally:
        handle.remove()
    return raw, kept[0].flatten(start_dim=2).mean(dim=2) if kept[0].ndim > 2 else kept[0]


def ramp(progress: float) -> float:
    """The share of a loss's weight, 0 at the start of training (progress 0) and nearly 1 at its end (progress 1).

    >>> round(ramp(0.0), 2), round(ramp(0.1), 2), round(ramp(1.0), 2)
    (0.0, 0.46, 1.0)
    """
    return 2 / (1 + math.exp(-10 * progress)) - 1
