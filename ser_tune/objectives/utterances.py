"""A network run on an utterance of a second of noise."""

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from ..audio import SAMPLE_RATE_HZ
from ..config import AdaptationSettings
from ..features import Scaling

if TYPE_CHECKING:
    from torch import nn

    from ..prediction import Recipe, UtteranceFeatures

__all__ = ["features_of_second", "run_network"]

LEVEL = 0.1
"""Standard deviation of the noise; full scale is 1."""


def features_of_second(recipe: "Recipe") -> "UtteranceFeatures":
    """Features of an utterance of one second of noise.

    Raises:
        AudioError: The front end needs a longer utterance.
    """
    from ..prediction import Heard, Predictor, utterance_features

    noise = np.random.default_rng(0).normal(0.0, LEVEL, SAMPLE_RATE_HZ).astype(np.float32)
    (frames,) = Predictor(recipe, [], []).extract([Heard("a second of noise", noise)])
    return utterance_features(recipe, frames, np.array([0, len(frames)]))


def run_network(recipe: "Recipe", network: "nn.Module", features: "UtteranceFeatures") -> None:
    """Run a network on the features of a single utterance, which are scaled as they are, without adaptation."""
    from ..prediction import Predictor

    shift = np.zeros(recipe.shape, dtype=np.float32)
    unadapted = replace(recipe, adaptation=AdaptationSettings())
    predictor = Predictor(unadapted, [network], [Scaling(shift=shift, spread=shift + 1)])
    predictor.outputs(0, features, np.arange(1), np.zeros(1, dtype=np.int64))
