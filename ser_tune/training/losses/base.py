"""The object every loss defines."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from torch import Tensor

from ...config import LossSettings

__all__ = ["Loss"]


@dataclass(frozen=True, slots=True)
class Loss:
    """How wrong logits are; every module of this room defines one as `LOSS`."""

    name: str
    settings: type[LossSettings]
    build: Callable[[Any, Tensor], Callable[[Tensor, Tensor], Tensor]]
    """From the settings and the training segments of each class, shape (K,), to a function of logits (B, K) and target
    probabilities (B, K) that returns a scalar."""
    citation: str
    targets: str = "probabilities"
    """What it compares logits with, one of the kinds of targets that tasks encode."""
