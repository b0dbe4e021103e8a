"""`fcn_attention`: AlexNet's convolutions and attention over all time-frequency positions."""

from typing import Annotated, Literal

from pydantic import Field
from torch import Tensor, nn

from ..config import FloatRange
from .base import Architecture, FrameAttention, InputShape, scaled
from .convolutions import SMALLEST_INPUT, alexnet_convolutions, check_input, convolve, real_positions
from .pretrained import PretrainedSettings, initialise_convolutions

__all__ = ["ARCHITECTURE", "FcnAttention", "FcnAttentionSettings"]


class FcnAttentionSettings(PretrainedSettings):
    """The published sizes."""

    name: Literal["fcn_attention"] = "fcn_attention"
    """The architecture."""
    score_scale: Annotated[float, Field(gt=0, le=10), FloatRange(low=0.1, high=1.0)] = 0.3
    """λ: factor on the attention's scores before the softmax."""
    dropout: Annotated[float, Field(ge=0, lt=1), FloatRange(low=0.0, high=0.6)] = 0.3
    """Dropout before the classifier."""


class FcnAttention(nn.Module):
    """Segments (B, C, F, T) to logits (B, K)."""

    def __init__(self, settings: FcnAttentionSettings, shape: InputShape, n_classes: int) -> None:
        """Create the layers; the network is fully convolutional. Raises `ConfigError` below AlexNet's least size."""
        super().__init__()
        check_input(shape)
        maps = scaled(256, settings.width)
        self.input_norm = nn.BatchNorm2d(shape.channels)
        self.convolutions = alexnet_convolutions(shape.channels, settings.width, batch_norm=True)
        self.attention = FrameAttention(maps, maps, score_scale=settings.score_scale)
        self.dropout = nn.Dropout(settings.dropout)
        self.classifier = nn.Linear(maps, n_classes)

    def forward(self, segments: Tensor, lengths: Tensor | None = None) -> Tensor:
        """Return logits (B, K) of segments (B, C, F, T), or of padded utterances with `lengths` (B,) in frames."""
        maps, lengths = convolve((self.input_norm, *self.convolutions), segments, lengths)
        real = None if lengths is None else real_positions(maps, lengths).expand(-1, -1, maps.shape[2], -1).flatten(1)
        logits: Tensor = self.classifier(self.dropout(self.attention(maps.flatten(2).transpose(1, 2), real)))
        return logits


ARCHITECTURE = Architecture(
    name="fcn_attention",
    settings=FcnAttentionSettings,
    build=FcnAttention,
    initialise=initialise_convolutions,
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
