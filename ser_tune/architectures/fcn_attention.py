"""`fcn_attention`: AlexNet's convolutions and attention over all time-frequency positions."""

from typing import Annotated, Literal

from pydantic import Field
from torch import Tensor, nn

from ..config import Choice, FloatRange, ModelSettings
from ..errors import ConfigError
from .base import Architecture, FrameAttention, InputShape, alexnet_convolutions, scaled

__all__ = ["ARCHITECTURE", "FcnAttention", "FcnAttentionSettings"]

SMALLEST_INPUT = 63
"""Bands, and frames, below which AlexNet's poolings leave nothing."""


class FcnAttentionSettings(ModelSettings):
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
        """Create the layers.

        Args:
            settings: Width, λ and dropout.
            shape: Only C matters; the network is fully convolutional.
            n_classes: K.

        Raises:
            ConfigError: The segments are too small for AlexNet's poolings.
        """
        super().__init__()
        check_input(shape)
        maps = scaled(256, settings.width)
        self.input_norm = nn.BatchNorm2d(shape.channels)
        self.convolutions = alexnet_convolutions(shape.channels, settings.width, batch_norm=True)
        self.attention = FrameAttention(maps, maps, score_scale=settings.score_scale)
        self.dropout = nn.Dropout(settings.dropout)
        self.classifier = nn.Linear(maps, n_classes)

    def forward(self, segments: Tensor) -> Tensor:
        """Classify segments (B, C, F, T); returns logits (B, K)."""
        maps = self.convolutions(self.input_norm(segments))
        positions = maps.flatten(2).transpose(1, 2)
        logits: Tensor = self.classifier(self.dropout(self.attention(positions)))
        return logits


def check_input(shape: InputShape) -> None:
    """Refuse segments that AlexNet's strides and poolings would reduce to nothing."""
    if min(shape.bands, shape.frames) < SMALLEST_INPUT:
        raise ConfigError(
            f"segments of {shape.bands} bands × {shape.frames} frames are too small for AlexNet's convolutions; "
            f"expected at least {SMALLEST_INPUT} × {SMALLEST_INPUT} (features.n_mels or n_bins, segments.frames)"
        )


ARCHITECTURE = Architecture(
    name="fcn_attention",
    settings=FcnAttentionSettings,
    build=FcnAttention,
    citation="Y. Zhang, J. Du, Z. Wang, J. Zhang, Y. Tu: Attention Based Fully Convolutional Network for Speech "
    "Emotion Recognition, arXiv 1806.01506, 2019",
    search={"features.n_mels": Choice((64, 128))},
    defaults={"features.name": "logspec"},
)
