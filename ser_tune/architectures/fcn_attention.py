"""`fcn_attention`: AlexNet's convolutions and attention over all time-frequency positions."""

from typing import TYPE_CHECKING, Annotated, Literal

from pydantic import Field

from ..config import FloatRange
from .base import Architecture, InputShape
from .pretrained import SMALLEST_INPUT, PretrainedSettings, initialise

if TYPE_CHECKING:
    from torch import nn

__all__ = ["ARCHITECTURE", "FcnAttentionSettings"]


class FcnAttentionSettings(PretrainedSettings):
    """The published sizes."""

    name: Literal["fcn_attention"] = "fcn_attention"
    """The architecture."""
    score_scale: Annotated[float, Field(gt=0, le=10), FloatRange(low=0.1, high=1.0)] = 0.3
    """λ: factor on the attention's scores before the softmax."""
    dropout: Annotated[float, Field(ge=0, lt=1), FloatRange(low=0.0, high=0.6)] = 0.3
    """Dropout before the classifier."""


def build(settings: FcnAttentionSettings, shape: InputShape, n_classes: int) -> "nn.Module":
    """Make the network for segments of a shape."""
    from .networks.fcn_attention import FcnAttention

    return FcnAttention(settings, shape, n_classes)


ARCHITECTURE = Architecture(
    name="fcn_attention",
    settings=FcnAttentionSettings,
    build=build,
    initialise=initialise,
    citation="Y. Zhang, J. Du, Z. Wang, J. Zhang, Y. Tu: Attention Based Fully Convolutional Network for Speech "
    "Emotion Recognition, arXiv 1806.01506, 2019",
    shortest_frames=SMALLEST_INPUT,
    defaults={"features.name": "logspec"},
    published={  # as in studies/published/zhang2019.yaml, but from random weights, which need no download
        "model.width": 1.0,
        "model.score_scale": 0.3,
        "model.dropout": 0.2,
        "features.name": "logspec",
        "features.n_bins": 200,
        "features.window_s": 0.04,
        "features.dft_points": 800,
        "segments.frames": None,
        "normalisation.kind": "standard",
        "loss.name": "cross_entropy",
        "loss.class_weighting": "none",
        "optimizer.name": "adamw",
        "optimizer.learning_rate": 1e-4,
        "optimizer.weight_decay": 0.01,
        "optimizer.momentum": 0.9,
        "training.epochs": 200,
        "training.batch_size": 32,
        "training.schedule": "constant",
        "training.gradient_clip_norm": 0.0,
    },
)
