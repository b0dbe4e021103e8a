"""The network of `light_cnn`."""

from torch import Tensor, nn

from ...errors import ConfigError
from ..base import InputShape
from ..light_cnn import SMALLEST_INPUT, LightCnnSettings
from .convolutions import convolve, real_positions
from .layers import AttentiveStatistics, scaled

__all__ = ["LightCnn"]

STAGES = ((16, 16, 32), (32, 48), (48, 64, 64))
"""Maps of each stage's convolutions. Bands and frames are halved before every stage, at the first by a stride: two
convolutions at full resolution would make a step take twice the time."""


class LightCnn(nn.Module):
    """Segments (B, C, F, T) to logits (B, K): eight convolutions of 3 × 3, each with batch norm and ReLU."""

    def __init__(self, settings: LightCnnSettings, shape: InputShape, n_classes: int) -> None:
        """Create the layers; `ConfigError` where the segments are too small for the poolings."""
        super().__init__()
        if min(shape.bands, shape.frames) < SMALLEST_INPUT:
            raise ConfigError(
                f"segments of {shape.bands} bands × {shape.frames} frames are too small for light_cnn; "
                f"expected at least {SMALLEST_INPUT} × {SMALLEST_INPUT} (features.n_mels or n_bins, segments.frames)"
            )
        layers: list[nn.Module] = []
        before = shape.channels
        for number, stage in enumerate(STAGES):
            if number:
                layers.append(nn.AvgPool2d(2))
            for size in stage:
                after, stride = scaled(size, settings.width), 1 if layers else 2
                layers += [
                    nn.Conv2d(before, after, 3, stride=stride, padding=1, bias=False),
                    nn.BatchNorm2d(after),
                    nn.ReLU(inplace=True),
                ]
                before = after
        self.convolutions = nn.Sequential(*layers)
        for layer in layers:
            if isinstance(layer, nn.Conv2d):  # He et al. 2015, arXiv 1502.01852: eight layers do not fade what they see
                nn.init.kaiming_normal_(layer.weight, nonlinearity="relu")
        self.statistics = AttentiveStatistics(before, before)
        self.dropout = nn.Dropout(settings.dropout)
        self.classifier = nn.Linear(2 * before, n_classes)

    def forward(self, segments: Tensor, lengths: Tensor | None = None) -> Tensor:
        """Return logits (B, K) of segments (B, C, F, T), or of padded utterances with `lengths` (B,) in frames."""
        maps, lengths = convolve(self.convolutions, segments, lengths)
        real = None if lengths is None else real_positions(maps, lengths)[:, 0, 0]
        # Averaged over bands, as in PANNs: on EmoDB's validation speakers better than maps and bands kept apart
        logits: Tensor = self.classifier(self.dropout(self.statistics(maps.mean(dim=2).transpose(1, 2), real)))
        return logits
