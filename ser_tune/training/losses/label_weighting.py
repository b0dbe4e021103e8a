"""Weights of labels that segments have or lack, and label smoothing, which several losses share."""

from typing import TYPE_CHECKING, Annotated, Literal

from pydantic import Field

from ...config import LossSettings
from .base import TargetStatistics

if TYPE_CHECKING:
    from torch import Tensor

__all__ = ["LabelLossSettings", "label_weights", "smoothed_labels"]


class LabelLossSettings(LossSettings):
    """Settings of every loss of labels."""

    class_weighting: Literal["none", "balanced"] = "balanced"
    """balanced: the training segments that have a label weigh as much together as those that lack it."""
    label_smoothing: Annotated[float, Field(ge=0, lt=1)] = 0.0
    """A label counts as 1 less half of this where a segment has it, and as half of this where it lacks it (Szegedy et
    al. 2016, arXiv 1512.00567)."""


def label_weights(settings: LabelLossSettings, statistics: TargetStatistics) -> "tuple[Tensor, Tensor]":
    """Weights (K,) of segments that have each label, and of segments that lack it.

    Their mean over the training segments is 1 for every label, so that one learning rate suits all. A label that all
    training segments have, or lack, has the weights 1.
    """
    import torch

    rate = statistics.mean
    every = torch.ones_like(rate)
    if settings.class_weighting == "none":
        return every, every
    varied = (rate > 0) & (rate < 1)
    half = torch.where(varied, rate, 0.5)
    return 0.5 / half, 0.5 / (1 - half)


def smoothed_labels(settings: LabelLossSettings, labels: "Tensor") -> "Tensor":
    """Labels (B, K), 0 to 1, nearer to a half."""
    return labels * (1 - settings.label_smoothing) + settings.label_smoothing / 2
