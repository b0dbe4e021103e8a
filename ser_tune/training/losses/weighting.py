"""Weights of classes, and label smoothing, which several losses share."""

import math
from typing import TYPE_CHECKING, Annotated, Literal

from pydantic import Field

from ...config import LossSettings

if TYPE_CHECKING:
    from torch import Tensor

__all__ = ["WeightedLossSettings", "class_weights"]


class WeightedLossSettings(LossSettings):
    """Settings of every loss that weighs classes."""

    class_weighting: Literal["none", "balanced", "effective_number"] = "balanced"
    """balanced weighs a class by the inverse of its number of training segments; effective_number by that of its
    effective number, which grows ever more slowly (Cui et al. 2019, arXiv 1901.05555). With training.sampling
    oversample, all classes have the same number."""
    beta: Annotated[float, Field(ge=0, lt=1)] = 0.999
    """Effective number: n segments count as (1 - beta^n) / (1 - beta); 0 weighs all classes alike, and the nearer it is
    to 1, the nearer the weights are to balanced."""
    label_smoothing: Annotated[float, Field(ge=0, lt=1)] = 0.0
    """Probability mass that is spread over all classes (Szegedy et al. 2016, arXiv 1512.00567)."""


def class_weights(settings: WeightedLossSettings, counts: "Tensor") -> "Tensor | None":
    """Weights (K,) of classes of which there are `counts` (K,) training segments; None where all weights are 1.

    Their mean over training segments is 1, so that one learning rate suits all; a class without segments has 0.
    """
    import torch

    if settings.class_weighting == "none":
        return None
    if settings.class_weighting == "balanced":
        weights = counts.sum() / (len(counts) * counts)
    else:
        # 1 - beta^n, exact where beta is near 1
        number = -torch.expm1(counts * math.log(settings.beta)) if settings.beta else torch.ones_like(counts)
        weights = counts.sum() / (number * (counts / number).nan_to_num().sum())
    return torch.where(counts > 0, weights, torch.zeros_like(weights))
