"""The network of `fcn_gap`."""

from torch import Tensor, nn

from ..base import InputShape
from ..fcn_gap import FcnGapSettings
from .convolutions import alexnet_convolutions, check_input, convolve, real_positions
from .layers import scaled

__all__ = ["FcnGap"]


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
