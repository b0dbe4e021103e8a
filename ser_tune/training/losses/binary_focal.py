"""`binary_focal`: binary cross-entropy with more weight on labels that are still predicted wrongly."""

from collections.abc import Callable
from typing import TYPE_CHECKING, Annotated, Literal

from pydantic import Field

from .base import Loss, TargetStatistics
from .label_weighting import LabelLossSettings, label_weights, smoothed_labels

if TYPE_CHECKING:
    from torch import Tensor

__all__ = ["LOSS", "BinaryFocalSettings"]


class BinaryFocalSettings(LabelLossSettings):
    """Focal loss of labels."""

    name: Literal["binary_focal"] = "binary_focal"
    """The loss."""
    gamma: Annotated[float, Field(ge=0, le=10)] = 2.0
    """Exponent by which likely answers count less: weighted by (1 - p)^gamma; 0 makes it bce."""


def build(settings: BinaryFocalSettings, statistics: TargetStatistics) -> "Callable[[Tensor, Tensor], Tensor]":
    """Fix the weights of segments that have a label, and of segments that lack it.

    Returns:
        The mean over segments and labels of (1 - p)^gamma (-log p), p being the probability of the right answer; a
        smoothed or mixed label costs the mixture of both answers.
    """
    import torch
    from torch.nn.functional import softplus

    having, lacking = label_weights(settings, statistics)

    def focal(logits: "Tensor", target: "Tensor") -> "Tensor":
        labels, raw = smoothed_labels(settings, target), logits.float()
        # Where p rounds to 1, the gradient of (1 - p)^gamma would be infinite for gamma below 1
        least = torch.finfo(raw.dtype).eps
        present = torch.sigmoid(-raw).clamp(min=least) ** settings.gamma * softplus(-raw)
        absent = torch.sigmoid(raw).clamp(min=least) ** settings.gamma * softplus(raw)
        return (having * labels * present + lacking * (1 - labels) * absent).mean()

    return focal


LOSS = Loss(
    name="binary_focal",
    settings=BinaryFocalSettings,
    build=build,
    targets="labels",
    citation="T.-Y. Lin et al.: Focal Loss for Dense Object Detection, ICCV 2017, arXiv 1708.02002",
)
