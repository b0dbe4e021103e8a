"""Copies of speech: each perturbation does what it says, within its bounds, and the same copy is always the same."""

import hashlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scipy.signal import lfilter

from ser_tune.audio import read_speech
from ser_tune.config import PerturbationSettings
from ser_tune.corpora import Corpus
from ser_tune.errors import AudioError
from ser_tune.features import (
    FEATURE_SETS,
    Extraction,
    FeatureStore,
    corpus_features,
    extract_features,
    extraction,
    perturbation,
)
from ser_tune.features.perturbation import perturbed

RATE = 16_000
COPIES = range(1, 9)
LOGMEL = FEATURE_SETS.get("logmelspec")
SETTINGS = LOGMEL.settings.model_validate({"n_mels": 20})


def _settings(**written: Any) -> PerturbationSettings:
    return PerturbationSettings.model_validate(written)


def _tone(hz: float = 440.0, samples: int = RATE) -> np.ndarray:
    return (0.3 * np.sin(2 * np.pi * hz * np.arange(samples) / RATE)).astype(np.float32)


def _noise(samples: int = RATE) -> np.ndarray:
    return np.random.default_rng(0).normal(0.0, 0.1, samples).astype(np.float32)


def _peak_hz(sound: np.ndarray) -> float:
    windowed = np.abs(np.fft.rfft(sound * np.hanning(len(sound)), n=8 * RATE))
    return float(windowed.argmax() / 8)


EACH: dict[str, dict[str, Any]] = {
    "time_stretch": {"time_stretch": 0.2},
    "pitch_semitones": {"pitch_semitones": 3.0},
    "vocal_tract": {"vocal_tract": 0.1},
    "reverberation_s": {"reverberation_s": 0.3},
    "diffuse rooms": {"reverberation_s": 0.3, "rooms": "diffuse"},
    "noise_snr_db": {"noise_snr_db": 10.0},
    "varied noise": {"noise_snr_db": 10.0, "noise": "varied"},
    "gain_db": {"gain_db": 6.0},
    "saturation_db": {"saturation_db": 20.0},
    "band_hz": {"band_hz": 2000.0},
    "codecs": {"codecs": True},
    "bits": {"bits": 4},
}


@pytest.mark.parametrize("name", EACH)
def test_a_copy_is_always_the_same_and_another_number_or_speech_gives_another(name: str) -> None:
    settings, speech = _settings(**EACH[name]), _noise()
    before = speech.copy()
    first = perturbed(speech, settings, 1)
    assert first.dtype == np.float32
    assert not np.array_equal(first, speech)
    np.testing.assert_array_equal(speech, before)
    np.testing.assert_array_equal(perturbed(speech, settings, 1), first)
    assert not np.array_equal(perturbed(speech, settings, 2), first)
    if name != "time_stretch":
        assert first.shape == speech.shape
        assert np.abs(perturbed(speech + 1e-4, settings, 1) - first).max() > 3e-4


def test_nothing_perturbs_unless_it_is_asked_for() -> None:
    np.testing.assert_array_equal(perturbed(_noise(), _settings(), 1), _noise())


def test_a_perturbation_leaves_what_others_draw_as_it_was() -> None:
    plain = perturbed(_noise(), _settings(gain_db=20.0), 1) / _noise()
    tract = _settings(vocal_tract=0.1)
    both = perturbed(_noise(), tract.model_copy(update={"gain_db": 20.0}), 1) / perturbed(_noise(), tract, 1)
    assert np.median(both) == pytest.approx(float(plain[0]), rel=1e-4)


def test_stretched_time_changes_the_length_and_not_the_pitch() -> None:
    copies = [perturbed(_tone(), _settings(time_stretch=0.2), copy) for copy in COPIES]
    ratios = [RATE / len(one) for one in copies]
    assert all(0.8 <= one <= 1.2 for one in ratios)
    assert min(ratios) < 0.95 < 1.05 < max(ratios)
    assert [_peak_hz(one) for one in copies] == pytest.approx([440.0] * len(copies), abs=2.0)


def test_a_shift_of_pitch_is_in_semitones_and_keeps_the_length() -> None:
    copies = [perturbed(_tone(), _settings(pitch_semitones=3.0), copy) for copy in COPIES]
    semitones = [12 * np.log2(_peak_hz(one) / 440.0) for one in copies]
    assert all(-3.05 <= one <= 3.05 for one in semitones)
    assert min(semitones) < -1.0 < 1.0 < max(semitones)


def _vowel(formant_hz: float) -> np.ndarray:
    """Pulses of 125 Hz through one resonance."""
    pulses = np.zeros(RATE)
    pulses[:: RATE // 125] = 1.0
    pole = 0.97 * np.exp(2j * np.pi * formant_hz / RATE)
    return np.asarray(lfilter([0.01], [1.0, -2 * pole.real, abs(pole) ** 2], pulses), dtype=np.float32)


def _formant_hz(vowel: np.ndarray) -> float:
    """The harmonics' centre of mass, in energy."""
    energy = np.abs(np.fft.rfft(vowel)) ** 2
    return float((energy * np.arange(len(energy))).sum() / energy.sum()) * RATE / len(vowel)


@pytest.mark.parametrize("factor", [0.85, 1.2])
def test_another_vocal_tract_moves_formants_and_not_the_pitch(factor: float) -> None:
    vowel = _vowel(1600.0)
    other = perturbation._other_vocal_tract(vowel, factor)
    assert _formant_hz(other) / _formant_hz(vowel) == pytest.approx(factor, rel=0.06)
    spectrum = np.abs(np.fft.rfft(other * np.hanning(RATE)))
    harmonics, between = spectrum[125:4000:125], spectrum[125 + 62 : 4000 : 125]
    assert np.median(harmonics / between) > 50
    np.testing.assert_allclose(perturbation._other_vocal_tract(vowel, 1.0), vowel, atol=1e-5)
    assert not perturbation._other_vocal_tract(np.zeros(RATE, np.float32), factor).any()


def test_vocal_tracts_keep_within_their_bounds(monkeypatch: pytest.MonkeyPatch) -> None:
    factors: list[float] = []
    monkeypatch.setattr(perturbation, "_other_vocal_tract", lambda speech, factor: factors.append(factor) or speech)
    for copy in range(1, 40):
        perturbed(_noise(), _settings(vocal_tract=0.1), copy)
    assert 0.9 <= min(factors) < 0.93 < 1.07 < max(factors) <= 1.1


def test_noise_has_the_signal_to_noise_ratio_and_a_drawn_colour() -> None:
    speech = _tone(3000.0)
    settings = _settings(noise_snr_db=5.0, noise_snr_highest_db=20.0)
    ratios, slopes = [], []
    for copy in COPIES:
        noise = perturbed(speech, settings, copy).astype(np.float64) - speech
        ratios.append(10 * np.log10(np.square(speech).mean() / np.square(noise).mean()))
        density = np.square(np.abs(np.fft.rfft(noise)))
        slopes.append(np.log10(density[500:1000].mean() / density[5000:10000].mean()))  # a decade apart: the exponent
    assert all(5.0 <= one <= 20.0 for one in ratios)
    assert max(ratios) - min(ratios) > 5
    assert all(-0.2 <= one <= 2.2 for one in slopes)
    assert max(slopes) - min(slopes) > 1
    exact = perturbed(speech, _settings(noise_snr_db=12.0, noise_snr_highest_db=12.0), 1).astype(np.float64) - speech
    assert 10 * np.log10(np.square(speech).mean() / np.square(exact).mean()) == pytest.approx(12.0, abs=1e-3)


def test_a_gain_is_in_decibels_and_features_relative_to_the_maximum_do_not_see_it() -> None:
    speech = _noise()
    copies = [perturbed(speech, _settings(gain_db=6.0), copy) for copy in COPIES]
    gains = [20 * np.log10(one[0] / speech[0]) for one in copies]
    assert -6.0 <= min(gains) < -2.0 < 2.0 < max(gains) <= 6.0
    np.testing.assert_allclose(LOGMEL.extract(copies[0], SETTINGS), LOGMEL.extract(speech, SETTINGS), atol=1e-2)
    noisy = FEATURE_SETS.get("lognrevspec")
    levels = [noisy.extract(one * 0.01, noisy.settings()) for one in (copies[0], speech)]
    assert np.abs(levels[0][1] - levels[1][1]).max() > 1


def _reverberation_s(response: np.ndarray) -> float:
    """From the decay of the energy that is still to come, between -5 and -35 dB (Schroeder 1965)."""
    remaining = np.cumsum(np.square(response, dtype=np.float64)[::-1])[::-1]
    level = 10 * np.log10(remaining / remaining[0])
    return float(2 * (np.argmax(level < -35) - np.argmax(level < -5)) / RATE)


def test_rooms_reverberate_as_long_as_they_should_and_let_the_direct_sound_come_first() -> None:
    settings, click = _settings(reverberation_s=0.4), np.zeros(RATE, np.float32)
    click[100] = 0.5
    times = []
    for copy in range(1, 6):
        heard = perturbed(click, settings, copy)
        assert np.argmax(np.abs(heard[:110])) in (99, 100, 101)
        assert np.abs(heard[:100]).max() < 0.5 * np.abs(heard[99:102]).max()
        times.append(_reverberation_s(heard))
        np.testing.assert_allclose(np.square(heard).sum(), np.square(click).sum(), rtol=1e-4)
    # Sabine's formula is that of a diffuse sound field, which a shoebox's is not quite
    assert all(0.15 < one < 0.55 for one in times)
    assert max(times) > 1.2 * min(times)
    driest = perturbed(click, _settings(reverberation_s=0.2), 1)
    assert _reverberation_s(driest) == pytest.approx(0.2, abs=0.08)


def test_speech_too_short_for_a_copy_is_refused() -> None:
    with pytest.raises(AudioError, match=r"^speech of 0\.050 s is too short to be perturbed; expected at least 0\.064"):
        perturbed(_noise(800), _settings(gain_db=3.0), 1)


# In the cache


NOISY = _settings(copies=2, noise_snr_db=5.0, pitch_semitones=2.0)


def _copied(corpus: Corpus, cache: Path, settings: PerturbationSettings, copy: int) -> FeatureStore:
    """Features of a copy, or, with number 0, of clean speech."""
    return FeatureStore.open(cache / extract_features(Extraction(corpus, LOGMEL, SETTINGS, settings, copy), cache))


def test_a_copys_features_are_those_of_the_copy_on_any_number_of_threads(
    make_corpus: Callable[..., Corpus], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    corpus, found = make_corpus(0.3, 0.2, 0.4), []
    for threads in (1, 3):
        monkeypatch.setattr(extraction.os, "cpu_count", lambda threads=threads: threads)
        cache = tmp_path / str(threads)
        found.append(_copied(corpus, cache, NOISY, 2))
    np.testing.assert_array_equal(found[0].frames, found[1].frames)
    assert isinstance(found[0].frames, np.memmap)
    for number, one in enumerate(corpus.utterances):
        direct = LOGMEL.extract(perturbed(read_speech(one.path), NOISY, 2), SETTINGS)
        stored = found[0].frames[found[0].offsets[number] : found[0].offsets[number + 1]]
        np.testing.assert_array_equal(stored.transpose(1, 2, 0), direct)
    # And what they were made from is the clean speech
    assert found[0].sounds == corpus_features(corpus, LOGMEL, SETTINGS, tmp_path / "clean").sounds


def test_every_copy_is_an_entry_and_clean_speech_keeps_its_own(
    make_corpus: Callable[..., Corpus], tmp_path: Path
) -> None:
    corpus, cache = make_corpus(0.1, 0.1), tmp_path / "cache"

    def entries(settings: PerturbationSettings, copy: int) -> set[str]:
        _copied(corpus, cache, settings, copy)
        return {path.name for path in cache.iterdir() if path.is_dir()}

    named = f"{extraction.FEATURE_FORMAT} {corpus.audio_digest} {SETTINGS.model_dump_json()}"
    assert entries(NOISY, 0) == {hashlib.sha256(named.encode()).hexdigest()[:32]}  # as before there were copies
    assert len(entries(NOISY, 1)) == 2
    assert len(entries(NOISY, 2)) == 3
    more = NOISY.model_copy(update={"copies": 9, "stability": 0.5})
    assert len(entries(more, 1)) == 3
    assert len(entries(NOISY.model_copy(update={"noise_snr_db": 6.0}), 1)) == 4


def test_a_copy_that_became_too_short_is_named(make_corpus: Callable[..., Corpus], tmp_path: Path) -> None:
    corpus, settings = make_corpus(0.068, 0.068, name="short"), _settings(time_stretch=0.5)
    speeches = [read_speech(one.path) for one in corpus.utterances]
    copy = next(one for one in range(1, 50) if any(len(perturbed(speech, settings, one)) < 800 for speech in speeches))
    with pytest.raises(
        AudioError, match=rf"short/\d\.wav, copy {copy}: speech of 0\.0\d\d s is shorter than one window"
    ):
        _copied(corpus, tmp_path / "cache", settings, copy)
