"""`finetuned_encoder`: a pretrained speech encoder whose top layers learn the emotions, for users with a GPU."""

from typing import TYPE_CHECKING, Annotated, Literal

from pydantic import Field

from ..config import Choice, FloatRange, ModelSettings
from ..encoders import CheckpointSettings
from .base import Architecture, InputShape

if TYPE_CHECKING:
    from torch import nn

__all__ = ["ARCHITECTURE", "FinetunedEncoderSettings"]


class FinetunedEncoderSettings(CheckpointSettings, ModelSettings):
    """An encoder, the weighted mean of its layers over time, and a linear classifier."""

    name: Literal["finetuned_encoder"] = "finetuned_encoder"
    """The architecture."""
    trainable_layers: Annotated[int, Field(ge=0, le=200), Choice((1, 2, 4))] = 2
    """Transformer layers that learn, counted from the top; 0 trains the classifier and the layers' weights alone."""
    adapter: Annotated[Literal["none", "lora"], Choice(("none", "lora"))] = "none"
    """Weights that learn in those layers: none, all; lora, low-rank adapters of their attention (Hu et al.
    2021, arXiv 2106.09685), of WavLM their feed-forward maps."""
    lora_rank: Annotated[int, Field(ge=1, le=256)] = 8
    """Rank of the adapters."""
    dropout: Annotated[float, Field(ge=0, lt=1), FloatRange(low=0.0, high=0.5)] = 0.1
    """Dropout before the classifier."""
    gradient_checkpointing: bool = False
    """Compute the trained layers again in the backward pass: less memory, more time."""


def build(settings: FinetunedEncoderSettings, shape: InputShape, n_classes: int) -> "nn.Module":
    """Make the network for segments of a shape."""
    from .networks.finetuned_encoder import FinetunedEncoder

    return FinetunedEncoder(settings, shape, n_classes)


ARCHITECTURE = Architecture(
    name="finetuned_encoder",
    settings=FinetunedEncoderSettings,
    build=build,
    citation="J. Wagner et al.: Dawn of the Transformer Era in Speech Emotion Recognition, arXiv 2203.07378, 2022; "
    "adapters: E. J. Hu et al.: LoRA, arXiv 2106.09685, 2021",
    shortest_frames=2,
    requirements=("peft", "transformers"),
    defaults={
        "features.name": "waveform",
        "segments.frames": None,
        "normalisation.kind": "none",
        "optimizer.learning_rate": 1e-4,
        "training.batch_size": 8,
        "training.epochs": 10,
    },
    search={
        "segments.frames": None,
        "augmentation.specaugment": None,
        "augmentation.mixup": None,
        "loss.class_weighting": None,
        "optimizer.name": None,
        "optimizer.learning_rate": FloatRange(low=1e-5, high=1e-3, log=True),
        "training.batch_size": None,
    },
)
