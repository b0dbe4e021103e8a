"""`fcn_gap`: AlexNet's convolutions, a score map for each class, and global average pooling."""

from typing import Annotated, Literal

from pydantic import Field
from torch import Tensor, nn

from ..config import FloatRange
from .base import Architecture, InputShape, scaled
from .convolutions import SMALLEST_INPUT, alexnet_convolutions, check_input, convolve, real_positions
from .pretrained import PretrainedSettings, initialise_convolutions

__all__ = ["ARCHITECTURE", "FcnGap", "FcnGapSettings"]


class FcnGapSettings(PretrainedSettings):
    """The published sizes."""

    name: Literal["fcn_gap"] = "fcn_gap"
    """The architecture."""
    dropout: Annotated[float, Field(ge=0, lt=1), FloatRange(low=0.0, high=0.6)] = 0.3
    """Dropout before the classifier."""


class FcnGap(nn.Module):
    """A fully convolutional network from segments (B, C, F, T) to logits (B, K)."""

    def __init__(self, settings: FcnGapSettings, shape: InputShape, n_classes: int) -> None:
        """Create the layers. Raises `ConfigError` if segments are smaller than AlexNet's smallest input."""
        super().__init__()
        check_input(shape)
        self.input_norm = nn.BatchNorm2d(shape.channels)
        self.convolutions = alexnet_convolutions(shape.channels, settings.width, batch_norm=True)
        self.dropout = nn.Dropout(settings.dropout)
        self.classifier = nn.Conv2d(scaled(256, settings.width), n_classes, 1)

    def forward(self, segments: Tensor, lengths: Tensor | None = None) -> Tensor:
        """Return logits (B, K) of segments (B, C, F, T), or of padded utterances with `lengths` (B,) in frames."""
        maps, lengths = convolve((self.input_norm, *self.convolutions), segments, lengths)
        scores: Tensor = self.classifier(self.dropout(maps)).float()
        if lengths is None:
            return scores.mean(dim=(2, 3))
        total = (scores * real_positions(scores, lengths)).sum(dim=(2, 3))
        return total / (scores.shape[2] * lengths[:, None])


ARCHITECTURE = Architecture(
    name="fcn_gap",
    settings=FcnGapSettings,
    build=FcnGap,
    initialise=initialise_convolutions,
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
