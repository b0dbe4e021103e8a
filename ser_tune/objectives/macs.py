"""`macs`: multiply-adds of a fold's network for an utterance of one second, that of an encoder's front end included.

Products of matrices, convolutions, recurrent layers and attention are counted, by PyTorch's `FlopCounterMode`, whose
operations are two for each multiply-add. Front ends that are not neural networks, such as spectrograms, count nothing.
"""

import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from functools import lru_cache

import torch
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.utils.flop_counter import FlopCounterMode

from ..prediction import Recipe
from .base import cost
from .utterances import predict_second

__all__ = ["OBJECTIVE", "multiply_adds"]


def multiply_adds(recipe: Recipe) -> float:
    """Multiply-adds of a network of random weights.

    Raises:
        ConfigError: The architecture cannot be built for such segments.
    """
    return _counted(recipe.as_json())


@lru_cache(maxsize=64)
def _counted(written: str) -> float:
    """Multiply-adds of a recipe, as text."""
    recipe = Recipe.from_json(written)
    with torch.random.fork_rng(devices=[]):
        network = recipe.build_network()
    with _counted_operations(), FlopCounterMode(display=False) as counter:
        predict_second(recipe, network)
    return float(counter.get_total_flops()) / 2


@contextmanager
def _counted_operations() -> Iterator[None]:
    """Within this context, recurrent layers and attention are made of operations that the counter knows."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # of TF32, which Intel's processors do not have
        with torch.backends.mkldnn.flags(enabled=False), sdpa_kernel(SDPBackend.MATH):
            yield


OBJECTIVE = cost("macs", "multiply-adds a second", of_recipe=multiply_adds)
