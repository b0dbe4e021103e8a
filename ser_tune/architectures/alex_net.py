"""`alex_net`: torchvision's AlexNet, adapted to the number of channels and classes."""

from typing import TYPE_CHECKING, Annotated, Literal

from pydantic import Field

from ..config import FloatRange
from .base import Architecture, InputShape
from .pretrained import PretrainedSettings

if TYPE_CHECKING:
    from torch import nn

__all__ = ["ARCHITECTURE", "AlexNetSettings"]


class AlexNetSettings(PretrainedSettings):
    """The published sizes."""

    name: Literal["alex_net"] = "alex_net"
    """The architecture."""
    dropout: Annotated[float, Field(ge=0, lt=1), FloatRange(low=0.2, high=0.7)] = 0.5
    """Dropout before both hidden layers of the classifier."""


def build(settings: AlexNetSettings, shape: InputShape, n_classes: int) -> "nn.Module":
    """Make the network for segments of a shape."""
    from .networks.alex_net import AlexNet

    return AlexNet(settings, shape, n_classes)


def initialise(network: "nn.Module", settings: AlexNetSettings) -> None:
    """Load the pretrained weights of the settings into a new network, in all layers but the last."""
    from .networks.alex_net import initialise_layers

    initialise_layers(network, settings)


ARCHITECTURE = Architecture(
    name="alex_net",
    settings=AlexNetSettings,
    build=build,
    initialise=initialise,
    citation="A. Krizhevsky: One weird trick for parallelizing convolutional neural networks, arXiv 1404.5997, 2014",
    defaults={"features.name": "logmeldeltaspec", "optimizer.learning_rate": 3e-4},
)
