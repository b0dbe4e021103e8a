"""`cross_entropy`: with optional class weights and label smoothing."""

from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, Literal

from .base import Loss, TargetStatistics
from .weighting import WeightedLossSettings, class_weights

if TYPE_CHECKING:
    from torch import Tensor

__all__ = ["LOSS", "CrossEntropySettings"]


class CrossEntropySettings(WeightedLossSettings):
    """Cross-entropy."""

    name: Literal["cross_entropy"] = "cross_entropy"
    """The loss."""


def build(settings: CrossEntropySettings, statistics: TargetStatistics) -> "Callable[[Tensor, Tensor], Tensor]":
    """Fix the weights of the classes by the totals of the training targets."""
    import torch

    weight = class_weights(settings, statistics.total)
    return partial(torch.nn.functional.cross_entropy, weight=weight, label_smoothing=settings.label_smoothing)


LOSS = Loss(
    name="cross_entropy",
    settings=CrossEntropySettings,
    build=build,
    citation="G. King, L. Zeng: Logistic Regression in Rare Events Data, Political Analysis 9(2), 2001 (the weights)",
)
