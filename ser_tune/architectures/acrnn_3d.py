"""`3d_acrnn`: convolutions over log Mel, Δ and ΔΔ, a bidirectional LSTM, and attention over time."""

from typing import Annotated, Literal

import torch
from pydantic import Field
from torch import Tensor, nn

from ..config import FloatRange, NetworkSettings
from ..errors import ConfigError
from .base import Architecture, FrameAttention, InputShape, scaled

__all__ = ["ARCHITECTURE", "Acrnn3d", "Acrnn3dSettings"]

ACTIVATIONS = {"tanh": torch.tanh, "sigmoid": torch.sigmoid}


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


ARCHITECTURE = Architecture(
    name="3d_acrnn",
    settings=Acrnn3dSettings,
    build=Acrnn3d,
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
