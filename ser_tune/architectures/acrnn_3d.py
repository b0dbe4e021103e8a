"""`3d_acrnn`: convolutions over log Mel, Δ and ΔΔ, a bidirectional LSTM, and attention over time."""

from typing import TYPE_CHECKING, Annotated, Literal

from pydantic import Field

from ..config import FloatRange, NetworkSettings
from .base import Architecture, InputShape

if TYPE_CHECKING:
    from torch import nn

__all__ = ["ARCHITECTURE", "Acrnn3dSettings"]


class Acrnn3dSettings(NetworkSettings):
    """The published sizes; details beyond the paper are the authors' code's (`studies/published/chen2018.yaml`)."""

    name: Literal["3d_acrnn"] = "3d_acrnn"
    """The architecture."""
    dropout: Annotated[float, Field(ge=0, lt=1), FloatRange(low=0.0, high=0.6)] = 0.3
    """Dropout before the classifier."""
    convolution_dropout: Annotated[float, Field(ge=0, lt=1)] = 0.0
    """Dropout after every convolution."""
    batch_norm: Literal["all", "linear"] = "all"
    """Batch norm after every convolution and the linear layer, or, as in the authors' code, the linear layer alone."""
    attention: Literal["tanh", "sigmoid"] = "tanh"
    """Activation of the attention's projection; the authors' code has a sigmoid."""


def build(settings: Acrnn3dSettings, shape: InputShape, n_classes: int) -> "nn.Module":
    """Make the network for segments of a shape."""
    from .networks.acrnn_3d import Acrnn3d

    return Acrnn3d(settings, shape, n_classes)


ARCHITECTURE = Architecture(
    name="3d_acrnn",
    settings=Acrnn3dSettings,
    build=build,
    citation="M. Chen, X. He, J. Yang, H. Zhang: 3-D Convolutional Recurrent Neural Networks With Attention Model for "
    "Speech Emotion Recognition, IEEE SPL 25(10), 1440-1444, 2018",
    defaults={"features.name": "logmeldeltaspec", "features.n_mels": 40},
    published={  # as in studies/published/chen2018.yaml, but for the 5,000 steps, which take nine times as long
        "model.width": 1.0,
        "model.dropout": 0.0,
        "model.convolution_dropout": 0.0,
        "model.batch_norm": "linear",
        "model.attention": "sigmoid",
        "features.name": "logmeldeltaspec",
        "features.n_mels": 40,
        "features.window_s": 0.025,
        "features.dft_points": 512,
        "segments.frames": 300,
        "normalisation.kind": "standard",
        "loss.name": "cross_entropy",
        "loss.class_weighting": "none",
        "optimizer.name": "adam",
        "optimizer.learning_rate": 1e-4,
        "optimizer.weight_decay": 0.0,
        "optimizer.momentum": 0.9,
        "training.epochs": 40,
        "training.batch_size": 40,
        "training.schedule": "constant",
        "training.gradient_clip_norm": 0.0,
    },
)
