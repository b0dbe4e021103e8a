"""The network of `alex_net`."""

from torch import Tensor, nn

from ..alex_net import AlexNetSettings
from ..base import InputShape
from .alexnet_weights import copy_weights
from .convolutions import alexnet_convolutions, check_input
from .layers import scaled

__all__ = ["AlexNet", "initialise_layers"]


class AlexNet(nn.Module):
    """Segments (B, C, F, T) to logits (B, K). Parameters are named as torchvision names them."""

    def __init__(self, settings: AlexNetSettings, shape: InputShape, n_classes: int) -> None:
        """Create the layers; maps are pooled to 6 × 6 whatever F and T. `ConfigError` below AlexNet's least size."""
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


def initialise_layers(network: nn.Module, settings: AlexNetSettings) -> None:
    """Load the pretrained weights of the settings into a new network, in all layers but the last."""
    last = ("classifier.6.weight", "classifier.6.bias")
    copy_weights(network, {name: name for name in network.state_dict() if name not in last}, settings.weights)
