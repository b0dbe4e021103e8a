"""The network of `attentive_probe`."""

import torch
from torch import Tensor, nn

from ..attentive_probe import AttentiveProbeSettings
from ..base import InputShape
from .layers import AttentiveStatistics, scaled

__all__ = ["AttentiveProbe"]


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
