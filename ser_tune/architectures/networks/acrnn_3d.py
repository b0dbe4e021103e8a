"""The network of `3d_acrnn`."""

import torch
from torch import Tensor, nn

from ...errors import ConfigError
from ..acrnn_3d import Acrnn3dSettings
from ..base import InputShape
from .layers import FrameAttention, scaled

__all__ = ["Acrnn3d"]

ACTIVATIONS = {"tanh": torch.tanh, "sigmoid": torch.sigmoid}


class Acrnn3d(nn.Module):
    """Segments (B, C, F, T) to logits (B, K)."""

    def __init__(self, settings: Acrnn3dSettings, shape: InputShape, n_classes: int) -> None:
        """Create the layers for segments of at least two frames; `ConfigError` below four bands."""
        super().__init__()
        if shape.bands < 4:
            raise ConfigError(f"segments of {shape.bands} bands are too small for 3d_acrnn; expected at least 4")
        maps, units = scaled(256, settings.width), scaled(128, settings.width)
        linear, hidden = scaled(768, settings.width), scaled(64, settings.width)
        all_norms = settings.batch_norm == "all"
        blocks: list[nn.Module] = []
        before = shape.channels
        for number in range(6):
            after = scaled(128, settings.width) if number == 0 else maps
            # (frequency, time): the paper writes its kernels and poolings time first
            blocks.append(nn.Conv2d(before, after, (3, 5), padding="same", bias=not all_norms))
            if all_norms:
                blocks.append(nn.BatchNorm2d(after))
            if number == 0:  # pooled before it is rectified: the largest is the same, and an eighth is left
                blocks.append(nn.MaxPool2d((4, 2)))
            blocks.append(nn.LeakyReLU(inplace=True))
            if settings.convolution_dropout:
                blocks.append(nn.Dropout(settings.convolution_dropout))
            before = after
        self.convolutions = nn.Sequential(*blocks)
        self.linear = nn.Linear(maps * (shape.bands // 4), linear, bias=False)
        self.linear_norm = nn.BatchNorm1d(linear)
        self.lstm = nn.LSTM(linear, units, batch_first=True, bidirectional=True)
        self.attention = FrameAttention(2 * units, 2 * units, activation=ACTIVATIONS[settings.attention])
        self.classifier = nn.Sequential(
            nn.Linear(2 * units, hidden),
            nn.LeakyReLU(),
            nn.Dropout(settings.dropout),
            nn.Linear(hidden, n_classes),
        )

    def forward(self, segments: Tensor) -> Tensor:
        """Classify segments (B, C, F, T); returns logits (B, K)."""
        maps = self.convolutions(segments)
        steps = self.linear(maps.permute(0, 3, 1, 2).flatten(2))
        steps = nn.functional.leaky_relu(self.linear_norm(steps.transpose(1, 2)).transpose(1, 2))
        logits: Tensor = self.classifier(self.attention(self.lstm(steps)[0]))
        return logits
