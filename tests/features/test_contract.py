"""What every feature set promises, whichever it is, and what is known of each from outside."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import librosa
import numpy as np
import pytest

from ser_tune.audio import SAMPLE_RATE_HZ
from ser_tune.config import FeatureSettings, SpectralSettings
from ser_tune.encoders import CheckpointSettings
from ser_tune.errors import AudioError, ConfigError
from ser_tune.features import FEATURE_SETS, FeatureSet
from ser_tune.features.spectral import DYNAMIC_RANGE_DB, magnitudes, mel_bands, relative_db

DB_CHANNELS = {"logspec": [0], "logmelspec": [0], "logmeldeltaspec": [0], "lognrevspec": [0, 1, 2]}
"""Which channels are levels; the others are differences."""
VARIANTS: dict[str, dict[str, Any]] = {
    "default": {},
    "short transform": {"window_s": 0.025, "dft_points": 512, "hop_s": 0.02, "window": "hann", "pre_emphasis": 0.0},
    "odd transform": {"dft_points": 801},
}


SPECTRAL = [name for name in FEATURE_SETS.names() if issubclass(FEATURE_SETS.get(name).settings, SpectralSettings)]

Configure = Callable[..., FeatureSettings]


@pytest.fixture(params=FEATURE_SETS.names())
def feature_set(request: pytest.FixtureRequest) -> FeatureSet:
    return FEATURE_SETS.get(request.param)


@pytest.fixture(params=SPECTRAL)
def spectral(request: pytest.FixtureRequest) -> FeatureSet:
    """A set of spectrograms."""
    return FEATURE_SETS.get(request.param)


@pytest.fixture
def configure(request: pytest.FixtureRequest, tmp_path: Path) -> Configure:
    """Settings of a feature set; a pretrained one has a tiny encoder: `configure(feature_set, n_mels=40)`."""

    def _configure(feature_set: FeatureSet, **values: Any) -> FeatureSettings:
        if not issubclass(feature_set.settings, CheckpointSettings):
            return feature_set.settings.model_validate(values)
        checkpoint: Path = request.getfixturevalue("checkpoint")("wav2vec2")
        settings = feature_set.settings.model_validate({"checkpoint": str(checkpoint), "precision": "float32"} | values)
        resolved: FeatureSettings = feature_set.resolve(settings, tmp_path)
        return resolved

    return _configure


def _speech(duration_s: float = 0.5, seed: int = 0) -> np.ndarray:
    """Noise whose level and colour vary."""
    noise = np.random.default_rng(seed).normal(size=round(duration_s * SAMPLE_RATE_HZ))
    return (0.1 * np.linspace(0.2, 1.0, len(noise)) * noise).astype(np.float32)


def _sine(frequency_hz: float) -> np.ndarray:
    return np.sin(2 * np.pi * frequency_hz * np.arange(8000) / SAMPLE_RATE_HZ).astype(np.float32)


def _set(name: str, **values: Any) -> tuple[FeatureSet, FeatureSettings]:
    feature_set = FEATURE_SETS.get(name)
    return feature_set, feature_set.settings.model_validate(values)


def test_every_feature_set_is_described_here() -> None:
    assert set(DB_CHANNELS) == set(SPECTRAL)


def test_a_feature_set_bears_its_name_and_citation(feature_set: FeatureSet) -> None:
    assert FEATURE_SETS.get(feature_set.name) is feature_set
    assert feature_set.settings.model_validate({}).name == feature_set.name
    assert feature_set.citation


def test_features_have_the_shape_that_settings_promise(feature_set: FeatureSet, configure: Configure) -> None:
    settings = configure(feature_set)
    features = feature_set.extract(_speech(), settings)
    assert features.shape[:2] == feature_set.shape(settings)
    assert features.dtype in (np.float32, np.float16)
    assert np.isfinite(features).all()
    hop_s = feature_set.hop_s(settings)
    if hop_s is None:
        assert features.shape[2] == 1
    else:
        assert features.shape[2] == pytest.approx(0.5 / hop_s, abs=0.05 / hop_s)  # or less by a window


def test_features_of_several_utterances_are_those_of_each(feature_set: FeatureSet, configure: Configure) -> None:
    settings = configure(feature_set)
    speech = [_speech(0.5), _speech(0.2, seed=1), _speech(0.5, seed=2)]
    alone = [feature_set.extract(one, settings) for one in speech]
    together = alone if feature_set.extract_batch is None else feature_set.extract_batch(speech, settings)
    assert [one.shape[:2] for one in together] == [feature_set.shape(settings)] * 3
    for found, expected in zip(together, alone, strict=True):
        np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("variant", VARIANTS)
def test_spectrograms_have_the_promised_frames(spectral: FeatureSet, variant: str) -> None:
    settings = spectral.settings.model_validate(VARIANTS[variant])
    assert isinstance(settings, SpectralSettings)
    speech = _speech()
    features = spectral.extract(speech, settings)
    frames = 1 + (len(speech) - settings.dft_points) // round(settings.hop_s * SAMPLE_RATE_HZ)
    assert features.shape == (*spectral.shape(settings), frames)
    assert features.dtype == np.float32
    assert np.isfinite(features).all()
    assert spectral.hop_s(settings) == settings.hop_s


def test_levels_reach_from_0_db_down_to_80(spectral: FeatureSet) -> None:
    # A click after digital silence: the range of levels is far larger than what is kept
    speech = np.zeros(4000, dtype=np.float32)
    speech[3000] = 1.0
    features = spectral.extract(speech, spectral.settings.model_validate({}))
    for channel in DB_CHANNELS[spectral.name]:
        assert features[channel].max() == 0.0
        assert features[channel].min() >= -DYNAMIC_RANGE_DB
    assert features[0].min() == -DYNAMIC_RANGE_DB


def test_the_same_speech_has_the_same_features(feature_set: FeatureSet, configure: Configure) -> None:
    settings = configure(feature_set)
    speech = _speech()
    before = speech.copy()
    first, second = feature_set.extract(speech, settings), feature_set.extract(speech, settings)
    np.testing.assert_array_equal(first, second)
    np.testing.assert_array_equal(speech, before)
    assert not np.array_equal(first, feature_set.extract(_speech(seed=1), settings))


def test_a_recordings_level_does_not_matter(spectral: FeatureSet) -> None:
    # Except to the noise of lognrevspec's second channel, whose level is a setting
    settings = spectral.settings.model_validate({})
    speech = _speech() * np.linspace(1e-4, 1.0, 8000, dtype=np.float32) ** 2
    clean = [0, 2] if spectral.name == "lognrevspec" else slice(None)
    loud, quiet = spectral.extract(speech, settings), spectral.extract(speech * np.float32(1e-4), settings)
    np.testing.assert_allclose(quiet[clean], loud[clean], atol=0.01)


def test_speech_shorter_than_a_window_is_refused(spectral: FeatureSet) -> None:
    settings = spectral.settings.model_validate({})
    assert spectral.extract(_speech(0.05), settings).shape[2] == 1
    with pytest.raises(AudioError, match=r"speech of 0\.050 s is shorter than one window of 0\.050 s"):
        spectral.extract(_speech(0.05)[1:], settings)


def test_a_window_longer_than_the_transform_is_refused(spectral: FeatureSet) -> None:
    settings = spectral.settings.model_validate({"window_s": 0.04, "dft_points": 512})
    with pytest.raises(ConfigError, match=r"features\.window_s is 0\.04 \(640 samples .* features\.dft_points, 512"):
        spectral.extract(_speech(), settings)


def test_a_tone_of_1_khz_peaks_in_its_bin() -> None:
    features, settings = _set("logspec")
    spectrum = features.extract(_sine(1000.0), settings)[0]
    # 800 points at 16 kHz: 20 Hz a bin
    np.testing.assert_array_equal(spectrum.argmax(axis=0), 50)
    # The window's main lobe is two bins of its own length wide; beyond it hamming is 40 dB down
    far = np.abs(np.arange(200) - 50) > 5
    assert spectrum[far].max() < -40


def test_a_tone_of_1_khz_peaks_in_its_mel_band() -> None:
    features, settings = _set("logmelspec")
    centres_hz = librosa.mel_frequencies(n_mels=130, fmin=0.0, fmax=8000.0)[1:-1]
    nearest = int(np.abs(centres_hz - 1000.0).argmin())
    np.testing.assert_array_equal(features.extract(_sine(1000.0), settings)[0].argmax(axis=0), nearest)


def test_a_level_is_20_db_per_power_of_ten_of_amplitude() -> None:
    features, settings = _set("logspec", pre_emphasis=0.0)
    spectrum = features.extract(_sine(1000.0) + 0.01 * _sine(3000.0), settings)[0]
    np.testing.assert_allclose(spectrum[50], 0.0, atol=0.01)
    np.testing.assert_allclose(spectrum[150], -40.0, atol=0.1)


def test_pre_emphasis_raises_what_is_high() -> None:
    speech = _sine(200.0) + _sine(3000.0)
    difference = {}
    for coefficient in (0.0, 0.97):
        features, settings = _set("logspec", pre_emphasis=coefficient)
        spectrum = features.extract(speech, settings)[0]
        difference[coefficient] = spectrum[150].mean() - spectrum[10].mean()
    gain = np.abs(1 - 0.97 * np.exp(-2j * np.pi * np.array([200.0, 3000.0]) / SAMPLE_RATE_HZ))
    assert difference[0.97] - difference[0.0] == pytest.approx(20 * np.log10(gain[1] / gain[0]), abs=0.1)


def test_differences_of_what_does_not_change_are_0() -> None:
    features, settings = _set("logmeldeltaspec", n_mels=40)
    # A tone of 100 Hz is the same in every frame of 10 ms steps
    levels, delta, delta_delta = features.extract(_sine(100.0), settings)[:, :, 5:-5]
    assert np.ptp(levels, axis=0).max() > 20
    np.testing.assert_allclose(delta, 0.0, atol=0.01)
    np.testing.assert_allclose(delta_delta, 0.0, atol=0.01)


def test_the_difference_of_a_steady_rise_is_its_slope() -> None:
    # Each 10 ms frame is 1 dB louder than the one before
    rise = 10 ** (np.arange(8000) / 160 / 20) / 1000
    features, settings = _set("logmeldeltaspec", n_mels=40, pre_emphasis=0.0)
    _, delta, delta_delta = features.extract((rise * _sine(1000.0)).astype(np.float32), settings)
    band = delta.mean(axis=1).argmax()
    np.testing.assert_allclose(delta[band, 4:-4], 1.0, atol=0.01)
    np.testing.assert_allclose(delta_delta[band, 6:-6], 0.0, atol=0.01)


def test_deltas_are_computed_of_a_single_frame() -> None:
    features, settings = _set("logmeldeltaspec", delta_width=9)
    levels, *differences = features.extract(_speech(0.05), settings)
    assert levels.min() < -10
    np.testing.assert_allclose(differences, 0.0, atol=1e-6)


def test_lognrevspec_is_a_log_spectrogram_with_noise_and_with_a_room() -> None:
    features, settings = _set("lognrevspec")
    plain, plain_settings = _set("logspec")
    speech = np.concatenate([_sine(1000.0), np.zeros(8000, dtype=np.float32)])
    clean, noisy, room = features.extract(speech, settings)
    np.testing.assert_array_equal(clean, plain.extract(speech, plain_settings)[0])
    silence = slice(52, None)
    assert clean[:, silence].max() == -DYNAMIC_RANGE_DB
    assert noisy[:, silence].mean() > -DYNAMIC_RANGE_DB + 5
    # After the tone the room rings on, and dies away by 60 dB in 0.3 s, 20 dB in 0.1 s
    ringing = room[45:56].mean(axis=0)
    assert ringing[52] > -40
    assert ringing[52] - ringing[62] == pytest.approx(20.0, abs=6.0)


def test_relative_levels_are_decibels() -> None:
    np.testing.assert_allclose(relative_db(np.array([2.0, 0.2, 0.02, 0.0])), [0.0, -20.0, -40.0, -80.0], atol=1e-9)


@pytest.mark.parametrize("variant", VARIANTS)
def test_magnitudes_are_librosas(variant: str) -> None:
    _, settings = _set("logspec", **VARIANTS[variant])
    speech = _speech()
    emphasised = librosa.effects.preemphasis(speech, coef=settings.pre_emphasis) if settings.pre_emphasis else speech
    spectrum = librosa.stft(
        emphasised,
        n_fft=settings.dft_points,
        hop_length=round(settings.hop_s * SAMPLE_RATE_HZ),
        win_length=round(settings.window_s * SAMPLE_RATE_HZ),
        window=settings.window,
        center=False,
    )
    expected = np.abs(spectrum)
    np.testing.assert_allclose(magnitudes(speech, settings), expected, atol=1e-6 * expected.max())


@pytest.mark.parametrize(("n_mels", "dft_points"), [(40, 512), (64, 1024), (128, 2048)])
def test_mel_bands_and_levels_are_librosas(n_mels: int, dft_points: int) -> None:
    bands = mel_bands(n_mels, dft_points).numpy()
    np.testing.assert_array_equal(bands, librosa.filters.mel(sr=16_000, n_fft=dft_points, n_mels=n_mels))
    amplitude = np.abs(np.random.default_rng(0).standard_normal((n_mels, 50))).astype(np.float32) ** 9
    expected = librosa.amplitude_to_db(amplitude, ref=np.max, amin=1e-15, top_db=DYNAMIC_RANGE_DB)
    np.testing.assert_array_equal(relative_db(amplitude), expected)


@pytest.mark.parametrize("width", [3, 5, 7, 9])
def test_differences_are_librosas(width: int) -> None:
    features, settings = _set("logmeldeltaspec", n_mels=40, delta_width=width)
    level, delta, delta_delta = features.extract(_sine(100.0), settings)
    for found, of in ((delta, level), (delta_delta, delta)):
        np.testing.assert_allclose(found, librosa.feature.delta(of, width=width, mode="nearest"), rtol=1e-6, atol=1e-14)
