"""The object that every loss defines."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from torch import Tensor

from ...config import LossSettings

__all__ = ["Loss"]


@dataclass(frozen=True, slots=True)
class Loss:
    """A training loss; every module of this room defines one as `LOSS`."""

    name: str
    settings: type[LossSettings]
    build: Callable[[Any, Tensor], Callable[[Tensor, Tensor], Tensor]]
    """From the settings and the total of each output in the targets of an epoch, shape (K,), which of classes is the
    number of their segments, to a function of raw outputs (B, K) and targets (B, K) that returns a scalar."""
    citation: str
    targets: str = "probabilities"
    """Kind of targets that raw outputs are compared with, as tasks encode them."""
