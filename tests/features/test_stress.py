"""Conditions of worse microphones do to speech what their names say."""

import numpy as np
import pytest

from ser_tune.features.channel import rms
from ser_tune.features.stress import CONDITIONS, Condition

BY_NAME = {one.name: one for one in CONDITIONS}


@pytest.fixture(scope="module")
def speech() -> np.ndarray:
    """A buzz of 120 Hz that swells and fades, with silence at both ends, 1 s."""
    time_s = np.arange(16_000) / 16_000
    buzz = np.sum([np.sin(2 * np.pi * 120 * n * time_s) / n for n in range(1, 40)], axis=0)
    buzz *= np.sin(np.pi * time_s) ** 2
    buzz[:2000] = buzz[-3000:] = 0.0
    return (0.1 * buzz).astype(np.float32)


def _snr_db(clean: np.ndarray, disturbed: np.ndarray) -> float:
    return float(20 * np.log10(rms(clean) / rms(disturbed - clean)))


@pytest.mark.parametrize("kind", ["white noise", "pink noise", "babble"])
def test_noise_has_the_ratio_that_its_name_says(kind: str, speech: np.ndarray) -> None:
    others = np.random.default_rng(0).normal(size=len(speech))
    for snr_db in (20, 10, 0):
        disturbed = BY_NAME[f"{kind} {snr_db} dB"].apply(speech, others)
        assert _snr_db(speech, disturbed) == pytest.approx(snr_db, abs=0.01)


def _share_above(sound: np.ndarray, limit_hz: float) -> float:
    power = np.abs(np.fft.rfft(sound)) ** 2
    return float(power[np.fft.rfftfreq(len(sound), 1 / 16_000) > limit_hz].sum() / power.sum())


def test_the_telephone_passes_300_to_3400_hz() -> None:
    noise = np.random.default_rng(0).normal(size=16_000).astype(np.float32)
    heard = BY_NAME["telephone band"].apply(noise)
    assert _share_above(noise, 3600) > 0.5
    assert _share_above(heard, 3600) < 0.03
    assert _share_above(heard, 280) > 0.97


def test_clipping_flattens_the_share_that_its_name_says(speech: np.ndarray) -> None:
    for share in (0.01, 0.05, 0.2):
        clipped = BY_NAME[f"clipping {share:.0%}"].apply(speech)
        at_the_top = np.mean(np.abs(clipped) >= np.abs(clipped).max() - 1e-7)
        assert at_the_top == pytest.approx(share, abs=0.005)


def test_level_lowers_and_rounds_but_never_to_digital_silence(speech: np.ndarray) -> None:
    lowered = BY_NAME["level -20 dB"].apply(speech)
    assert 20 * np.log10(rms(lowered) / rms(speech)) == pytest.approx(-20, abs=0.1)
    assert np.array_equal(lowered * 32768, np.round(lowered * 32768))
    assert BY_NAME["level -60 dB"].apply(speech * 1e-3).any()


def test_codecs_keep_length_and_most_of_the_sound(speech: np.ndarray) -> None:
    for name in ("GSM", "MP3 level 0.5", "Vorbis level 0.5"):
        coded = BY_NAME[name].apply(speech)
        assert len(coded) == len(speech)
        assert 0.8 < np.corrcoef(coded, speech)[0, 1] < 0.999999, name


def test_codecs_do_not_clip_what_is_beyond_full_scale(speech: np.ndarray) -> None:
    loud = speech * (3 / np.abs(speech).max())
    assert np.abs(BY_NAME["Vorbis level 0.5"].apply(loud)).max() == pytest.approx(3, rel=0.1)


def test_trimming_removes_the_silence_at_both_ends(speech: np.ndarray) -> None:
    assert len(BY_NAME["trimmed silence"].apply(speech)) < len(speech) - 3000


@pytest.mark.parametrize("condition", CONDITIONS, ids=lambda one: one.name)
def test_a_condition_is_the_same_every_time_and_changes_something(condition: Condition, speech: np.ndarray) -> None:
    if condition.kind == "room" and condition.severity != "0.3 s":
        pytest.skip("long rooms take a second to compute")
    others = np.roll(speech, 4000)
    first, again = condition.apply(speech, others), condition.apply(speech, others)
    assert np.array_equal(first, again)
    assert first.dtype == np.float32
    assert len(first) != len(speech) or not np.array_equal(first, speech)
