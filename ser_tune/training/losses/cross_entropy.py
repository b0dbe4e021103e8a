"""`cross_entropy`: with optional class weights and label smoothing."""

from collections.abc import Callable
from functools import partial
from typing import Annotated, Literal

import torch
from pydantic import Field
from torch import Tensor

from ...config import Choice, FloatRange, LossSettings
from .base import Loss

__all__ = ["LOSS", "CrossEntropySettings"]


class CrossEntropySettings(LossSettings):
    """Cross-entropy."""

    name: Literal["cross_entropy"] = "cross_entropy"
    """The loss."""
    class_weighting: Annotated[Literal["none", "balanced"], Choice(("none", "balanced"))] = "balanced"
    """balanced weighs a class by the inverse of its number of training segments."""
    label_smoothing: Annotated[float, Field(ge=0, lt=1), FloatRange(low=0.0, high=0.2)] = 0.0
    """Probability mass that is spread over all classes (Szegedy et al. 2016, arXiv 1512.00567)."""


def build(settings: CrossEntropySettings, counts: Tensor) -> Callable[[Tensor, Tensor], Tensor]:
    """Fix the weights of the classes.

    Args:
        settings: Weighting and smoothing.
        counts: Training segments of each class, shape (K,), all positive.
    """
    weight = None
    if settings.class_weighting == "balanced":
        weight = counts.sum() / (len(counts) * counts)
    return partial(torch.nn.functional.cross_entropy, weight=weight, label_smoothing=settings.label_smoothing)


LOSS = Loss(
    name="cross_entropy",
    settings=CrossEntropySettings,
    build=build,
    citation="G. King, L. Zeng: Logistic Regression in Rare Events Data, Political Analysis 9(2), 2001 (the weights)",
)
