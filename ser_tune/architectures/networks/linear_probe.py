"""The network of `linear_probe`."""

import torch
from torch import Tensor, nn

from ..base import InputShape
from ..linear_probe import LinearProbeSettings, chosen_layers

__all__ = ["LinearProbe", "averaged"]


class LinearProbe(nn.Module):
    """Segments (B, C, F, T) to logits (B, K): the mean over T, then a linear map of chosen channels."""

    layer_weights: Tensor
    temperature: Tensor

    def __init__(self, settings: LinearProbeSettings, shape: InputShape, n_classes: int) -> None:
        """Create the layers for any T; `ConfigError` where there is no such channel."""
        super().__init__()
        self.channels = chosen_layers(settings.layers, shape.channels)
        self.weighted = settings.layers == "weighted"
        read = shape.bands * (1 if self.weighted else len(self.channels))
        self.classifier = nn.Linear(read, n_classes)
        self.register_buffer("layer_weights", torch.full((len(self.channels),), 1 / len(self.channels)))
        self.register_buffer("temperature", torch.ones(()))

    def features(self, segments: Tensor, lengths: Tensor | None = None) -> Tensor:
        """Chosen channels (B, chosen, F) of segments (B, C, F, T), averaged over their real frames.

        Segments may be of the chosen channels alone.
        """
        return averaged(segments if len(self.channels) == segments.shape[1] else segments[:, self.channels], lengths)

    def forward(self, segments: Tensor, lengths: Tensor | None = None) -> Tensor:
        """Return logits (B, K) of segments (B, C, F, T), or of padded utterances with `lengths` (B,) in frames."""
        features = self.features(segments, lengths)
        if self.weighted:
            features = (features * self.layer_weights[:, None]).sum(dim=1)
        logits: Tensor = self.classifier(features.flatten(start_dim=1)) / self.temperature
        return logits


def averaged(segments: Tensor, lengths: Tensor | None = None) -> Tensor:
    """The mean over real frames (B, C, F) of segments (B, C, F, T)."""
    if segments.shape[3] == 1:
        return segments[..., 0]
    if lengths is None:
        return segments.mean(dim=3)
    real = torch.arange(segments.shape[3], device=segments.device) < lengths[:, None]
    return torch.einsum("bcft,bt->bcf", segments, real / lengths.clamp(min=1)[:, None])
