"""`kl`: Kullback-Leibler divergence of the predicted distribution from the annotators'."""

from collections.abc import Callable
from typing import TYPE_CHECKING, Literal

from .base import Loss, TargetStatistics
from .weighting import WeightedLossSettings, class_weights

if TYPE_CHECKING:
    from torch import Tensor

__all__ = ["LOSS", "KLSettings"]


class KLSettings(WeightedLossSettings):
    """Kullback-Leibler divergence."""

    name: Literal["kl"] = "kl"
    """The loss."""
    class_weighting: Literal["none", "balanced", "effective_number"] = "none"
    """A segment weighs the mean weight of its classes. balanced weighs a class by the inverse of its share of the
    training segments; effective_number by that of its effective number (Cui et al. 2019, arXiv 1901.05555)."""


def build(settings: KLSettings, statistics: TargetStatistics) -> "Callable[[Tensor, Tensor], Tensor]":
    """Fix the weights of the classes.

    Returns:
        The mean over segments of Σ_k y_k (log y_k - log p_k), y being the smoothed target. Without weights its gradient
        is that of cross-entropy; it is 0 where prediction and target are equal.
    """
    import torch

    weight, smoothing = class_weights(settings, statistics.total), settings.label_smoothing

    def kl(logits: "Tensor", target: "Tensor") -> "Tensor":
        smoothed = (1 - smoothing) * target + smoothing / target.shape[1]
        log_probability = torch.log_softmax(logits.float(), dim=1)
        cost = (torch.xlogy(smoothed, smoothed) - smoothed * log_probability).sum(dim=1)
        return (cost if weight is None else cost * (target @ weight)).mean()

    return kl


LOSS = Loss(
    name="kl",
    settings=KLSettings,
    build=build,
    citation="S. Kullback, R. Leibler: On Information and Sufficiency, Annals of Mathematical Statistics 22(1), 1951",
)
