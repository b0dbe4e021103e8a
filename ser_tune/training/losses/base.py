"""The object that every loss defines."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from ...config import LossSettings

if TYPE_CHECKING:
    from torch import Tensor

__all__ = ["Loss", "TargetStatistics"]


@dataclass(frozen=True, slots=True)
class TargetStatistics:
    """Statistics of the targets, as the task encodes them, of the training segments that an epoch reads."""

    total: "Tensor"
    """Sum of each output, shape (K,), float32: of classes it is the number of their segments."""
    mean: "Tensor"
    """Mean of each output, shape (K,), float32."""
    spread: "Tensor"
    """Population standard deviation of each output, shape (K,), float32; 1 where all targets are equal."""
    examples: int
    """Number of training segments."""


@dataclass(frozen=True, slots=True)
class Loss:
    """A training loss; every module of this room defines one as `LOSS`."""

    name: str
    settings: type[LossSettings]
    build: "Callable[[Any, TargetStatistics], Callable[[Tensor, Tensor], Tensor]]"
    """From the settings and statistics of the training targets to a function of raw outputs (B, K) and targets (B, K)
    that returns a scalar."""
    citation: str
    targets: str = "probabilities"
    """Kind of targets that raw outputs are compared with, as tasks encode them."""
