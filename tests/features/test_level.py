"""Speech at a level: measured without its pauses, and the same for features of training and of prediction."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ser_tune.architectures import ARCHITECTURES
from ser_tune.audio import Heard, read_speech
from ser_tune.config import NormalisationSettings, SegmentSettings
from ser_tune.corpora import Corpus
from ser_tune.features import FEATURE_SETS, Extraction, FeatureStore, active_level_db, extract_features, levelled
from ser_tune.prediction import Predictor, Recipe

WAVEFORM = FEATURE_SETS.get("waveform")
RATE = 16_000


def _speech(seed: int, length: int) -> np.ndarray:
    """Noise whose level rises and falls."""
    rng = np.random.default_rng(seed)
    envelope = np.sin(np.linspace(0, rng.uniform(3, 30), length)) ** 2
    return (0.1 * envelope * rng.normal(size=length)).astype(np.float32)


@settings(max_examples=30, deadline=None)
@given(
    seed=st.integers(0, 10**6), length=st.integers(10, 2 * RATE), gain_db=st.floats(-60, 20), level_db=st.floats(-60, 0)
)
def test_a_louder_recording_is_the_same_at_a_level(seed: int, length: int, gain_db: float, level_db: float) -> None:
    speech, at_level = _speech(seed, length), WAVEFORM.settings(level_db=level_db)
    louder = (speech * 10 ** (gain_db / 20)).astype(np.float32)
    assert active_level_db(louder) == pytest.approx(active_level_db(speech) + gain_db, abs=1e-4)
    brought = levelled(louder, at_level)
    assert brought.dtype == np.float32
    np.testing.assert_allclose(brought, levelled(speech, at_level), rtol=1e-4, atol=1e-9)
    assert active_level_db(brought) == pytest.approx(level_db, abs=1e-3)


@given(pause_s=st.floats(0.1, 10), noise_db=st.floats(-200, -80))
@settings(max_examples=20, deadline=None)
def test_pauses_do_not_lower_the_level(pause_s: float, noise_db: float) -> None:
    speech = _speech(0, RATE)
    pause = 10 ** (noise_db / 20) * np.random.default_rng(1).normal(size=round(pause_s * RATE))
    together = np.concatenate([pause, speech, pause]).astype(np.float32)
    assert active_level_db(together) == pytest.approx(active_level_db(speech), abs=0.5)


def test_digital_silence_stays_silent_and_no_level_leaves_speech_alone() -> None:
    silence = np.zeros(RATE, np.float32)
    assert not levelled(silence, WAVEFORM.settings(level_db=-26.0)).any()
    speech = _speech(0, RATE)
    assert levelled(speech, WAVEFORM.settings()) is speech


def test_stored_texts_have_a_level_where_there_is_one() -> None:
    assert "level_db" not in WAVEFORM.settings().model_dump_json()
    assert WAVEFORM.settings().model_dump()["level_db"] is None  # a search over it finds its default
    written = WAVEFORM.settings(level_db=-26.0)
    assert WAVEFORM.settings.model_validate_json(written.model_dump_json()) == written


def test_a_predictor_reads_features_at_the_level_of_the_cached_ones(
    make_corpus: Callable[..., Corpus], tmp_path: Path
) -> None:
    corpus, at_level = make_corpus(0.3, 0.2), WAVEFORM.settings(level_db=-26.0)
    entries = {extract_features(Extraction(corpus, WAVEFORM, own), tmp_path) for own in (at_level, WAVEFORM.settings())}
    assert len(entries) == 2
    entry = extract_features(Extraction(corpus, WAVEFORM, at_level), tmp_path)
    stored = FeatureStore.open(tmp_path / entry)
    recipe = Recipe(
        labels=("fear", "joy"),
        model=ARCHITECTURES.get("fcn_attention").settings(),
        features=at_level,
        shape=WAVEFORM.shape(at_level),
        hop_s=WAVEFORM.hop_s(at_level),
        segments=SegmentSettings(frames=None),
        normalisation=NormalisationSettings(),
        aggregation="mean_log_softmax",
    )
    quiet = [Heard("a", read_speech(utterance.path) * np.float32(0.01)) for utterance in corpus.utterances]
    found = np.concatenate(Predictor(recipe, [], []).extract(quiet))
    np.testing.assert_allclose(found, stored.frames, rtol=1e-4, atol=1e-7)
    assert np.abs(found).max() > 0.01
