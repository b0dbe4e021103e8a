"""Adaptation takes no label of held-out speakers, and normalisation nothing of them."""

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest

from ser_tune.features import Moments
from ser_tune.training import AnyTrial, FittedNetwork, TrainingData, fit, fold_statistics
from tests.goals import GOAL

Config = Callable[..., AnyTrial]
TRAIN, HELD_OUT = np.arange(12), np.arange(12, 24)
KINDS = [(kind, scope) for kind in ("statistics", "prototypes", "prior") for scope in ("train", "speaker")]


def _relabelled(data: TrainingData, seed: int) -> TrainingData:
    """The same corpus with other labels of held-out speakers."""
    values = data.targets.values.copy()
    values[HELD_OUT] = np.random.default_rng(seed).integers(0, 3, len(HELD_OUT))
    return replace(data, targets=replace(data.targets, values=values, strata=values))


def _fitted(config: AnyTrial, data: TrainingData) -> FittedNetwork:
    return fit(config, data, TRAIN, HELD_OUT, seed=1, goal=GOAL)


@pytest.mark.parametrize(("kind", "scope"), KINDS)
def test_labels_of_held_out_speakers_change_neither_networks_nor_what_adapts_them(
    config: Config, data: TrainingData, kind: str, scope: str
) -> None:
    adapting = config(adaptation__kind=kind, normalisation__scope=scope, training__epochs=1)
    found, other = (_fitted(adapting, version) for version in (data, _relabelled(data, 3)))
    for name, tensor in found.network.state_dict().items():
        np.testing.assert_array_equal(tensor.numpy(), other.network.state_dict()[name].numpy())
    assert (found.prototypes is None) == (kind == "statistics")
    if found.prototypes is not None and other.prototypes is not None:
        np.testing.assert_array_equal(found.prototypes.means, other.prototypes.means)
        np.testing.assert_array_equal(found.prototypes.shares, other.prototypes.shares)
    # Judged by what was heard of them, and not by their labels; the scores are of other labels
    np.testing.assert_array_equal(found.validation, other.validation)
    assert found.history[-1].validation != other.history[-1].validation


@pytest.mark.parametrize("scope", ["train", "corpus"])
@pytest.mark.parametrize("statistics", ["clean", "all"])
def test_statistics_are_of_training_speakers_and_of_their_copies_alone(
    config: Config, data: TrainingData, scope: str, statistics: str
) -> None:
    frames = data.features.frames.clone()
    frames[data.features.offsets[12] :] *= 50
    louder = replace(data.features, frames=frames, moments=Moments.of(frames.numpy(), data.features.offsets))
    wanted = config(
        normalisation__scope=scope,
        perturbation__copies=1,
        perturbation__pitch_semitones=1.0,
        perturbation__statistics=statistics,
    )
    corpora = np.arange(24) % 2  # each with training speakers, so that nothing is transductive
    quiet, loud = (
        replace(data, corpora=corpora, features=clean, copies=(copy,))
        for clean, copy in ((data.features, data.features), (louder, louder))
    )
    before, after = (fold_statistics(wanted, version, TRAIN) for version in (quiet, loud))
    assert before.train_scaling is not None
    assert after.train_scaling is not None
    np.testing.assert_array_equal(before.train_scaling.shift, after.train_scaling.shift)
    np.testing.assert_array_equal(before.train_scaling.spread, after.train_scaling.spread)
    for number in np.unique(before.scaling_number):
        np.testing.assert_array_equal(before.scalings[number].shift, after.scalings[number].shift)
