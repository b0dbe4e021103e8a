"""`bce`: binary cross-entropy of every label, with optional weights and label smoothing."""

from collections.abc import Callable
from typing import TYPE_CHECKING, Literal

from .base import Loss, TargetStatistics
from .label_weighting import LabelLossSettings, label_weights, smoothed_labels

if TYPE_CHECKING:
    from torch import Tensor

__all__ = ["LOSS", "BCESettings"]


class BCESettings(LabelLossSettings):
    """Binary cross-entropy."""

    name: Literal["bce"] = "bce"
    """The loss."""


def build(settings: BCESettings, statistics: TargetStatistics) -> "Callable[[Tensor, Tensor], Tensor]":
    """Fix the weights of segments that have a label, and of segments that lack it."""
    from torch.nn.functional import softplus

    having, lacking = label_weights(settings, statistics)

    def bce(logits: "Tensor", target: "Tensor") -> "Tensor":
        labels, raw = smoothed_labels(settings, target), logits.float()
        return (having * labels * softplus(-raw) + lacking * (1 - labels) * softplus(raw)).mean()

    return bce


LOSS = Loss(
    name="bce",
    settings=BCESettings,
    build=build,
    targets="labels",
    citation="J. Nam et al.: Large-Scale Multi-label Text Classification, ECML PKDD 2014, arXiv 1312.5419",
)
