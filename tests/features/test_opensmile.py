"""openSMILE's functionals: the library's own values, from any number of threads, or a reason why there are none."""

import builtins
import json
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from ser_tune.audio import SAMPLE_RATE_HZ
from ser_tune.definition.sizes import network_bytes
from ser_tune.errors import AudioError, ConfigError
from ser_tune.features import FEATURE_SETS, corpus_features
from ser_tune.features import opensmile as module
from ser_tune.search import define_study

opensmile = pytest.importorskip("opensmile")

SETS = ("eGeMAPSv02", "ComParE_2016")
LICENCE = "openSMILE is licensed for research and other non-commercial use"
Call = Callable[..., Any]


@pytest.fixture(params=SETS)
def settings(request: pytest.FixtureRequest) -> module.OpenSmileSettings:
    return module.OpenSmileSettings(set=request.param)


def _speech(length_s: float = 0.6, seed: int = 0) -> np.ndarray:
    """A gliding voice in noise."""
    time_s = np.arange(round(length_s * SAMPLE_RATE_HZ)) / SAMPLE_RATE_HZ
    pulses = sum(np.sin(2 * np.pi * (120 + 10 * seed + 40 * time_s) * time_s * harmonic) for harmonic in range(1, 9))
    noise = np.random.default_rng(seed).normal(0.0, 0.02, len(time_s))
    return (0.05 * pulses + noise).astype(np.float32)


@pytest.mark.slow
def test_values_are_those_of_the_library(settings: module.OpenSmileSettings) -> None:
    features = FEATURE_SETS.get("opensmile")
    kind = opensmile.FeatureSet[settings.set]
    smile = opensmile.Smile(feature_set=kind, feature_level=opensmile.FeatureLevel.Functionals)
    speech = _speech()
    before = speech.copy()
    found = features.extract(speech, settings)
    expected = smile.process_signal(speech, SAMPLE_RATE_HZ).to_numpy()
    np.testing.assert_array_equal(found[0].T, expected)
    np.testing.assert_array_equal(speech, before)
    assert found.shape == (*features.shape(settings), 1)
    assert found.dtype == np.float32
    assert features.hop_s(settings) is None


@pytest.mark.slow
def test_a_thread_uses_its_engine_again_and_values_do_not_depend_on_earlier_speech(
    settings: module.OpenSmileSettings, monkeypatch: pytest.MonkeyPatch
) -> None:
    speech = [_speech(0.2 + 0.1 * seed, seed) for seed in range(4)]
    module._smile.cache_clear()
    opened: list[object] = []
    initialize = opensmile.core.lib.OpenSMILE.initialize
    monkeypatch.setattr(
        opensmile.core.lib.OpenSMILE,
        "initialize",
        lambda *given, **named: opened.append(1) or initialize(*given, **named),
    )
    forwards = [module.extract(samples, settings) for samples in speech]
    assert len(opened) == 2  # for the names of functionals, and for all speech
    backwards = [module.extract(samples, settings) for samples in speech[::-1]]
    np.testing.assert_array_equal(backwards[::-1], forwards)


@pytest.mark.slow
def test_an_engine_that_failed_is_not_used_again(settings: module.OpenSmileSettings) -> None:
    speech, smile = _speech(0.3), module._smile(settings.set)
    expected = module.extract(speech, settings)
    engine = smile._smile(smile._options() | {"sampleRate": SAMPLE_RATE_HZ})  # nobody frees it
    np.testing.assert_array_equal(module.extract(speech, settings), expected)
    assert not engine.is_ready


@pytest.mark.slow
def test_threads_get_what_one_after_another_gets(settings: module.OpenSmileSettings) -> None:
    speech = [_speech(0.2 + 0.05 * seed, seed) for seed in range(12)]
    in_turn = [module.extract(one, settings) for one in speech]
    module._smile.cache_clear()  # the first to ask opens the library
    with ThreadPoolExecutor(8) as pool:
        at_once = list(pool.map(lambda one: module.extract(one, settings), speech))
    np.testing.assert_array_equal(at_once, in_turn)


@pytest.mark.parametrize("length", [0, 1, 400, 959])
def test_speech_shorter_than_a_window_is_refused(settings: module.OpenSmileSettings, length: int) -> None:
    with pytest.raises(
        AudioError, match=rf"speech of {length / 16_000:.3f} s is shorter than openSMILE's window of 0.0"
    ):
        module.extract(_speech()[:length], settings)


@pytest.mark.parametrize("length", [960, 961, 1600])
def test_a_single_window_is_enough(settings: module.OpenSmileSettings, length: int) -> None:
    assert np.isfinite(module.extract(_speech()[:length], settings)).all()


@pytest.mark.parametrize("level", [0.0, 0.3, 1.0, 3.0])
def test_silence_and_constant_sound_have_finite_features(settings: module.OpenSmileSettings, level: float) -> None:
    assert np.isfinite(module.extract(np.full(8000, level, dtype=np.float32), settings)).all()


def test_samples_beyond_full_scale_are_clipped_instead_of_wrapped(settings: module.OpenSmileSettings) -> None:
    loud = 40 * _speech()
    limited = np.clip(loud, -1.0, 32767 / 32768)
    np.testing.assert_array_equal(module.extract(loud, settings), module.extract(limited, settings))
    assert np.abs(loud).max() > 2


def test_a_functional_that_is_not_finite_is_refused_by_its_name(
    settings: module.OpenSmileSettings, monkeypatch: pytest.MonkeyPatch
) -> None:
    smile = module._smile(settings.set)
    values = np.ones(len(smile.column_names), dtype=np.float32)
    values[[7, 9]] = np.nan, np.inf

    class Broken:
        column_names = smile.column_names

        def __call__(self, signal: np.ndarray, rate: int) -> np.ndarray:
            return values

    monkeypatch.setattr(module, "_smile", lambda name: Broken())
    reason = f"2 of {len(values)} functionals of openSMILE are not finite, the first is {smile.column_names[7]}"
    with pytest.raises(AudioError) as refused:
        module.extract(_speech(), settings)
    assert str(refused.value) == reason


@pytest.fixture
def _without_the_extra(monkeypatch: pytest.MonkeyPatch) -> Any:
    load = builtins.__import__

    def _import(name: str, *arguments: Any, **others: Any) -> Any:
        if name == "opensmile":
            raise ModuleNotFoundError("No module named 'opensmile'", name="opensmile")
        return load(name, *arguments, **others)

    module._smile.cache_clear()
    monkeypatch.setattr(builtins, "__import__", _import)
    yield
    module._smile.cache_clear()


@pytest.mark.usefixtures("_without_the_extra")
def test_without_the_package_the_message_says_what_to_install() -> None:
    with pytest.raises(ConfigError) as refused:
        module.extract(_speech(), module.OpenSmileSettings())
    assert str(refused.value) == (
        "features.name opensmile needs the package opensmile; install it with pip install 'ser-tune[opensmile]'"
    )


@pytest.mark.usefixtures("_without_the_extra")
def test_without_the_package_a_study_ends_with_one_sentence(
    call: Call, root: Path, tmp_path: Path, corpus_csv: Path
) -> None:
    flags = ("--model", "linear_probe", "--features", "opensmile", "--corpus", "manifest", "--data", corpus_csv)
    told = call(root, "train", *flags, environment={"SER_TUNE_CACHE": str(tmp_path / "empty")})
    assert told.code == 2
    assert told.err.splitlines()[-1].endswith("install it with pip install 'ser-tune[opensmile]'")
    assert "Traceback" not in told.err


@pytest.mark.slow
def test_features_are_extracted_once(tmp_path: Path, project: Any, tiny: Callable[..., Any]) -> None:
    from ser_tune.protocol import load_corpus

    flags = {"features.name": "opensmile", "model.name": "linear_probe", "corpus.name": "manifest"}
    corpus = load_corpus(tiny(), project)
    settings = define_study(flags=flags).config.features
    features = FEATURE_SETS.get("opensmile")
    seen: list[tuple[int, int]] = []

    def _extract() -> Any:
        return corpus_features(
            corpus, features, settings, tmp_path, progress=lambda done, total: seen.append((done, total))
        )

    first = _extract()
    total = len(corpus.utterances)
    assert seen == [(done, total) for done in range(1, total + 1)]
    assert first.frames.shape == (total, 1, 88)
    again = _extract()
    assert len(seen) == total
    np.testing.assert_array_equal(again.frames, first.frames)


@pytest.mark.parametrize("corpus", ["demo", "emodb"])
def test_an_utterance_stays_whole_whatever_the_corpus(corpus: str) -> None:
    flags = {"features.name": "opensmile", "model.name": "linear_probe", "corpus.name": corpus}
    study = define_study(flags=flags)
    assert study.config.segments.frames is None
    assert set(study.search) == {"model.objective", "model.penalty"}
    assert network_bytes(study, study.trial({}), tuple("abcdefg")) > 0


def test_segments_and_normalisation_of_a_single_frame_are_refused(tiny: Callable[..., Any]) -> None:
    flags = {"features.name": "opensmile", "model.name": "linear_probe"}
    for setting in ({"segments.frames": 100}, {"normalisation.scope": "utterance"}):
        study = define_study(flags=flags | setting)
        with pytest.raises(ConfigError, match="opensmile has a single frame an utterance"):
            network_bytes(study, study.trial({}), tuple("abcdefg"))


@pytest.mark.slow
def test_from_a_study_to_a_registered_champion_that_predicts(call: Call, root: Path, corpus_csv: Path) -> None:
    from mlflow import MlflowClient

    flags = ("--model", "linear_probe", "--features", "opensmile", "--corpus", "manifest", "--data", corpus_csv)
    told = call(root, "study", *flags, "--trials", "3", "--name", "smile")
    assert told.code == 0, told.err
    (note,) = (line for line in told.err.splitlines() if "openSMILE" in line)
    assert note.startswith(f"note: {LICENCE}")
    (version,) = json.loads(call(root, "models", "--json").out)
    assert version["aliases"] == ["champion"]
    # Tones of two pitches: functionals tell them apart
    assert float(version["validation_uar"]) > 0.9

    store = f"sqlite:///{root}/mlruns/mlflow.db"
    card = MlflowClient(store, store).get_model_version(version["name"], str(version["version"])).description
    assert card.count(LICENCE) == 1
    assert f"\n- {LICENCE}" in card

    sounds = sorted(corpus_csv.parent.glob("*.wav"))[:4]
    predicted = call(root, "predict", version["name"], *sounds, "--json")
    assert predicted.code == 0, predicted.err
    assert len(json.loads(predicted.out)) == len(sounds)
