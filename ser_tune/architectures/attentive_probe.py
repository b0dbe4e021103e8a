"""`attentive_probe`: learned layer weights and attentive statistics over the frames of an encoder."""

from typing import TYPE_CHECKING, Annotated, Literal

from pydantic import Field

from ..config import Choice, FloatRange, NetworkSettings
from .base import Architecture, InputShape

if TYPE_CHECKING:
    from torch import nn

__all__ = ["ARCHITECTURE", "AttentiveProbeSettings"]


class AttentiveProbeSettings(NetworkSettings):
    """A small network on the frames of a frozen encoder; width multiplies projection and hidden."""

    name: Literal["attentive_probe"] = "attentive_probe"
    """The architecture."""
    projection: Annotated[int, Field(ge=1, le=4096), Choice((64, 128, 256))] = 128
    """Units that each frame is projected to before pooling; attention has as many."""
    hidden: Annotated[int, Field(ge=1, le=4096), Choice((64, 128, 256))] = 128
    """Units of the layer between pooling and the classifier."""
    dropout: Annotated[float, Field(ge=0, lt=1), FloatRange(low=0.0, high=0.6)] = 0.3
    """Dropout before the projection, before the hidden layer and before the classifier."""


def build(settings: AttentiveProbeSettings, shape: InputShape, n_classes: int) -> "nn.Module":
    """Make the network for segments of a shape."""
    from .networks.attentive_probe import AttentiveProbe

    return AttentiveProbe(settings, shape, n_classes)


ARCHITECTURE = Architecture(
    name="attentive_probe",
    settings=AttentiveProbeSettings,
    build=build,
    citation="weighted layers: S. Yang et al.: SUPERB: Speech processing Universal PERformance Benchmark, arXiv "
    "2105.01051, 2021; pooling: K. Okabe, T. Koshinaka, K. Shinoda: Attentive Statistics Pooling for Deep Speaker "
    "Embedding, arXiv 1803.10963, 2018",
    shortest_frames=1,
    defaults={
        "features.name": "encoder",
        "features.pooling": "frames",
        "segments.frames": None,
        "augmentation.mixup": True,
        "optimizer.learning_rate": 3e-3,
        "optimizer.weight_decay": 1e-2,
        "training.batch_size": 16,
        "training.epochs": 16,
    },
    search={
        "segments.frames": None,
        "augmentation.specaugment": None,
    },
)
