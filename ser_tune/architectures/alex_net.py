"""`alex_net`: torchvision's AlexNet, adapted to the number of channels and classes."""

from pathlib import Path
from typing import Annotated, Literal
from urllib.error import URLError

import torch
from pydantic import Field, model_validator
from torch import Tensor, nn

from ..config import Choice, FloatRange, ModelSettings
from ..errors import ConfigError
from .base import Architecture, InputShape, scaled
from .convolutions import alexnet_convolutions, check_input

__all__ = ["ARCHITECTURE", "AlexNet", "AlexNetSettings"]


class AlexNetSettings(ModelSettings):
    """The published sizes."""

    name: Literal["alex_net"] = "alex_net"
    """The architecture."""
    dropout: Annotated[float, Field(ge=0, lt=1), FloatRange(low=0.2, high=0.7)] = 0.5
    """Dropout before both hidden layers of the classifier."""
    weights: Literal["none", "imagenet"] | Path = "none"
    """Initial weights: none (random), imagenet (downloaded by torchvision), or a file that holds them."""

    @model_validator(mode="after")
    def _weights_have_one_width(self) -> "AlexNetSettings":
        if self.weights != "none" and self.width != 1:
            raise ValueError(f"model.width must be 1 with model.weights {self.weights}, not {self.width}")
        return self


class AlexNet(nn.Module):
    """Segments (B, C, F, T) to logits (B, K). Parameters are named as torchvision names them."""

    def __init__(self, settings: AlexNetSettings, shape: InputShape, n_classes: int) -> None:
        """Create the layers.

        Args:
            settings: Width and dropout.
            shape: Only C matters: the maps are pooled to 6 × 6 whatever F and T.
            n_classes: K.

        Raises:
            ConfigError: The segments are too small for AlexNet's poolings.
        """
        super().__init__()
        check_input(shape)
        maps, hidden = scaled(256, settings.width), scaled(4096, settings.width)
        self.features = alexnet_convolutions(shape.channels, settings.width, batch_norm=False)
        self.avgpool = nn.AdaptiveAvgPool2d((6, 6))
        self.classifier = nn.Sequential(
            nn.Dropout(settings.dropout),
            nn.Linear(maps * 36, hidden),
            nn.ReLU(inplace=True),
            nn.Dropout(settings.dropout),
            nn.Linear(hidden, hidden),
            nn.ReLU(inplace=True),
            nn.Linear(hidden, n_classes),
        )

    def forward(self, segments: Tensor) -> Tensor:
        """Classify segments (B, C, F, T); returns logits (B, K)."""
        logits: Tensor = self.classifier(self.avgpool(self.features(segments)).flatten(1))
        return logits


def initialise(network: AlexNet, settings: AlexNetSettings) -> None:
    """Give a new network the pretrained weights that its settings ask for.

    Raises:
        ConfigError: The weights cannot be had, or do not fit.
    """
    if settings.weights != "none":
        _load_weights(network, _pretrained(settings.weights), str(settings.weights))


def _pretrained(weights: str | Path) -> dict[str, Tensor]:
    """Torchvision's AlexNet weights, from its own download or from a file."""
    if weights == "imagenet":
        from torchvision.models import AlexNet_Weights

        try:
            downloaded: dict[str, Tensor] = AlexNet_Weights.IMAGENET1K_V1.get_state_dict(
                progress=False, check_hash=True
            )
        except (URLError, OSError, RuntimeError) as error:
            raise ConfigError(
                f"torchvision could not download AlexNet's ImageNet weights ({error}); where there is no network, "
                f"pass the file: --set model.weights=PATH, from {AlexNet_Weights.IMAGENET1K_V1.url}"
            ) from None
        return downloaded
    try:
        state = torch.load(weights, map_location="cpu", weights_only=True)
    except FileNotFoundError:
        raise ConfigError(f"model.weights is '{weights}'; expected none, imagenet, or an existing file") from None
    except Exception as error:
        reason = str(error).partition("\n")[0]
        raise ConfigError(f"model.weights '{weights}' cannot be read as a torch state dictionary: {reason}") from None
    if not isinstance(state, dict) or not all(isinstance(value, Tensor) for value in state.values()):
        raise ConfigError(f"model.weights '{weights}' holds no state dictionary; expected torchvision's AlexNet")
    return state


def _load_weights(network: AlexNet, state: dict[str, Tensor], source: str) -> None:
    """Copy all layers but the last; the first one's three colours are averaged over the input channels."""
    own = network.state_dict()
    last = ("classifier.6.weight", "classifier.6.bias")
    if missing := sorted(set(own) - set(state) - set(last)):
        raise ConfigError(f"model.weights '{source}' lacks '{missing[0]}'; expected torchvision's AlexNet")
    copied = {name: state[name] for name in own if name not in last}
    first = copied["features.0.weight"]
    channels = own["features.0.weight"].shape[1]
    if first.shape[1] != channels:
        copied["features.0.weight"] = first.sum(dim=1, keepdim=True).expand(-1, channels, -1, -1) / channels
    for name, tensor in copied.items():
        if tensor.shape != own[name].shape:
            raise ConfigError(
                f"model.weights '{source}': '{name}' has shape {tuple(tensor.shape)}; expected {tuple(own[name].shape)}"
            )
    network.load_state_dict(copied, strict=False)


ARCHITECTURE = Architecture(
    name="alex_net",
    settings=AlexNetSettings,
    build=AlexNet,
    initialise=initialise,
    citation="A. Krizhevsky: One weird trick for parallelizing convolutional neural networks, arXiv 1404.5997, 2014",
    search={"features.n_mels": Choice((64, 128))},
    defaults={"features.name": "logmeldeltaspec", "optimizer.learning_rate": 3e-4},
)
