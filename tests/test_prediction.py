"""From features to emotions: segments as a plain loop would cut them, and predictors that survive being stored."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pytest
import soundfile
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from torch import nn

from ser_tune.architectures import ARCHITECTURES
from ser_tune.config import NormalisationSettings, SegmentSettings
from ser_tune.errors import AudioError
from ser_tune.features import FEATURE_SETS, FeatureStore, Scaling
from ser_tune.prediction import (
    Prediction,
    Predictor,
    Recipe,
    SegmentReader,
    UtteranceFeatures,
    aggregate,
    scaling_of_utterances,
    segment_log_probabilities,
)
from ser_tune.prediction.segments import EVALUATION_BATCH

QUICK = settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
CPU = torch.device("cpu")
C, F = 2, 5
LABELS = ("anger", "joy", "sadness")

MakeRecipe = Callable[..., Recipe]


# Segments


def _features(lengths: list[int], seed: int = 0) -> UtteranceFeatures:
    rng = np.random.default_rng(seed)
    offsets = np.concatenate([[0], np.cumsum(lengths)])
    frames = rng.normal(-30.0, 10.0, size=(offsets[-1], C, F)).astype(np.float32)
    return UtteranceFeatures.of(FeatureStore(frames=frames, offsets=offsets), CPU)


def _frames_of(features: UtteranceFeatures, utterance: int) -> np.ndarray:
    """Shape (frames, C, F)."""
    return features.frames.numpy()[features.offsets[utterance] : features.offsets[utterance + 1]]


def _plain_segments(
    features: UtteranceFeatures,
    which: list[int],
    wanted: SegmentSettings,
    normalisation: NormalisationSettings,
    train: list[int],
    speakers: list[int],
    *,
    overlap: bool,
) -> np.ndarray:
    """What `SegmentReader` reads, one utterance after another and in float64."""
    count = len(features.offsets) - 1
    segments = []
    for utterance in which:
        group = {
            "train": train,
            "utterance": [utterance],
            "speaker": [one for one in range(count) if speakers[one] == speakers[utterance]],
        }[normalisation.scope]
        pool = np.concatenate([_frames_of(features, one) for one in group]).astype(np.float64)
        if normalisation.kind == "standard":
            shift, spread = pool.mean(axis=0), pool.std(axis=0)
        else:
            shift, spread = pool.min(axis=0), np.ptp(pool, axis=0)
        raw = _frames_of(features, utterance).astype(np.float64)
        scaled = (raw - shift) / np.maximum(spread, 1e-3)
        hop = min(wanted.hop_frames or wanted.frames, wanted.frames) if overlap else wanted.frames
        start = 0
        while True:
            if wanted.last_block == "overlap" and start + wanted.frames > len(raw):
                start = max(len(raw) - wanted.frames, 0)
            block = scaled[start : start + wanted.frames]
            missing = wanted.frames - len(block)
            filling = {
                "zero": np.zeros((missing, C, F)),
                "edge": np.repeat(scaled[-1:], missing, axis=0),
                "floor": np.repeat(scaled.min(axis=0, keepdims=True), missing, axis=0),
                "wrap": np.tile(scaled, (1 + missing // len(raw), 1, 1))[:missing],
            }[wanted.padding]
            segments.append(np.concatenate([block, filling]).transpose(1, 2, 0))
            if start + wanted.frames >= len(raw):
                break
            start += hop
    return np.stack(segments)


@QUICK
@given(
    lengths=st.lists(st.integers(2, 60), min_size=3, max_size=6),
    wanted=st.builds(
        SegmentSettings,
        frames=st.integers(16, 24),
        hop_frames=st.none() | st.integers(3, 30),
        padding=st.sampled_from(("zero", "edge", "floor", "wrap")),
        last_block=st.sampled_from(("pad", "overlap")),
    ),
    normalisation=st.builds(
        NormalisationSettings,
        kind=st.sampled_from(("standard", "minmax")),
        scope=st.sampled_from(("train", "utterance", "speaker")),
    ),
    overlap=st.booleans(),
    data=st.data(),
)
def test_segments_are_those_of_a_plain_loop(
    lengths: list[int],
    wanted: SegmentSettings,
    normalisation: NormalisationSettings,
    overlap: bool,
    data: st.DataObject,
) -> None:
    numbers = st.sampled_from(range(len(lengths)))
    which = data.draw(st.lists(numbers, min_size=1, max_size=4, unique=True))
    train = sorted(data.draw(st.sets(numbers, min_size=1)))
    speakers = data.draw(st.lists(st.integers(0, 2), min_size=len(lengths), max_size=len(lengths)))
    features = _features(lengths)
    scalings, scaling_number = scaling_of_utterances(
        features.moments,
        normalisation,
        train=features.moments.scaling(np.array(train), normalisation),
        speakers=np.array(speakers),
    )
    reader = SegmentReader(features, np.array(which), wanted, scalings, scaling_number, overlap=overlap)
    expected = _plain_segments(features, which, wanted, normalisation, train, speakers, overlap=overlap)
    assert len(reader) == len(expected)
    order = np.random.default_rng(0).permutation(len(reader))
    segments = reader.gather(order)
    assert segments.dtype == torch.float32
    assert segments.is_contiguous(memory_format=torch.channels_last)
    np.testing.assert_allclose(segments.numpy(), expected[order], rtol=1e-3, atol=1e-3)


def test_scope_train_needs_the_training_speakers_scaling() -> None:
    features = _features([20, 20])
    with pytest.raises(ValueError, match="training speakers' scaling"):
        scaling_of_utterances(features.moments, NormalisationSettings(), train=None, speakers=np.zeros(2))


# Aggregation


def test_log_probabilities_are_averaged_by_hand() -> None:
    segments = np.log(np.array([[0.9, 0.1], [0.4, 0.6], [0.2, 0.8]], dtype=np.float32))
    utterance = np.array([0, 0, 1])
    geometric = np.sqrt(np.array([0.9 * 0.4, 0.1 * 0.6]))
    np.testing.assert_allclose(
        np.exp(aggregate(segments, utterance, "mean_log_softmax")),
        [geometric / geometric.sum(), [0.2, 0.8]],
        rtol=1e-5,
    )
    np.testing.assert_allclose(
        np.exp(aggregate(segments, utterance, "mean_probability")), [[0.65, 0.35], [0.2, 0.8]], rtol=1e-5
    )


def test_the_two_ways_can_disagree() -> None:
    # One segment is certain of joy; two lean to anger
    segments = np.log(np.array([[0.0001, 0.9999], [0.7, 0.3], [0.7, 0.3]]))
    utterance = np.zeros(3, dtype=np.int64)
    assert aggregate(segments, utterance, "mean_log_softmax").argmax() == 1
    assert aggregate(segments, utterance, "mean_probability").argmax() == 1
    segments[1:] = np.log([0.8, 0.2])
    assert aggregate(segments, utterance, "mean_log_softmax").argmax() == 1
    assert aggregate(segments, utterance, "mean_probability").argmax() == 0


@QUICK
@given(
    counts=st.lists(st.integers(1, 5), min_size=1, max_size=5),
    how=st.sampled_from(("mean_log_softmax", "mean_probability")),
    scale=st.sampled_from((1.0, 50.0, 5000.0)),
)
def test_an_utterances_probabilities_sum_to_1(counts: list[int], how: str, scale: float) -> None:
    utterance = np.repeat(np.arange(len(counts)), counts)
    logits = torch.randn(len(utterance), 4, generator=torch.Generator().manual_seed(0)) * scale
    combined = aggregate(torch.log_softmax(logits, dim=1).numpy(), utterance, how)
    assert combined.shape == (len(counts), 4)
    assert combined.dtype == np.float32
    np.testing.assert_allclose(np.exp(combined).sum(axis=1), 1.0, atol=1e-5)


def test_an_undefined_segment_leaves_its_utterance_undefined() -> None:
    segments = np.log(np.array([[0.5, 0.5], [np.nan, 0.5], [0.5, 0.5]]))
    combined = aggregate(segments, np.array([0, 0, 1]), "mean_log_softmax")
    assert np.isnan(combined[0]).all()
    assert np.isfinite(combined[1]).all()


# Predictors


@pytest.fixture
def make_recipe() -> MakeRecipe:
    def _make(**sections: Any) -> Recipe:
        return Recipe(
            labels=LABELS,
            model=ARCHITECTURES.get("3d_acrnn").settings.model_validate({"width": 0.05}),
            features=FEATURE_SETS.get("logmeldeltaspec").settings.model_validate({"n_mels": 8}),
            segments=SegmentSettings.model_validate({"frames": 20} | sections.get("segments", {})),
            normalisation=NormalisationSettings.model_validate(sections.get("normalisation", {})),
            aggregation=sections.get("aggregation", "mean_log_softmax"),
        )

    return _make


def _predictor(recipe: Recipe, networks: int = 2) -> Predictor:
    """Networks of random weights and scalings, but with running means as if they had seen something."""
    rng = np.random.default_rng(0)
    built = []
    for seed in range(networks):
        torch.manual_seed(seed)
        network = recipe.build_network().train()
        for layer in network.modules():
            if isinstance(layer, nn.BatchNorm1d | nn.BatchNorm2d):
                layer.momentum = 1.0  # believe the first batch, or all segments sound the same
        with torch.no_grad():
            network(torch.randn(4, 3, 8, 20))
        built.append(network)
    scalings = [
        Scaling(
            shift=rng.normal(-30, 5, size=(3, 8)).astype(np.float32),
            spread=rng.uniform(5, 9, size=(3, 8)).astype(np.float32),
        )
        for _ in range(networks)
    ]
    fitted: list[Scaling | None] = [*scalings] if recipe.normalisation.scope == "train" else [None] * networks
    return Predictor(recipe, built, fitted)


def _waveforms() -> list[np.ndarray]:
    """Noise of 0.5 s, 0.1 s and 0.24 s, which is 46, 6 and 20 frames; the last is dull."""
    rng = np.random.default_rng(5)
    white = [rng.normal(0.0, 0.1, size=round(s * 16_000)).astype(np.float32) for s in (0.5, 0.1, 0.24)]
    return [*white[:2], np.cumsum(white[2])]


def _same(first: list[Prediction], second: list[Prediction], tolerance: float = 0.0) -> None:
    assert [one.label for one in first] == [one.label for one in second]
    for one, other in zip(first, second, strict=True):
        assert one.probabilities == pytest.approx(other.probabilities, rel=0, abs=tolerance)
        for ours, theirs in zip(one.segments, other.segments, strict=True):
            assert (ours.start_s, ours.end_s) == (theirs.start_s, theirs.end_s)
            assert ours.probabilities == pytest.approx(theirs.probabilities, rel=0, abs=tolerance)


@pytest.mark.parametrize("model", ARCHITECTURES.names())
@pytest.mark.parametrize("features", FEATURE_SETS.names())
def test_a_recipe_is_the_same_after_it_was_written_down(model: str, features: str) -> None:
    recipe = Recipe(
        labels=LABELS,
        model=ARCHITECTURES.get(model).settings.model_validate({"dropout": 0.123}),
        features=FEATURE_SETS.get(features).settings.model_validate({"hop_s": 0.0123}),
        segments=SegmentSettings(frames=77, hop_frames=11, padding="wrap"),
        normalisation=NormalisationSettings(kind="minmax", scope="speaker"),
        aggregation="mean_probability",
    )
    again = Recipe.from_json(recipe.as_json())
    assert again == recipe
    assert type(again.model) is type(recipe.model)
    assert type(again.features) is type(recipe.features)


def test_a_recipe_with_a_file_of_weights_needs_no_such_file(make_recipe: MakeRecipe) -> None:
    recipe = make_recipe()
    weights = ARCHITECTURES.get("alex_net").settings.model_validate({"weights": "/gone/alexnet.pth"})
    written = json.loads(recipe.as_json()) | {"model": weights.model_dump(mode="json")}
    assert Recipe.from_json(json.dumps(written)).model == weights


def test_a_prediction_names_the_likeliest_emotion(make_recipe: MakeRecipe) -> None:
    for one in _predictor(make_recipe()).predict(_waveforms(), sample_rate_hz=16_000):
        assert list(one.probabilities) == list(LABELS)
        assert sum(one.probabilities.values()) == pytest.approx(1.0, abs=1e-5)
        assert one.probabilities[one.label] == max(one.probabilities.values())
        for segment in one.segments:
            assert sum(segment.probabilities.values()) == pytest.approx(1.0, abs=1e-5)


@pytest.mark.parametrize(
    ("last_block", "expected"),
    [
        ("pad", [[(0.0, 0.2), (0.2, 0.4), (0.4, 0.46)], [(0.0, 0.06)], [(0.0, 0.2)]]),
        ("overlap", [[(0.0, 0.2), (0.2, 0.4), (0.26, 0.46)], [(0.0, 0.06)], [(0.0, 0.2)]]),
    ],
)
def test_segments_are_timed_in_seconds(
    make_recipe: MakeRecipe, last_block: Literal["pad", "overlap"], expected: list[list[tuple[float, float]]]
) -> None:
    predictor = _predictor(make_recipe(segments={"last_block": last_block}))
    predictions = predictor.predict(_waveforms(), sample_rate_hz=16_000)
    for one, times in zip(predictions, expected, strict=True):
        assert [(segment.start_s, segment.end_s) for segment in one.segments] == [pytest.approx(both) for both in times]


@pytest.mark.parametrize("scope", ["train", "utterance", "speaker"])
def test_a_stored_predictor_predicts_the_same(make_recipe: MakeRecipe, tmp_path: Path, scope: str) -> None:
    predictor = _predictor(make_recipe(normalisation={"scope": scope}))
    before = predictor.predict(_waveforms(), sample_rate_hz=16_000)
    predictor.save(tmp_path)
    loaded = Predictor.load(tmp_path)
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        "network-00.safetensors",
        "network-01.safetensors",
        "recipe.json",
    ]
    assert loaded.recipe == predictor.recipe
    assert loaded.labels == LABELS
    assert not any(network.training for network in loaded.networks)
    _same(loaded.predict(_waveforms(), sample_rate_hz=16_000), before)


def test_files_are_heard_as_their_waveforms(make_recipe: MakeRecipe, tmp_path: Path) -> None:
    predictor, waveforms = _predictor(make_recipe()), _waveforms()
    paths: list[str | Path] = []
    for number, waveform in enumerate(waveforms):
        path = tmp_path / f"{number}.wav"
        soundfile.write(path, waveform, 16_000, subtype="FLOAT")
        paths.append(str(path) if number else path)
    from_files = predictor.predict(paths)
    from_waveforms = predictor.predict(waveforms, sample_rate_hz=16_000)
    _same(from_files, from_waveforms)
    assert [one.source for one in from_files] == [str(path) for path in paths]
    assert [one.source for one in from_waveforms] == ["waveform 0", "waveform 1", "waveform 2"]


def test_an_utterance_is_judged_alone_unless_speakers_are_normalised(make_recipe: MakeRecipe) -> None:
    waveforms = _waveforms()
    for scope, alone in (("train", True), ("utterance", True), ("speaker", False)):
        predictor = _predictor(make_recipe(normalisation={"scope": scope}))
        together = predictor.predict(waveforms, sample_rate_hz=16_000)[0].probabilities
        single = predictor.predict(waveforms[:1], sample_rate_hz=16_000)[0].probabilities
        difference = max(abs(together[label] - single[label]) for label in LABELS)
        assert difference < 1e-6 if alone else difference > 1e-4


def test_networks_probabilities_are_averaged(make_recipe: MakeRecipe) -> None:
    both = _predictor(make_recipe())
    parts = [Predictor(both.recipe, [both.networks[one]], [both.scalings[one]]) for one in (0, 1)]
    (together,) = both.predict(_waveforms()[:1], sample_rate_hz=16_000)
    singles = [part.predict(_waveforms()[:1], sample_rate_hz=16_000)[0] for part in parts]
    for label in LABELS:
        mean = (singles[0].probabilities[label] + singles[1].probabilities[label]) / 2
        assert together.probabilities[label] == pytest.approx(mean, abs=1e-6)
    assert singles[0].probabilities != pytest.approx(singles[1].probabilities, abs=1e-4)


def test_more_segments_than_a_batch_are_all_judged(make_recipe: MakeRecipe) -> None:
    recipe = make_recipe(normalisation={"scope": "utterance"})
    predictor = _predictor(recipe, networks=1)
    count = EVALUATION_BATCH + 3
    rng = np.random.default_rng(0)
    frames = rng.normal(size=(count * 20, 3, 8)).astype(np.float32)
    features = UtteranceFeatures.of(FeatureStore(frames=frames, offsets=np.arange(count + 1) * 20), CPU)
    scores, reader = predictor.log_probabilities(0, features, np.arange(count), np.zeros(count))
    assert scores.shape == (count, 3) == (len(reader), 3)
    np.testing.assert_allclose(np.exp(scores).sum(axis=1), 1.0, atol=1e-5)
    alone, _ = predictor.log_probabilities(0, features, np.array([count - 1]), np.zeros(count))
    np.testing.assert_allclose(scores[-1], alone[0], atol=1e-5)


def test_segments_are_judged_in_evaluation_mode(make_recipe: MakeRecipe) -> None:
    predictor = _predictor(make_recipe(normalisation={"scope": "utterance"}), networks=1)
    features = UtteranceFeatures.of(
        FeatureStore(
            frames=np.random.default_rng(0).normal(size=(40, 3, 8)).astype(np.float32), offsets=np.array([0, 40])
        ),
        CPU,
    )
    _, reader = predictor.log_probabilities(0, features, np.array([0]), np.zeros(1))
    network = predictor.networks[0].train()
    before = {name: tensor.clone() for name, tensor in network.state_dict().items()}
    first, second = (segment_log_probabilities(network, reader) for _ in range(2))
    np.testing.assert_array_equal(first, second)
    torch.testing.assert_close(network.state_dict(), before, rtol=0, atol=0)


def test_nothing_to_predict_is_predicted_as_nothing(make_recipe: MakeRecipe) -> None:
    assert _predictor(make_recipe(), networks=1).predict([]) == []


def test_audio_that_cannot_be_used_is_named(make_recipe: MakeRecipe, tmp_path: Path) -> None:
    predictor, fine = _predictor(make_recipe(), networks=1), _waveforms()[0]
    with pytest.raises(AudioError, match=r"none\.wav does not exist"):
        predictor.predict([tmp_path / "none.wav"])
    with pytest.raises(AudioError, match="waveform 0 has no sample rate; pass sample_rate_hz with waveforms"):
        predictor.predict([fine])
    with pytest.raises(AudioError, match=r"waveform 1: speech of 0\.006 s is shorter than one window"):
        predictor.predict([fine, fine[:100]], sample_rate_hz=16_000)
    with pytest.raises(AudioError, match="waveform 1 is silent"):
        predictor.predict([fine, np.zeros(8000)], sample_rate_hz=16_000)
