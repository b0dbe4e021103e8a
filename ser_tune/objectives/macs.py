"""`macs`: multiply-adds of a fold's network for an utterance of one second, with those of a pretrained encoder.

Convolutions, linear and recurrent layers and products of matrices are counted, by PyTorch's `FlopCounterMode`, whose
operations are two for each multiply-add. Front ends that are no networks, such as spectrograms, count nothing. A
network that reads segments of one length computes a whole segment for a second.
"""

import warnings
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from functools import lru_cache
from typing import TYPE_CHECKING

from ..encoders import CheckpointSettings
from .base import cost
from .utterances import features_of_second, run_network

if TYPE_CHECKING:
    from ..prediction import Recipe

__all__ = ["OBJECTIVE", "multiply_adds"]


def multiply_adds(recipe: "Recipe") -> float:
    """Multiply-adds of a network of random weights.

    Raises:
        ConfigError: The architecture cannot be built for such segments.
    """
    return _counted(recipe.as_json())


@lru_cache(maxsize=64)
def _counted(written: str) -> float:
    """Multiply-adds of a recipe, as text."""
    import torch
    from torch.utils.flop_counter import FlopCounterMode  # imports Triton, which takes a third of a second

    from ..prediction import Recipe

    recipe = Recipe.from_json(written)
    with torch.random.fork_rng(devices=[]):
        network = recipe.build_network()
    counter, is_network = FlopCounterMode(display=False), isinstance(recipe.features, CheckpointSettings)
    with _counted_operations():
        with counter if is_network else nullcontext():
            features = features_of_second(recipe)
        before = counter.get_total_flops() if is_network else 0  # a counter that is entered again begins at 0
        with counter:
            run_network(recipe, network, features)
    return (before + counter.get_total_flops()) / 2


@contextmanager
def _counted_operations() -> Iterator[None]:
    """Within this context, recurrent layers and attention are made of operations that the counter counts."""
    import torch
    from torch.nn.attention import SDPBackend, sdpa_kernel

    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # of TF32, which Intel's processors do not have
        with torch.backends.mkldnn.flags(enabled=False), sdpa_kernel(SDPBackend.MATH):
            yield


OBJECTIVE = cost("macs", "multiply-adds for one second of speech", of_recipe=multiply_adds)
