"""What training derives from data: of the training side alone, and all that `fit` takes."""

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest

from ser_tune.config import NormalisationSettings
from ser_tune.features import Moments, normalisation
from ser_tune.prediction import scaling_of_utterances
from ser_tune.training import AnyTrial, TrainingData, fold_statistics

Config = Callable[..., AnyTrial]
TRAIN = np.arange(12)


def test_scope_train_has_one_scaling_for_everybody(config: Config, data: TrainingData) -> None:
    found = fold_statistics(config(), data, TRAIN)
    assert found.train_scaling is not None
    assert found.scalings == [found.train_scaling]
    np.testing.assert_array_equal(found.scaling_number, np.zeros(24))
    frames = data.features.frames.numpy()[: data.features.offsets[12]]
    np.testing.assert_allclose(found.train_scaling.shift, frames.mean(axis=0), atol=1e-4)
    np.testing.assert_allclose(found.train_scaling.spread, frames.std(axis=0), atol=1e-4)


@pytest.mark.parametrize(("scope", "count"), [("utterance", 24), ("speaker", 4)])
def test_other_scopes_have_a_scaling_for_every_group(
    config: Config, data: TrainingData, scope: str, count: int
) -> None:
    found = fold_statistics(config(normalisation__scope=scope), data, TRAIN)
    assert found.train_scaling is None
    assert len(found.scalings) == count
    groups = data.speakers if scope == "speaker" else np.arange(24)
    np.testing.assert_array_equal(found.scaling_number, groups)
    third = np.concatenate(
        [
            data.features.frames.numpy()[data.features.offsets[one] : data.features.offsets[one + 1]]
            for one in np.flatnonzero(groups == 3)
        ]
    )
    np.testing.assert_allclose(found.scalings[3].shift, third.mean(axis=0), atol=1e-4)


def test_scope_corpus_scales_each_corpus_by_its_own_training_utterances(config: Config, data: TrainingData) -> None:
    union = replace(data, corpora=np.arange(24) % 3)
    train = np.array([0, 1, 3, 4, 6])  # corpora 0 and 1
    found = fold_statistics(config(normalisation__scope="corpus"), union, train)
    moments, settings = data.features.moments, NormalisationSettings()
    sources = [[0, 3, 6], [1, 4], range(2, 24, 3)]  # of a corpus that nobody trains in, all
    for number, source in enumerate(sources):
        expected = moments.scaling(np.array(source), settings)
        own = found.scalings[found.scaling_number[number + 12]]
        np.testing.assert_array_equal(own.shift, expected.shift)
        np.testing.assert_array_equal(own.spread, expected.spread)
    assert found.train_scaling is not None
    assert found.train_scaling.of_corpus(2) is None
    np.testing.assert_array_equal(found.train_scaling.channels([0]).shift[:2], found.train_scaling.shift[:2, :1])
    # Without copies of the training's statistics, utterances are taken for those of a corpus of their own
    alone = scaling_of_utterances(
        moments, NormalisationSettings(scope="corpus"), train=found.train_scaling, speakers=data.speakers
    )
    assert len(alone[0]) == 1
    np.testing.assert_array_equal(alone[0][0].shift, moments.scaling(np.arange(24), settings).shift)


@pytest.mark.parametrize(("frames", "hop"), [(16, None), (16, 5), (48, None)])
def test_training_segments_of_each_class_are_counted(
    config: Config, data: TrainingData, frames: int, hop: int | None
) -> None:
    found = fold_statistics(config(segments__frames=frames, segments__hop_frames=hop), data, TRAIN)
    lengths = np.diff(data.features.offsets)[TRAIN]
    segments = 1 + np.ceil(np.maximum(lengths - frames, 0) / (hop or frames))
    expected = [segments[data.targets.values[TRAIN] == label].sum() for label in range(3)]
    assert found.stratum_counts.tolist() == expected


def test_a_class_that_nobody_trains_with_is_counted_as_0(config: Config, data: TrainingData) -> None:
    found = fold_statistics(config(segments__frames=None), data, np.array([0, 3, 2]))
    assert found.stratum_counts.tolist() == [2, 0, 1]


@pytest.mark.parametrize("kind", ["standard", "minmax"])
@pytest.mark.parametrize("single", [True, False])
def test_statistics_of_blocks_are_those_of_all_utterances_at_once(
    kind: str, single: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    rng = np.random.default_rng(0)
    lengths = np.ones(50, dtype=np.int64) if single else rng.integers(1, 9, 50)
    frames = (100 + rng.standard_normal((lengths.sum(), 2, 3))).astype(np.float16)
    moments = Moments.of(frames, np.append(0, np.cumsum(lengths)))
    settings = NormalisationSettings.model_validate({"kind": kind})
    expected = moments.scaling(np.arange(5, 50), settings)
    monkeypatch.setattr(normalisation, "VALUES", 40)
    found = moments.scaling(np.arange(5, 50), settings)
    np.testing.assert_allclose(found.shift, expected.shift, rtol=1e-7)
    np.testing.assert_allclose(found.spread, expected.spread, rtol=1e-6)
