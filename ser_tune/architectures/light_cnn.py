"""`light_cnn`: few and narrow convolutions over log Mel, and attentive statistics over time, for CPUs of few cores."""

from typing import Annotated, Literal

from pydantic import Field
from torch import Tensor, nn

from ..config import FloatRange, IntRange, NetworkSettings
from ..errors import ConfigError
from .base import Architecture, AttentiveStatistics, InputShape, scaled
from .convolutions import convolve, real_positions

__all__ = ["ARCHITECTURE", "LightCnn", "LightCnnSettings"]

STAGES = ((16, 16, 32), (32, 48), (48, 64, 64))
"""Maps of each stage's convolutions. Bands and frames are halved before every stage, at the first by a stride: two
convolutions at full resolution would make a step take twice the time."""
SMALLEST_INPUT = 7
"""Bands, and frames, below which nothing is left of them: 7, 4, 2, 1."""


class LightCnnSettings(NetworkSettings):
    """The default sizes: 0.12 million parameters."""

    name: Literal["light_cnn"] = "light_cnn"
    """The architecture."""
    dropout: Annotated[float, Field(ge=0, lt=1), FloatRange(low=0.0, high=0.6)] = 0.3
    """Dropout before the classifier."""


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


ARCHITECTURE = Architecture(
    name="light_cnn",
    settings=LightCnnSettings,
    build=LightCnn,
    citation="blocks: Q. Kong, Y. Cao, T. Iqbal, Y. Wang, W. Wang, M. D. Plumbley: PANNs: Large-Scale Pretrained Audio "
    "Neural Networks for Audio Pattern Recognition, arXiv 1912.10211, 2020; pooling: K. Okabe, T. Koshinaka, "
    "K. Shinoda: Attentive Statistics Pooling for Deep Speaker Embedding, arXiv 1803.10963, 2018",
    # 1.3 to 4 s, as the usual 150 to 400 frames are of half the hop
    search={
        "segments.frames": IntRange(low=64, high=192, step=32),
        "optimizer.learning_rate": FloatRange(low=3e-4, high=3e-2, log=True),  # around its own default
    },
    shortest_frames=SMALLEST_INPUT,
    defaults={
        "features.name": "logmelspec",
        "features.n_mels": 64,
        "features.hop_s": 0.02,
        "segments.frames": 128,
        "augmentation.specaugment": True,
        "augmentation.mixup": True,
        "optimizer.learning_rate": 3e-3,
        "training.batch_size": 16,
        "training.epochs": 40,
    },
)
