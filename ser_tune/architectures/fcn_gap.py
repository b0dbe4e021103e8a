"""`fcn_gap`: AlexNet's convolutions, a score map for each class, and global average pooling."""

from typing import TYPE_CHECKING, Annotated, Literal

from pydantic import Field

from ..config import FloatRange
from .base import Architecture, InputShape
from .pretrained import SMALLEST_INPUT, PretrainedSettings, initialise

if TYPE_CHECKING:
    from torch import nn

__all__ = ["ARCHITECTURE", "FcnGapSettings"]


class FcnGapSettings(PretrainedSettings):
    """The published sizes."""

    name: Literal["fcn_gap"] = "fcn_gap"
    """The architecture."""
    dropout: Annotated[float, Field(ge=0, lt=1), FloatRange(low=0.0, high=0.6)] = 0.3
    """Dropout before the classifier."""


def build(settings: FcnGapSettings, shape: InputShape, n_classes: int) -> "nn.Module":
    """Make the network for segments of a shape."""
    from .networks.fcn_gap import FcnGap

    return FcnGap(settings, shape, n_classes)


ARCHITECTURE = Architecture(
    name="fcn_gap",
    settings=FcnGapSettings,
    build=build,
    initialise=initialise,
    citation="S. Ng: FCN+GAP, in Speech Emotion Recognition, github.com/samsudinng/speech_emo_recognition; "
    "global average pooling: M. Lin, Q. Chen, S. Yan: Network In Network, arXiv 1312.4400, 2013",
    shortest_frames=SMALLEST_INPUT,
    defaults={"features.name": "logspec"},
    published={  # as in studies/published/fcn-gap.yaml
        "model.width": 1.0,
        "features.name": "logspec",
        "features.n_bins": 200,
        "features.window_s": 0.04,
        "features.dft_points": 800,
        "segments.frames": 300,
        "normalisation.kind": "standard",
        "loss.name": "cross_entropy",
        "loss.class_weighting": "none",
        "optimizer.name": "adamw",
        "optimizer.learning_rate": 1e-3,
        "optimizer.weight_decay": 0.01,
        "optimizer.momentum": 0.9,
        "training.epochs": 100,
        "training.batch_size": 64,
        "training.schedule": "constant",
        "training.gradient_clip_norm": 0.0,
    },
)
