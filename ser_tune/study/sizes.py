"""Sizes of a study's networks, known before any of them is made."""

import torch

from ..training import AnyTrial, recipe_of
from .definition import StudyDefinition

__all__ = ["largest_network_bytes", "network_bytes"]


def network_bytes(definition: StudyDefinition, config: AnyTrial, n_classes: int) -> int:
    """Bytes of one network's weights, without allocating them.

    Raises:
        ConfigError: The architecture cannot be built for such segments.
    """
    labels = tuple(map(str, range(n_classes)))
    with torch.device("meta"):
        network = recipe_of(config, labels, definition.config.protocol.aggregation).build_network()
    return sum(tensor.numel() * tensor.element_size() for tensor in network.state_dict().values())


def largest_network_bytes(definition: StudyDefinition, n_classes: int) -> int:
    """Bytes of the largest network: of what is published, every corner of what varies, and the corners' maxima.

    Raises:
        ConfigError: A corner of the search cannot be built.
    """
    corners = [{path: corner} for path, span in definition.search.items() for corner in span.corners()]
    numeric = {
        path: max(corner for corner in span.corners() if isinstance(corner, int | float))
        for path, span in definition.search.items()
        if all(isinstance(corner, int | float) for corner in span.corners())
    }
    drawn = [{}, definition.published, *corners, numeric]
    return max(network_bytes(definition, definition.trial(one), n_classes) for one in drawn)
