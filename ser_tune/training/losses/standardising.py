"""Targets and raw outputs in deviations of the training targets."""

from typing import TYPE_CHECKING

from .base import TargetStatistics

if TYPE_CHECKING:
    from torch import Tensor

__all__ = ["standardised"]


def standardised(values: "Tensor", statistics: TargetStatistics) -> "Tensor":
    """Values (B, K) less the mean of the training targets, divided by their deviation; float32."""
    standard: Tensor = (values.float() - statistics.mean) / statistics.spread
    return standard
