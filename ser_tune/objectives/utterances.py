"""Features of utterances that are in no cache of a corpus's features: of a second of noise, of disturbed recordings."""

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from ..audio import SAMPLE_RATE_HZ
from ..config import AdaptationSettings
from ..features import FEATURE_SETS, FeatureStore, Scaling

if TYPE_CHECKING:
    from torch import nn

    from ..prediction import Recipe, UtteranceFeatures

__all__ = ["features_of_second", "run_network", "utterance_features"]

LEVEL = 0.1
"""Standard deviation of the noise; full scale is 1."""


def utterance_features(recipe: "Recipe", frames: np.ndarray, offsets: np.ndarray) -> "UtteranceFeatures":
    """Extracted features as the networks of a recipe read them, on the CPU.

    Args:
        recipe: Its settings choose channels.
        frames: All frames one after another, shape (N, C, F).
        offsets: Start of each utterance, and N at the end, shape (U + 1,).
    """
    import torch

    from ..prediction import UtteranceFeatures

    channels = FEATURE_SETS.get(recipe.features.name).channels(recipe.features)
    return UtteranceFeatures.of(FeatureStore.of(frames, offsets).channels(channels), torch.device("cpu"))


def features_of_second(recipe: "Recipe") -> "UtteranceFeatures":
    """Features of an utterance of one second of noise.

    Raises:
        AudioError: The front end needs a longer utterance.
    """
    from ..prediction import Heard, Predictor

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
