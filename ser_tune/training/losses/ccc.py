"""`ccc`: 1 - concordance correlation coefficient of every batch, mean over the dimensions."""

from collections.abc import Callable
from typing import TYPE_CHECKING, Annotated, Literal

from pydantic import Field

from ...config import LossSettings
from .base import Loss, TargetStatistics
from .standardising import standardised

if TYPE_CHECKING:
    from torch import Tensor

__all__ = ["LOSS", "CCCSettings"]

LEAST = 1e-6
"""Added to the denominator, in variances of the training targets: a batch of equal targets has finite gradients."""


class CCCSettings(LossSettings):
    """1 - CCC."""

    name: Literal["ccc"] = "ccc"
    """The loss."""
    prior: Annotated[float, Field(ge=0, le=1000)] = 0.0
    """Segments that every batch has in addition: predicted right, with the mean and variance of the training targets.
    The CCC of a batch of fewer than 16 segments depends on which segments are drawn together; 16 steady it. The more
    there are, the nearer the gradient is to that of mse."""


def build(settings: CCCSettings, statistics: TargetStatistics) -> "Callable[[Tensor, Tensor], Tensor]":
    """Fix mean and spread of the targets.

    Returns:
        The mean over dimensions of the mean squared difference, divided by variance of outputs + variance of targets +
        squared difference of their means: 1 - CCC of the batch. With a prior of P for B segments, 2 P / B is added to
        the divisor, and the quotient is multiplied by 1 + P / B, which keeps the size of its gradient.
    """

    def ccc(outputs: "Tensor", target: "Tensor") -> "Tensor":
        predicted, true = standardised(outputs, statistics), standardised(target, statistics)
        apart = (predicted - true).square().mean(dim=0)
        spread = predicted.var(dim=0, correction=0) + true.var(dim=0, correction=0)
        spread = spread + (predicted.mean(dim=0) - true.mean(dim=0)).square()
        added = settings.prior / len(true)  # of segments with a variance of 1 on both sides
        return (apart / (spread + 2 * added + LEAST)).mean() * (1 + added)

    return ccc


LOSS = Loss(
    name="ccc",
    settings=CCCSettings,
    build=build,
    targets="values",
    citation="F. Weninger et al.: Discriminatively Trained Recurrent Neural Networks for Continuous Dimensional "
    "Emotion Recognition from Audio, IJCAI 2016",
)
