"""`huber`: squared error of small errors, absolute error of large ones."""

from collections.abc import Callable
from typing import TYPE_CHECKING, Annotated, Literal

from pydantic import Field

from ...config import LossSettings
from .base import Loss, TargetStatistics
from .standardising import standardised

if TYPE_CHECKING:
    from torch import Tensor

__all__ = ["LOSS", "HuberSettings"]


class HuberSettings(LossSettings):
    """Huber loss."""

    name: Literal["huber"] = "huber"
    """The loss."""
    delta: Annotated[float, Field(gt=0, le=100)] = 1.0
    """Largest error that is squared, in standard deviations of the training targets; larger errors count by their
    absolute value, so outliers weigh less."""


def build(settings: HuberSettings, statistics: TargetStatistics) -> "Callable[[Tensor, Tensor], Tensor]":
    """Fix mean and spread of the targets; every dimension counts alike, whatever its scale."""
    from torch.nn.functional import huber_loss

    def huber(outputs: "Tensor", target: "Tensor") -> "Tensor":
        return huber_loss(standardised(outputs, statistics), standardised(target, statistics), delta=settings.delta)

    return huber


LOSS = Loss(
    name="huber",
    settings=HuberSettings,
    build=build,
    targets="values",
    citation="P. J. Huber: Robust Estimation of a Location Parameter, Annals of Mathematical Statistics 35(1), 1964",
)
