"""The largest network of a search."""

from collections.abc import Callable
from typing import Any

from ser_tune.definition.sizes import largest_network_bytes, network_bytes
from ser_tune.search import define_study


def test_the_largest_network_is_at_least_that_of_any_corner(tiny: Callable[..., Any]) -> None:
    definition = define_study(None, flags={"model.name": "3d_acrnn", "corpus.name": "emodb"})
    largest = largest_network_bytes(definition, tuple("abcdefg"))
    for path, span in definition.search.items():
        for corner in span.corners():
            assert network_bytes(definition, definition.trial({path: corner}), tuple("abcdefg")) <= largest
    assert largest_network_bytes(tiny(), ("a", "b")) < largest
