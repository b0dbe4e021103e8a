"""The network of `fcn_attention`."""

from torch import Tensor, nn

from ..base import InputShape
from ..fcn_attention import FcnAttentionSettings
from .convolutions import alexnet_convolutions, check_input, convolve, real_positions
from .layers import FrameAttention, scaled

__all__ = ["FcnAttention"]


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
