"""Adaptation to a speaker: what it takes, whose it is, and that it helps where speakers differ."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from ser_tune.architectures import ARCHITECTURES
from ser_tune.config import AdaptationSettings, NormalisationSettings, SegmentSettings
from ser_tune.features import FEATURE_SETS, FeatureStore, Scaling, Weighed
from ser_tune.prediction import (
    AdaptedNetwork,
    Draw,
    Evidence,
    Predictor,
    Prototypes,
    Recipe,
    SpeakerSets,
    UtteranceFeatures,
    speaker_ratios,
)
from ser_tune.tasks import TASKS

BANDS, CLASSES = 24, 3
STANDARD, TASK = NormalisationSettings(), TASKS.get("classification")
SEEDS = st.integers(0, 2**32 - 1)


def _features(means: np.ndarray) -> UtteranceFeatures:
    """Utterances of a single frame each, from (U, F)."""
    frames = means[:, np.newaxis].astype(np.float32)
    return UtteranceFeatures.of(FeatureStore.of(frames, np.arange(len(means) + 1)), torch.device("cpu"))


def _recipe(kind: str, *, weight: float = 3.0, scope: str = "train") -> Recipe:
    return Recipe(
        labels=("anger", "joy", "sadness"),
        model=ARCHITECTURES.get("linear_probe").settings.model_validate({"name": "linear_probe", "layers": "all"}),
        features=FEATURE_SETS.get("opensmile").settings.model_validate({"name": "opensmile"}),
        shape=(1, BANDS),
        hop_s=None,
        segments=SegmentSettings(frames=None),
        normalisation=NormalisationSettings.model_validate({"scope": scope}),
        adaptation=AdaptationSettings.model_validate({"kind": kind, "weight": weight}),
        aggregation="mean_log_softmax",
    )


def _world(seed: int, classes: Sequence[int]) -> tuple[Recipe, AdaptedNetwork, UtteranceFeatures, np.ndarray]:
    """A network that separates the classes of its training speakers, and a new speaker who is far from these."""
    rng = np.random.default_rng(seed)
    centres = rng.normal(scale=1.0, size=(CLASSES, BANDS))
    trained = Prototypes(centres[:, np.newaxis].astype(np.float32), np.full(CLASSES, 1 / CLASSES, dtype=np.float32))
    recipe = _recipe("prototypes")
    network = recipe.build_network().eval()
    with torch.no_grad():  # the nearest centre
        network.classifier.weight.copy_(torch.from_numpy(centres))
        network.classifier.bias.copy_(torch.from_numpy(-np.square(centres).sum(axis=1) / 2))
    offset = rng.normal(scale=1.2, size=BANDS)
    labels = np.array(classes)
    frames = centres[labels] + offset + rng.normal(scale=0.7, size=(len(labels), BANDS))
    unscaled = Scaling(np.zeros((1, BANDS), dtype=np.float32), np.ones((1, BANDS), dtype=np.float32))
    return recipe, AdaptedNetwork(recipe, network, unscaled, trained), _features(frames), labels


def _right(adapted: AdaptedNetwork, features: UtteranceFeatures, labels: np.ndarray, heard: int | None) -> float:
    which = np.arange(len(labels))
    outputs, _, _ = adapted.outputs(features, which, SpeakerSets.of(which * 0, which, Draw(heard)))
    return float((outputs.argmax(axis=1) == labels).mean())


def _mean_right(kind: str, classes: Sequence[int], heard: int | None, *, weight: float = 3.0) -> float:
    found = []
    for seed in range(12):
        recipe, adapted, features, labels = _world(seed, classes)
        settings = AdaptationSettings.model_validate({"kind": kind, "weight": weight})
        found.append(_right(replace(adapted, recipe=replace(recipe, adaptation=settings)), features, labels, heard))
    return float(np.mean(found))


@given(SEEDS, st.integers(1, 6), st.integers(1, 6), st.floats(0.1, 50))
def test_what_is_heard_in_two_calls_is_what_is_heard_in_one(seed: int, first: int, second: int, weight: float) -> None:
    means = np.random.default_rng(seed).normal(2.0, 3.0, size=(first + second, BANDS))
    moments = _features(means).moments
    trained = Weighed(np.full((1, BANDS), 1.0), np.full((1, BANDS), 4.0), weight)
    together = moments.scaling(np.arange(first + second), STANDARD, trained)
    known = trained.joined(moments.weighed(np.arange(first)))
    later = moments.scaling(np.arange(first, first + second), STANDARD, known)
    np.testing.assert_allclose(later.shift, together.shift, rtol=1e-4, atol=1e-4)
    np.testing.assert_allclose(later.spread, together.spread, rtol=1e-4, atol=1e-4)


@given(SEEDS, st.integers(1, 8))
def test_the_weight_moves_a_speaker_from_their_own_statistics_to_the_trainings(seed: int, count: int) -> None:
    moments = _features(np.random.default_rng(seed).normal(2.0, 3.0, size=(count, BANDS))).moments
    trained = Scaling(np.full((1, BANDS), 1.0, np.float32), np.full((1, BANDS), 2.0, np.float32))
    everybody = np.arange(count)
    alone, nothing = (
        moments.scaling(everybody, STANDARD),
        moments.scaling(everybody, STANDARD, Weighed.of(trained, 0.0)),
    )
    np.testing.assert_array_equal(alone.shift, nothing.shift)
    np.testing.assert_array_equal(alone.spread, nothing.spread)
    theirs = moments.scaling(everybody, STANDARD, Weighed.of(trained, 1e9))
    np.testing.assert_allclose(theirs.shift, trained.shift, atol=1e-4)
    np.testing.assert_allclose(theirs.spread, trained.spread, atol=1e-4)
    between = moments.scaling(everybody, STANDARD, Weighed.of(trained, float(count)))
    np.testing.assert_allclose(between.shift, (alone.shift + trained.shift) / 2, rtol=1e-5, atol=1e-6)


@given(st.lists(st.integers(0, 4), min_size=1, max_size=40), st.integers(0, 6), SEEDS)
def test_a_set_is_of_the_utterances_own_speaker_and_the_same_whoever_else_is_judged(
    speakers: list[int], heard: int, seed: int
) -> None:
    numbers = np.array(speakers)
    which = np.flatnonzero(np.random.default_rng(seed).random(len(numbers)) < 0.6)
    everything = SpeakerSets.of(numbers, np.arange(len(numbers)), Draw(heard))
    some = SpeakerSets.of(numbers, which, Draw(heard))
    for utterance in which:
        own = some.members[some.number[utterance]]
        assert utterance in own
        assert set(numbers[own]) == {numbers[utterance]}
        assert len(set(own)) == len(own) == min(heard + 1, (numbers == numbers[utterance]).sum())
        np.testing.assert_array_equal(own, everything.members[everything.number[utterance]])


@pytest.mark.parametrize("kind", ["statistics", "prototypes"])
def test_a_speaker_far_from_the_training_is_recognised_better_the_more_is_heard(kind: str) -> None:
    balanced = [0, 1, 2] * 8
    alone, few, everything = (_mean_right(kind, balanced, heard) for heard in (0, 6, None))
    assert alone + 0.01 < few
    assert few <= everything + 0.02
    assert everything > 0.85


def test_prototypes_do_not_take_the_emotion_of_a_speaker_for_the_speaker() -> None:
    angry = [0] * 24
    assert _mean_right("statistics", angry, None) < 0.6
    assert _mean_right("prototypes", angry, None) > _mean_right("prototypes", angry, 0)


def test_a_prior_makes_frequent_classes_more_probable_and_no_weight_of_data_makes_none() -> None:
    mostly = [0] * 22 + [1] * 2
    assert _mean_right("prior", mostly, None) > _mean_right("prior", mostly, None, weight=1000.0)
    recipe, adapted, features, _ = _world(0, mostly)
    which, sets = np.arange(24), SpeakerSets.of(np.zeros(24, np.int64), np.arange(24))
    off = replace(adapted, recipe=replace(recipe, adaptation=AdaptationSettings(kind="prior", weight=1000)))
    plain = Predictor(replace(recipe, adaptation=AdaptationSettings()), [adapted.network], [adapted.scaling])
    outputs, _, _ = off.outputs(features, which, sets)
    unadapted, _ = plain.outputs(0, features, which, np.zeros(24, np.int64))
    np.testing.assert_allclose(np.exp(outputs).sum(axis=1), 1.0, rtol=1e-5)
    np.testing.assert_allclose(np.exp(outputs), np.exp(unadapted), atol=0.1)


@pytest.mark.parametrize("kind", ["statistics", "prototypes", "prior"])
def test_evidence_of_earlier_calls_counts_as_if_its_utterances_were_there(kind: str) -> None:
    recipe, adapted, features, _ = _world(3, [0, 1, 2] * 6)
    adapted = replace(adapted, recipe=replace(recipe, adaptation=AdaptationSettings.model_validate({"kind": kind})))
    last, speaker = np.arange(12, 18), np.zeros(18, np.int64)
    together, _, _ = adapted.outputs(features, last, SpeakerSets.of(speaker, last))
    halves = [_features(features.frames[rows, 0].numpy()) for rows in (slice(0, 12), slice(12, 18))]
    evidence: Evidence | None = None
    for half in halves:
        which = np.arange(len(half.offsets) - 1)
        outputs, _, evidence = adapted.outputs(half, which, SpeakerSets.of(which * 0, which), evidence)
    assert evidence is not None
    assert evidence.statistics.utterances == 18
    # Priors are estimated jointly where utterances are there, and one call after another where they are not
    np.testing.assert_allclose(np.exp(outputs), np.exp(together), atol=0.05 if kind == "prior" else 1e-3)


@given(SEEDS)
@settings(max_examples=15, deadline=None)
def test_ratios_are_variances_within_speakers_over_those_between(seed: int) -> None:
    rng, speakers, each = np.random.default_rng(seed), 480, 12  # the variance between them is known to a tenth
    speaker, classes = np.repeat(np.arange(speakers), each), np.eye(CLASSES)[np.arange(speakers * each) % CLASSES]
    between = np.repeat([0.0, 0.5, 2.0], BANDS // 3)
    centres, offsets = rng.normal(size=(CLASSES, BANDS)), rng.normal(size=(speakers, BANDS)) * between
    moments = _features(classes @ centres + offsets[speaker] + rng.normal(size=(len(speaker), BANDS))).moments
    unscaled = Scaling(np.zeros((1, BANDS), np.float32), np.ones((1, BANDS), np.float32))
    found = speaker_ratios(
        moments, np.arange(len(speaker)), classes, centres[:, np.newaxis].astype(np.float32), unscaled, speaker
    )[0]
    none, some, much = (found[own] for own in np.split(np.arange(BANDS), 3))
    assert none.min() > 10
    assert np.median(some) == pytest.approx(4, rel=0.4)
    assert np.median(much) == pytest.approx(0.25, rel=0.4)


@pytest.mark.parametrize("speakers", [[0, 0, 0], [0, 1, 2]])
def test_ratios_that_a_training_cannot_tell_are_1(speakers: list[int]) -> None:
    moments = _features(np.random.default_rng(0).normal(size=(3, BANDS))).moments
    unscaled = Scaling(np.zeros((1, BANDS), np.float32), np.ones((1, BANDS), np.float32))
    means = np.zeros((1, 1, BANDS), np.float32)
    found = speaker_ratios(moments, np.arange(3), np.ones((3, 1)), means, unscaled, np.array(speakers))
    np.testing.assert_array_equal(found, np.ones((1, BANDS)))


@pytest.mark.parametrize("kind", ["statistics", "prototypes"])
def test_features_that_tell_no_speakers_apart_do_not_follow_a_speaker(kind: str) -> None:
    recipe, adapted, features, labels = _world(2, [0, 1, 2] * 4)
    assert adapted.prototypes is not None
    chosen = AdaptationSettings.model_validate({"kind": kind, "weight": 1, "by_feature": True})
    adapted = replace(adapted, recipe=replace(recipe, adaptation=chosen))
    which = np.arange(len(labels))
    sets, known = SpeakerSets.of(which * 0, which), replace(adapted.prototypes, ratios=np.ones((1, BANDS), np.float32))
    plain = replace(adapted, recipe=replace(recipe, adaptation=chosen.model_copy(update={"by_feature": False})))
    follows, _, _ = replace(adapted, prototypes=known).outputs(features, which, sets)
    np.testing.assert_array_equal(follows, plain.outputs(features, which, sets)[0])
    stays, _, _ = replace(adapted, prototypes=replace(known, ratios=known.ratios * 1e9)).outputs(features, which, sets)
    alone = Predictor(replace(recipe, adaptation=AdaptationSettings()), [adapted.network], [adapted.scaling])
    np.testing.assert_allclose(stays, alone.outputs(0, features, which, which * 0)[0], atol=1e-4)


def test_weights_by_feature_need_fewer_utterances_to_tell_a_speaker_from_an_emotion() -> None:
    """Half of the features have a speaker's offset, the others the emotions, of which few utterances are a sample."""
    right = {False: 0.0, True: 0.0}
    for seed in range(8):
        recipe, adapted, _, _ = _world(seed, [0])
        rng, labels = np.random.default_rng(seed), np.repeat(np.arange(CLASSES), 8)
        assert adapted.prototypes is not None
        centres, voice = adapted.prototypes.means[:, 0].copy(), np.arange(BANDS) < BANDS // 2
        offset = np.where(voice, rng.normal(scale=3.0, size=BANDS), 0.0)
        features = _features(centres[labels] + offset + rng.normal(scale=0.7, size=(len(labels), BANDS)))
        ratios = np.where(voice, 0.1, 100.0)[np.newaxis].astype(np.float32)
        for by_feature in right:
            chosen = {"kind": "statistics", "weight": 1, "by_feature": by_feature}
            recipe = replace(recipe, adaptation=AdaptationSettings.model_validate(chosen))
            known = replace(adapted.prototypes, ratios=ratios if by_feature else None)
            right[by_feature] += _right(replace(adapted, recipe=recipe, prototypes=known), features, labels, 2) / 8
    assert right[True] > right[False] + 0.03


def test_prototypes_are_means_of_scaled_features_by_class() -> None:
    means = np.random.default_rng(0).normal(size=(6, BANDS))
    scalings = [Scaling(np.full((1, BANDS), float(shift)), np.full((1, BANDS), 2.0)) for shift in (0, 1)]
    number, labels = np.array([0, 0, 0, 1, 1, 1]), np.array([0, 1, 0, 1, 0, 1])
    found = Prototypes.of(_features(means).moments, np.arange(5), np.eye(2)[labels[:5]], (scalings, number))
    scaled = (means - number[:, np.newaxis]) / 2
    np.testing.assert_allclose(
        found.means[:, 0], [scaled[[0, 2, 4]].mean(axis=0), scaled[[1, 3]].mean(axis=0)], rtol=1e-5
    )
    np.testing.assert_allclose(found.shares, [0.6, 0.4])


def test_a_saved_predictor_adapts_as_it_did(tmp_path: Path) -> None:
    recipe, adapted, features, _ = _world(1, [0, 1, 2] * 3)
    assert adapted.prototypes is not None
    recipe = replace(recipe, adaptation=AdaptationSettings(kind="prototypes", by_feature=True))
    ratios = np.random.default_rng(0).uniform(0.1, 9, (1, BANDS)).astype(np.float32)
    adapted = replace(adapted, prototypes=replace(adapted.prototypes, ratios=ratios))
    predictor = Predictor(recipe, [adapted.network], [adapted.scaling], prototypes=[adapted.prototypes])
    predictor.save(tmp_path)
    again = Predictor.load(tmp_path)
    assert again.recipe == recipe
    which = np.arange(9)
    for sets in (None, SpeakerSets.of(which * 0, which, Draw(2))):
        expected, _ = predictor.outputs(0, features, which, which * 0, sets=sets)
        found, _ = again.outputs(0, features, which, which * 0, sets=sets)
        np.testing.assert_array_equal(found, expected)


@pytest.mark.parametrize("scope", ["train", "corpus", "speaker"])
@given(seed=SEEDS)
def test_without_adaptation_sets_of_whole_speakers_change_no_output(scope: str, seed: int) -> None:
    rng = np.random.default_rng(seed)
    recipe = _recipe("none", scope=scope)
    features = _features(rng.normal(2.0, 3.0, size=(9, BANDS)))
    speakers, corpora = np.repeat(np.arange(3), 3), np.repeat([0, 0, 1], 3)
    shape = (2, 1, BANDS) if scope == "corpus" else (1, BANDS)
    scaling = Scaling(rng.normal(size=shape).astype(np.float32), rng.uniform(0.5, 2, shape).astype(np.float32))
    predictor = Predictor(recipe, [recipe.build_network()], [None if scope == "speaker" else scaling])
    which = rng.permutation(9)[:5]
    sets = SpeakerSets.of(speakers, which, Draw(None))
    plain, given_sets = (predictor.outputs(0, features, which, speakers, corpora, own)[0] for own in (None, sets))
    np.testing.assert_array_equal(given_sets, plain)
