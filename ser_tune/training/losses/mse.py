"""`mse`: mean squared error, in variances of the training targets."""

from collections.abc import Callable
from typing import TYPE_CHECKING, Literal

from ...config import LossSettings
from .base import Loss, TargetStatistics
from .standardising import standardised

if TYPE_CHECKING:
    from torch import Tensor

__all__ = ["LOSS", "MSESettings"]


class MSESettings(LossSettings):
    """Mean squared error."""

    name: Literal["mse"] = "mse"
    """The loss."""


def build(settings: MSESettings, statistics: TargetStatistics) -> "Callable[[Tensor, Tensor], Tensor]":
    """Fix mean and spread of the targets; every dimension counts alike, whatever its scale."""
    from torch.nn.functional import mse_loss

    def mse(outputs: "Tensor", target: "Tensor") -> "Tensor":
        return mse_loss(standardised(outputs, statistics), standardised(target, statistics))

    return mse


LOSS = Loss(
    name="mse",
    settings=MSESettings,
    build=build,
    targets="values",
    citation="C. M. Bishop: Pattern Recognition and Machine Learning, section 5.2, Springer, 2006",
)
