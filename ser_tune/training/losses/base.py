"""The object every loss defines."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from torch import Tensor

from ...config import LossSettings

__all__ = ["Loss"]


@dataclass(frozen=True, slots=True)
class Loss:
    """How wrong raw outputs are; every module of this room defines one as `LOSS`."""

    name: str
    settings: type[LossSettings]
    build: Callable[[Any, Tensor], Callable[[Tensor, Tensor], Tensor]]
    """From the settings and how much of each output the targets of an epoch have, shape (K,), which of classes is the
    number of their segments, to a function of raw outputs (B, K) and targets (B, K) that returns a scalar."""
    citation: str
    targets: str = "probabilities"
    """What it compares raw outputs with, one of the kinds of targets that tasks encode."""
