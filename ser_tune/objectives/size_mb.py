"""`size_mb`: the size of a fold's network, in megabytes (10⁶ bytes) of weights as its safetensors file has them.

A registered model holds a network of this size for each fold.
"""

from typing import TYPE_CHECKING

from .base import cost

if TYPE_CHECKING:
    from ..prediction import Recipe

__all__ = ["OBJECTIVE", "network_bytes"]


def network_bytes(recipe: "Recipe") -> int:
    """Bytes of a network's weights, without allocating them.

    Raises:
        ConfigError: The architecture cannot be built for such segments.
    """
    import torch

    with torch.device("meta"):
        network = recipe.build_network()
    return sum(tensor.numel() * tensor.element_size() for tensor in network.state_dict().values())


def megabytes(recipe: "Recipe") -> float:
    """The size of a network."""
    return network_bytes(recipe) / 1e6


OBJECTIVE = cost("size_mb", "size in MB", of_recipe=megabytes)
