"""Sizes of a study's networks, known before any of them is made."""

from ..config import AnyTrial
from ..objectives import network_bytes as bytes_of
from ..training import recipe_of
from .study_definition import StudyDefinition

__all__ = ["largest_network_bytes", "network_bytes"]


def network_bytes(definition: StudyDefinition, config: AnyTrial, names: tuple[str, ...]) -> int:
    """Bytes of one network's weights, without allocating them; `names` are those of its outputs.

    Raises:
        ConfigError: The architecture cannot be built for such segments.
    """
    return bytes_of(recipe_of(config, names, definition.goal))


def largest_network_bytes(definition: StudyDefinition, names: tuple[str, ...]) -> int:
    """Bytes of the largest network: of the published configuration, every corner of the search, and their maxima.

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
    return max(network_bytes(definition, definition.trial(values), names) for values in drawn)
