"""Corpora that are made alike in training: scores that copies do not change, whitened corpora."""

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import nn

from ser_tune.architectures import ARCHITECTURES, Shared
from ser_tune.config import AlignmentSettings, PerturbationSettings
from ser_tune.errors import ConfigError
from ser_tune.features import FeatureStore
from ser_tune.prediction import UtteranceFeatures
from ser_tune.training import AnyTrial, FittedNetwork, TrainingData, fit
from ser_tune.training.alignment.domains import DomainClassifier
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


def _with_unlabelled(data: TrainingData) -> TrainingData:
    return replace(data, unlabelled=_features(data, lambda frames: frames.__iadd__(5.0)))


@pytest.mark.parametrize("kind", ["adversarial", "mean_teacher"])
@pytest.mark.parametrize("unlabelled", [True, False])
def test_networks_learn_with_a_further_loss(
    config: Callable[..., AnyTrial], data: TrainingData, kind: str, unlabelled: bool
) -> None:
    if kind == "mean_teacher" and not unlabelled:
        pytest.skip("a teacher needs unlabelled speech")
    union = replace(data, corpora=(np.arange(24) % 2).astype(np.int64))
    union = _with_unlabelled(union) if unlabelled else union
    trained = {
        strength: fit(
            config(alignment={"kind": kind, "strength": strength}), union, TRAIN, np.arange(18, 24), seed=1, goal=GOAL
        )
        for strength in (1e-9, 1.0)
    }
    weights = [next(fitted.network.parameters()).detach().numpy() for fitted in trained.values()]
    assert np.isfinite(weights[1]).all()
    assert np.abs(weights[0] - weights[1]).max() > 1e-6


def test_the_gradient_of_the_classifier_of_corpora_is_reversed_for_the_network() -> None:
    torch.manual_seed(0)
    corpora, features = torch.tensor([0, 0, 0, 1]), torch.randn(4, 5, requires_grad=True)
    classifier = DomainClassifier(5, np.array([3, 1]))
    classifier.loss(features, corpora, 0.7).backward()
    assert features.grad is not None
    reversed_slope, own = features.grad.clone(), [weight.grad.clone() for weight in classifier.parameters()]
    features.grad = None
    classifier.zero_grad()
    weights = torch.tensor([2 / 3, 2.0])  # corpora count alike
    nn.functional.cross_entropy(classifier.layers(features), corpora, weight=weights).backward()
    torch.testing.assert_close(reversed_slope, -0.7 * features.grad)
    for weight, slope in zip(classifier.parameters(), own, strict=True):
        torch.testing.assert_close(slope, weight.grad)


def test_coral_recognises_speech_like_the_unlabelled(probe: Callable[..., AnyTrial], data: TrainingData) -> None:
    target = replace(data, unlabelled=_features(data, lambda frames: frames.__imul__(-1.0)))
    aligned = _fit(probe(alignment=AlignmentSettings(kind="coral", shrinkage=1.0)), target)
    means = data.features.moments.total[18:] / data.features.moments.count[18:, None, None]
    assert aligned.scaling is not None
    network, scaling = aligned.network, aligned.scaling

    def scores(features: np.ndarray) -> np.ndarray:
        scaled = ((features - scaling.shift) / scaling.spread).astype(np.float32)
        return network(torch.from_numpy(scaled[..., None])).detach().numpy()  # type: ignore[no-any-return]

    offset = _mean_of(target.unlabelled) - _mean_of(data.features)
    assert (scores(means + offset).argmax(axis=1) == data.targets.values[18:]).all()


def _mean_of(features: UtteranceFeatures | None) -> np.ndarray:
    """Mean over utterances of the means of their frames, shape (C, F)."""
    assert features is not None
    means: np.ndarray = (features.moments.total / features.moments.count[:, None, None]).mean(axis=0)
    return means


def test_adversarial_training_mixes_no_segments(config: Callable[..., AnyTrial]) -> None:
    with pytest.raises(ConfigError, match="of no single corpus"):
        config(alignment__kind="adversarial", augmentation__mixup=True)
