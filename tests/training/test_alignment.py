"""Corpora that are made alike in training: scores that copies do not change, whitened corpora."""

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest

from ser_tune.architectures import ARCHITECTURES, Shared
from ser_tune.config import AlignmentSettings, PerturbationSettings
from ser_tune.features import FeatureStore
from ser_tune.prediction import UtteranceFeatures
from ser_tune.training import AnyTrial, FittedNetwork, TrainingData, fit
from tests.goals import GOAL

TRAIN = np.arange(18)
COPIED = PerturbationSettings(copies=1, gain_db=6)
STABLE = COPIED.model_copy(update={"stability": 1000.0})


@pytest.fixture
def probe(config: Callable[..., AnyTrial]) -> Callable[..., AnyTrial]:
    """A configuration of a linear probe of whole utterances."""

    def _probe(**sections: object) -> AnyTrial:
        settings = ARCHITECTURES.get("linear_probe").settings.model_validate({})
        return config(segments__frames=None).model_copy(update={"model": settings, **sections})

    return _probe


def _fit(config: AnyTrial, data: TrainingData) -> FittedNetwork:
    return fit(config, data, TRAIN, np.arange(18, 24), seed=1, goal=GOAL)


def _features(data: TrainingData, change: Callable[[np.ndarray], None]) -> UtteranceFeatures:
    frames = data.features.frames.numpy().copy()
    change(frames)
    return UtteranceFeatures.of(FeatureStore.of(frames, data.features.offsets), data.features.frames.device)


@pytest.mark.parametrize("shared", [False, True])
def test_a_probe_does_without_features_that_copies_change(
    probe: Callable[..., AnyTrial], data: TrainingData, shared: bool
) -> None:
    def disturb(frames: np.ndarray) -> None:
        lengths = np.diff(data.features.offsets)
        frames[:, 0, 5] += np.repeat(np.random.default_rng(3).normal(0, 5, size=24), lengths)

    copied = replace(data, copies=(_features(data, disturb),))
    if shared:
        copied = replace(copied, source="features of a corpus", shared=Shared(1e8))

    def weights(perturbation: PerturbationSettings) -> np.ndarray:
        network = _fit(probe(perturbation=perturbation), copied).network
        return np.abs(network.classifier.weight.detach().numpy()).reshape(3, 3, 8)  # type: ignore[union-attr, operator]

    for _ in range(2):  # the second time from what trials share
        steady, plain = weights(STABLE), weights(COPIED)
    assert steady[:, 0, 5].max() < 0.02 * plain[:, 0, 5].max()
    assert steady[:, 0, :5].max() > 0.3 * plain[:, 0, :5].max()


def test_trials_share_whitened_corpora(probe: Callable[..., AnyTrial], data: TrainingData) -> None:
    corpora = (np.arange(24) % 2).astype(np.int64)

    def shift(frames: np.ndarray) -> None:
        frames[np.repeat(corpora, np.diff(data.features.offsets)) == 1] += 20

    alone = replace(data, features=_features(data, shift), corpora=corpora)
    shared = replace(alone, source="a union", shared=Shared(1e8))
    whitened, unchanged = (probe(alignment=AlignmentSettings(kind=kind)) for kind in ("whitening", "none"))
    found = [_fit(config, own) for config, own in ((whitened, alone), (unchanged, shared), (whitened, shared)) * 2]
    weights = [fitted.network.classifier.weight.detach().numpy() for fitted in found]  # type: ignore[union-attr, operator]
    for number in (2, 3, 5):
        np.testing.assert_array_equal(weights[number], weights[0])
    assert np.abs(weights[1] - weights[0]).max() > 0.01 * np.abs(weights[0]).max()
