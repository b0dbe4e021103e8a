"""`attentive_probe`: learned layer weights and attentive statistics over the frames of an encoder."""

from typing import Annotated, Literal

import torch
from pydantic import Field
from torch import Tensor, nn

from ..config import Choice, FloatRange, NetworkSettings
from .base import Architecture, AttentiveStatistics, InputShape, scaled

__all__ = ["ARCHITECTURE", "AttentiveProbe", "AttentiveProbeSettings"]


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


class AttentiveProbe(nn.Module):
    """Segments (B, C, F, T), where C are an encoder's layers, to logits (B, K)."""

    def __init__(self, settings: AttentiveProbeSettings, shape: InputShape, n_classes: int) -> None:
        """Create the layers for C layers of F units, and any T."""
        super().__init__()
        projection, hidden = (scaled(size, settings.width) for size in (settings.projection, settings.hidden))
        self.layer_scores = nn.Parameter(torch.zeros(shape.channels))
        self.projection = nn.Sequential(nn.Dropout(settings.dropout), nn.Linear(shape.bands, projection), nn.GELU())
        self.statistics = AttentiveStatistics(projection, projection)
        self.classifier = nn.Sequential(
            nn.Dropout(settings.dropout),
            nn.Linear(2 * projection, hidden),
            nn.GELU(),
            nn.Dropout(settings.dropout),
            nn.Linear(hidden, n_classes),
        )

    def forward(self, segments: Tensor, lengths: Tensor | None = None) -> Tensor:
        """Return logits (B, K) of segments (B, C, F, T), or of padded utterances with `lengths` (B,) in frames."""
        layers_last = segments.permute(0, 2, 3, 1)  # contiguous where segments are channels-last: nothing is copied
        mixed = layers_last @ torch.softmax(self.layer_scores, dim=0).to(segments.dtype)  # (B, F, T)
        frames = mixed.transpose(1, 2)
        real = None
        if lengths is not None:
            real = torch.arange(segments.shape[3], device=segments.device) < lengths[:, None]
        logits: Tensor = self.classifier(self.statistics(self.projection(frames), real))
        return logits


ARCHITECTURE = Architecture(
    name="attentive_probe",
    settings=AttentiveProbeSettings,
    build=AttentiveProbe,
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
