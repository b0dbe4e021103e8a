"""Predictors: what they say of audio, and that they survive being stored."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile
import torch
from torch import nn

from ser_tune.architectures import ARCHITECTURES
from ser_tune.config import NetworkSettings, NormalisationSettings, SegmentSettings
from ser_tune.errors import AudioError, ConfigError
from ser_tune.features import FEATURE_SETS, FeatureStore, Scaling
from ser_tune.prediction import Prediction, Predictor, Recipe, UtteranceFeatures, hear, segment_outputs
from ser_tune.prediction.segments import EVALUATION_BATCH
from ser_tune.tasks import TASKS

TASK = TASKS.get("classification")

CPU = torch.device("cpu")
LABELS = ("anger", "joy", "sadness")

MakeRecipe = Callable[..., Recipe]


@pytest.fixture
def make_recipe() -> MakeRecipe:
    def _make(*, model: str = "3d_acrnn", networks: int = 1, n_mels: int = 8, **sections: Any) -> Recipe:
        settings = ARCHITECTURES.get(model).settings
        descended = {"width": 0.05, "networks": networks} if issubclass(settings, NetworkSettings) else {}
        return Recipe(
            labels=LABELS,
            model=settings.model_validate(descended),
            features=FEATURE_SETS.get("logmeldeltaspec").settings.model_validate({"n_mels": n_mels}),
            shape=(3, n_mels),
            hop_s=0.01,
            segments=SegmentSettings.model_validate({"frames": 20} | sections.get("segments", {})),
            normalisation=NormalisationSettings.model_validate(sections.get("normalisation", {})),
            aggregation=sections.get("aggregation", "mean_log_softmax"),
        )

    return _make


def _predictor(recipe: Recipe, networks: int = 2) -> Predictor:
    """Networks of random weights and scalings, but with running means as if they had seen something."""
    rng = np.random.default_rng(0)
    (_, bands), frames = recipe.shape, recipe.segments.frames or 100
    built = []
    for seed in range(networks):
        torch.manual_seed(seed)
        network = recipe.build_network().train()
        for layer in network.modules():
            if isinstance(layer, nn.BatchNorm1d | nn.BatchNorm2d):
                layer.momentum = 1.0  # believe the first batch, or all segments sound the same
        with torch.no_grad():
            network(torch.randn(4, 3, bands, frames))
        built.append(network)
    scalings = [
        Scaling(
            shift=rng.normal(-30, 5, size=(3, bands)).astype(np.float32),
            spread=rng.uniform(5, 9, size=(3, bands)).astype(np.float32),
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
            assert ours.numbers == pytest.approx(theirs.numbers, rel=0, abs=tolerance)


def test_features_of_many_utterances_are_those_of_each_alone(make_recipe: MakeRecipe) -> None:
    predictor, waveforms = _predictor(make_recipe()), _waveforms() * 5
    heard = hear(waveforms, 16_000)
    for together, utterance in zip(predictor.extract(heard), heard, strict=True):
        (alone,) = predictor.extract([utterance])
        assert np.array_equal(together, alone)
    threads = torch.get_num_threads()
    with pytest.raises(AudioError, match="waveform 15: speech of 0"):
        predictor.extract(hear([*waveforms, np.ones(100, dtype=np.float32) / 2, *waveforms], 16_000))
    assert torch.get_num_threads() == threads


@pytest.mark.parametrize("model", ARCHITECTURES.names())
@pytest.mark.parametrize("features", FEATURE_SETS.names())
def test_a_recipe_is_the_same_after_it_was_written_down(model: str, features: str) -> None:
    model_settings, feature_settings = ARCHITECTURES.get(model).settings, FEATURE_SETS.get(features).settings
    of_model = {"penalty": 0.123} if model == "linear_probe" else {"dropout": 0.123}
    unlike = {"encoder": {"layers": (2, 5)}, "opensmile": {"set": "ComParE_2016"}, "waveform": {}}
    of_features = unlike.get(features, {"hop_s": 0.0123})
    recipe = Recipe(
        labels=LABELS,
        model=model_settings.model_validate(of_model),
        features=feature_settings.model_validate(of_features),
        shape=(2, 70),
        hop_s=0.0123 if "hop_s" in of_features else None,
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
            assert sum(segment.numbers.values()) == pytest.approx(1.0, abs=1e-5)


@pytest.mark.parametrize(
    ("segments", "expected"),
    [
        ({"last_block": "pad"}, [[(0.0, 0.2), (0.2, 0.4), (0.4, 0.46)], [(0.0, 0.06)], [(0.0, 0.2)]]),
        ({"last_block": "overlap"}, [[(0.0, 0.2), (0.2, 0.4), (0.26, 0.46)], [(0.0, 0.06)], [(0.0, 0.2)]]),
        (
            {"evaluation_hop_frames": 10, "hop_frames": 5},
            [[(0.0, 0.2), (0.1, 0.3), (0.2, 0.4), (0.3, 0.46)], [(0.0, 0.06)], [(0.0, 0.2)]],
        ),
    ],
)
def test_segments_are_timed_in_seconds(
    make_recipe: MakeRecipe, segments: dict[str, object], expected: list[list[tuple[float, float]]]
) -> None:
    predictor = _predictor(make_recipe(segments=segments))
    predictions = predictor.predict(_waveforms(), sample_rate_hz=16_000)
    for one, times in zip(predictions, expected, strict=True):
        assert [(segment.start_s, segment.end_s) for segment in one.segments] == [pytest.approx(both) for both in times]


@pytest.mark.parametrize(("scope", "networks"), [("train", 1), ("utterance", 1), ("speaker", 1), ("train", 3)])
def test_a_stored_predictor_predicts_the_same(
    make_recipe: MakeRecipe, tmp_path: Path, scope: str, networks: int
) -> None:
    predictor = _predictor(make_recipe(normalisation={"scope": scope}, networks=networks))
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


@pytest.fixture(params=["fcn_attention", "fcn_gap", "light_cnn", "linear_probe"])
def whole(request: pytest.FixtureRequest, make_recipe: MakeRecipe) -> Recipe:
    """Utterances are not cut."""
    return make_recipe(model=request.param, n_mels=64, segments={"frames": None})


def test_a_whole_utterance_is_one_segment_from_start_to_end(whole: Recipe) -> None:
    # 46, 6 and 20 frames, which the network sees padded, and 96
    waveforms = [*_waveforms(), np.random.default_rng(6).normal(0.0, 0.1, size=16_000)]
    predictions = _predictor(whole).predict(waveforms, sample_rate_hz=16_000)
    for one, end_s in zip(predictions, (0.46, 0.06, 0.2, 0.96), strict=True):
        (segment,) = one.segments
        assert (segment.start_s, segment.end_s) == pytest.approx((0.0, end_s))


def test_a_whole_utterance_is_judged_alone_however_long_the_others_are(whole: Recipe) -> None:
    rng = np.random.default_rng(6)
    waveforms = [rng.normal(0.0, 0.1, size=round(s * 16_000)) for s in (1.2, 0.3, 2.0, 0.75)]
    predictor = _predictor(whole)
    together = predictor.predict(waveforms, sample_rate_hz=16_000)
    for one, waveform in zip(together, waveforms, strict=True):
        (alone,) = predictor.predict([waveform], sample_rate_hz=16_000)
        assert one.probabilities == pytest.approx(alone.probabilities, rel=0, abs=1e-5)
    assert together[0].probabilities != pytest.approx(together[2].probabilities, abs=1e-5)


def test_a_stored_predictor_of_whole_utterances_predicts_the_same(whole: Recipe, tmp_path: Path) -> None:
    predictor = _predictor(whole)
    predictor.save(tmp_path)
    loaded = Predictor.load(tmp_path)
    assert loaded.recipe == whole
    before = predictor.predict(_waveforms(), sample_rate_hz=16_000)
    _same(loaded.predict(_waveforms(), sample_rate_hz=16_000), before)


@pytest.mark.parametrize("model", ["3d_acrnn", "alex_net"])
def test_architectures_that_need_equal_lengths_refuse_whole_utterances(make_recipe: MakeRecipe, model: str) -> None:
    recipe = make_recipe(model=model, n_mels=64, segments={"frames": None})
    with pytest.raises(
        ConfigError,
        match=f"segments.frames is none, but {model} needs segments of equal length; "
        "whole utterances go into: attentive_probe, fcn_attention, fcn_gap, finetuned_encoder, light_cnn, "
        "linear_probe$",
    ):
        recipe.build_network()


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
    features = UtteranceFeatures.of(FeatureStore.of(frames, np.arange(count + 1) * 20), CPU)
    scores, reader = predictor.outputs(0, features, np.arange(count), np.zeros(count))
    assert scores.shape == (count, 3) == (len(reader), 3)
    np.testing.assert_allclose(np.exp(scores).sum(axis=1), 1.0, atol=1e-5)
    alone, _ = predictor.outputs(0, features, np.array([count - 1]), np.zeros(count))
    np.testing.assert_allclose(scores[-1], alone[0], atol=1e-5)


def test_segments_are_judged_in_evaluation_mode(make_recipe: MakeRecipe) -> None:
    predictor = _predictor(make_recipe(normalisation={"scope": "utterance"}), networks=1)
    features = UtteranceFeatures.of(
        FeatureStore.of(np.random.default_rng(0).normal(size=(40, 3, 8)).astype(np.float32), np.array([0, 40])),
        CPU,
    )
    _, reader = predictor.outputs(0, features, np.array([0]), np.zeros(1))
    network = predictor.networks[0].train()
    before = {name: tensor.clone() for name, tensor in network.state_dict().items()}
    first, second = (segment_outputs(network, reader, TASK) for _ in range(2))
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
