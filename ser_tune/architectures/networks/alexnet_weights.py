"""Initial weights from torchvision's AlexNet, for every network that has its convolutions."""

from collections.abc import Mapping
from pathlib import Path
from urllib.error import URLError

import torch
from torch import Tensor, nn

from ...errors import ConfigError
from ..pretrained import PretrainedSettings, Weights

__all__ = ["copy_weights", "initialise_convolutions"]

FIRST = "features.0.weight"
CONVOLUTIONS = (FIRST, *(f"features.{number}.weight" for number in (3, 6, 8, 10)))
"""Torchvision's names."""


def initialise_convolutions(network: nn.Module, settings: PretrainedSettings) -> None:
    """Give a network whose `convolutions` are AlexNet's with batch norm the kernels that its settings ask for.

    Their biases are left out: batch norm would subtract them again. Errors are those of `copy_weights`.
    """
    layers = network.get_submodule("convolutions").named_children()
    own = [f"convolutions.{name}.weight" for name, layer in layers if isinstance(layer, nn.Conv2d)]
    copy_weights(network, dict(zip(own, CONVOLUTIONS, strict=True)), settings.weights)


def copy_weights(network: nn.Module, names: Mapping[str, str], weights: Weights) -> None:
    """Copy tensors of torchvision's AlexNet; the first layer's three colours are averaged over the input channels.

    Args:
        network: Left alone where `weights` is `none`.
        names: The network's own name of every tensor to fill, to torchvision's.
        weights: `none`, `imagenet` (downloaded by torchvision), or a file.

    Raises:
        ConfigError: The weights cannot be had, or do not fit.
    """
    if weights == "none":
        return
    state, own = _pretrained(weights), network.state_dict()
    if missing := sorted(set(names.values()) - set(state)):
        raise ConfigError(f"model.weights '{weights}' lacks '{missing[0]}'; expected torchvision's AlexNet")
    copied = {}
    for name, theirs in names.items():
        tensor, shape = state[theirs], own[name].shape
        if theirs == FIRST and tensor.shape[1] != shape[1]:
            tensor = tensor.sum(dim=1, keepdim=True).expand(-1, shape[1], -1, -1) / shape[1]
        if tensor.shape != shape:
            raise ConfigError(
                f"model.weights '{weights}': '{theirs}' has shape {tuple(tensor.shape)}; expected {tuple(shape)}"
            )
        copied[name] = tensor
    network.load_state_dict(copied, strict=False)


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
