"""Noises, rooms and recorders of copies are of other kinds than the conditions of a stress test."""

from collections.abc import Callable

import numpy as np
import pytest

from ser_tune.config import PerturbationSettings
from ser_tune.features import channel
from ser_tune.features.channel import band_limited, coded, diffuse_response, rms, rounded, saturated, varied_noise
from ser_tune.features.perturbation import OFF, copies_in_words, copy_key, perturbed

RATE = 16_000
SEEDS = range(5)


def _rng(seed: int = 0) -> np.random.Generator:
    return np.random.default_rng(seed)


def _speech(samples: int = RATE) -> np.ndarray:
    """A buzz that swells and fades."""
    time_s = np.arange(samples) / RATE
    buzz = np.sum([np.sin(2 * np.pi * 120 * n * time_s) / n for n in range(1, 30)], axis=0)
    return (0.1 * buzz * np.sin(3 * np.pi * time_s) ** 2).astype(np.float32)


@pytest.mark.parametrize("noise", channel.NOISES, ids=lambda noise: noise.__name__)
@pytest.mark.parametrize("length", [1024, RATE])
def test_every_kind_of_noise_is_finite_and_sounds(
    noise: Callable[[np.random.Generator, np.ndarray], np.ndarray], length: int
) -> None:
    for seed in SEEDS:
        made = noise(_rng(seed), _speech(length))
        assert made.shape == (length,)
        assert np.isfinite(made).all()
        assert rms(made) > 0
        np.testing.assert_array_equal(made, noise(_rng(seed), _speech(length)))


def test_varied_noise_has_unit_power_also_beside_digital_silence() -> None:
    for seed in range(12):  # reversed silence is silent: noise of another kind takes its place
        assert rms(varied_noise(_rng(seed), np.zeros(2000, np.float32))) == pytest.approx(1)
        assert rms(varied_noise(_rng(seed), _speech(2000))) == pytest.approx(1)


def test_a_diffuse_room_decays_in_its_time_and_high_frequencies_no_slower() -> None:
    for seed in SEEDS:
        response = diffuse_response(_rng(seed), 0.6)
        assert response[0] == 1.0
        assert 0.2 * RATE < len(response) < 0.63 * RATE
        tail = np.square(response[len(response) // 10 :])
        early, late = np.array_split(tail, 2)
        assert early.sum() > 100 * late.sum()


def test_saturation_keeps_the_peak_and_silence() -> None:
    speech = _speech().astype(np.float64)
    for seed in SEEDS:
        driven = saturated(_rng(seed), speech, 20.0)
        assert np.abs(driven).max() == pytest.approx(np.abs(speech).max())
        assert rms(driven) >= rms(speech)
    assert not saturated(_rng(), np.zeros(100), 20.0).any()


def test_a_band_takes_away_what_lies_outside() -> None:
    noise, frequency_hz = _rng(9).normal(size=RATE), np.fft.rfftfreq(RATE, 1 / RATE)
    for seed in SEEDS:
        kept = np.square(np.abs(np.fft.rfft(band_limited(_rng(seed), noise, 2000.0))))
        middle = kept[(frequency_hz > 600) & (frequency_hz < 1500)].mean()
        assert kept[frequency_hz < 10].mean() < 0.5 * middle
        assert middle == pytest.approx(RATE, rel=0.4)


@pytest.mark.parametrize("length", [1024, 15_999, RATE])
def test_codecs_keep_length_level_and_silence(length: int) -> None:
    speech = _speech(length).astype(np.float64)
    for seed in range(12):
        heard = coded(_rng(seed), speech)
        assert heard.shape == speech.shape
        assert 20 * np.log10(rms(heard) / rms(speech)) == pytest.approx(0, abs=3)
    assert not coded(_rng(), np.zeros(100)).any()


def test_few_bits_leave_few_levels() -> None:
    for seed in SEEDS:
        assert len(np.unique(rounded(_rng(seed), _speech(), 4))) <= 2**12 + 1
        assert np.abs(rounded(_rng(seed), _speech(), 4) - _speech()).max() <= np.abs(_speech()).max() / 2**3
    assert not rounded(_rng(), np.zeros(100), 4).any()


def test_each_perturbation_is_applied_to_the_share_of_copies_that_is_asked_for() -> None:
    settings, speech = PerturbationSettings(copies=1, gain_db=20.0, probability=0.3), _speech(2000)
    changed = [not np.array_equal(perturbed(speech, settings, copy), speech) for copy in range(1, 201)]
    assert np.mean(changed) == pytest.approx(0.3, abs=0.1)
    always = settings.model_copy(update={"probability": 1.0})
    assert all(not np.array_equal(perturbed(speech, always, copy), speech) for copy in range(1, 20))


def test_every_perturbation_can_be_left_out_of_a_copy() -> None:
    not_drawn = {"copies", "noise_snr_highest_db", "noise", "rooms", "stability", "probability", "statistics"}
    assert set(OFF) == set(PerturbationSettings.model_fields) - not_drawn
    assert all(getattr(PerturbationSettings(), name) == off for name, off in OFF.items())


def test_cached_copies_of_earlier_settings_keep_their_names() -> None:
    before = '{"time_stretch":0.0,"pitch_semitones":2.0,"vocal_tract":0.0,"reverberation_s":0.0,"noise_snr_db":null,'
    before += '"noise_snr_highest_db":30.0,"gain_db":0.0}'
    assert copy_key(PerturbationSettings(copies=2, pitch_semitones=2.0), 1) == f"copy 1 1 {before}"
    assert "statistics" not in copy_key(PerturbationSettings(copies=2, pitch_semitones=2.0, statistics="all"), 1)
    assert '"rooms":"diffuse"' in copy_key(PerturbationSettings(reverberation_s=0.5, rooms="diffuse"), 1)


def test_a_sentence_tells_which_copies_are_of_the_kinds_of_a_stress_test() -> None:
    assert copies_in_words(PerturbationSettings()) == ""
    apart = PerturbationSettings(copies=1, reverberation_s=0.6, rooms="diffuse", noise_snr_db=0, noise="varied")
    assert copies_in_words(apart) == (
        "trained on clean speech and 1 perturbed copy of it (reverberation_s 0.6, noise_snr_db 0); diffuse rooms and "
        "varied noise: other kinds than those of --stress"
    )
    alike = copies_in_words(PerturbationSettings(copies=2, noise_snr_db=0, codecs=True, probability=0.5))
    assert "(noise_snr_db 0, codecs, each with probability 0.5); coloured noise: kinds that --stress has too" in alike
