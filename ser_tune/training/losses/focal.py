"""`focal`: cross-entropy with more weight on segments that are still classified wrongly."""

from collections.abc import Callable
from typing import TYPE_CHECKING, Annotated, Literal

from pydantic import Field

from .base import Loss, TargetStatistics
from .weighting import WeightedLossSettings, class_weights

if TYPE_CHECKING:
    from torch import Tensor

__all__ = ["LOSS", "FocalSettings"]


class FocalSettings(WeightedLossSettings):
    """Focal loss."""

    name: Literal["focal"] = "focal"
    """The loss."""
    gamma: Annotated[float, Field(ge=0, le=10)] = 2.0
    """Exponent by which likely classes count less: weighted by (1 - p)^gamma; 0 makes it cross-entropy."""


def build(settings: FocalSettings, statistics: TargetStatistics) -> "Callable[[Tensor, Tensor], Tensor]":
    """Fix the weights of the classes by the totals of the training targets.

    Returns:
        The mean over segments of Σ_k w_k y_k (1 - p_k)^gamma (-log p_k), y being the smoothed target: for a single true
        class that of the paper, and with gamma = 0 torch's cross-entropy.
    """
    import torch

    weight = class_weights(settings, statistics.total)
    smoothing, gamma = settings.label_smoothing, settings.gamma

    def focal(logits: "Tensor", target: "Tensor") -> "Tensor":
        log_probability = torch.log_softmax(logits, dim=1)
        smoothed = (1 - smoothing) * target + smoothing / target.shape[1]
        # Where p rounds to 1, the gradient of (1 - p)^gamma would be infinite for gamma below 1
        missing = (-torch.expm1(log_probability)).clamp(min=torch.finfo(logits.dtype).eps)
        cost = -smoothed * missing**gamma * log_probability
        return (cost if weight is None else cost * weight).sum(dim=1).mean()

    return focal


LOSS = Loss(
    name="focal",
    settings=FocalSettings,
    build=build,
    citation="T.-Y. Lin et al.: Focal Loss for Dense Object Detection, ICCV 2017, arXiv 1708.02002",
)
