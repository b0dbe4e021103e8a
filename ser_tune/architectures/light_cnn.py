"""`light_cnn`: few and narrow convolutions over log Mel, and attentive statistics over time, for CPUs of few cores."""

from typing import TYPE_CHECKING, Annotated, Literal

from pydantic import Field

from ..config import FloatRange, IntRange, NetworkSettings
from .base import Architecture, InputShape

if TYPE_CHECKING:
    from torch import nn

__all__ = ["ARCHITECTURE", "LightCnnSettings"]

SMALLEST_INPUT = 7
"""Bands, and frames, below which nothing is left of them: 7, 4, 2, 1."""


class LightCnnSettings(NetworkSettings):
    """The default sizes: 0.12 million parameters."""

    name: Literal["light_cnn"] = "light_cnn"
    """The architecture."""
    dropout: Annotated[float, Field(ge=0, lt=1), FloatRange(low=0.0, high=0.6)] = 0.3
    """Dropout before the classifier."""


def build(settings: LightCnnSettings, shape: InputShape, n_classes: int) -> "nn.Module":
    """Make the network for segments of a shape."""
    from .networks.light_cnn import LightCnn

    return LightCnn(settings, shape, n_classes)


ARCHITECTURE = Architecture(
    name="light_cnn",
    settings=LightCnnSettings,
    build=build,
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
