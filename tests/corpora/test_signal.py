"""Faults of a signal: each is planted and found, and good recordings have none."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile
from hypothesis import given, settings
from hypothesis import strategies as st

from ser_tune.audio import read_samples
from ser_tune.corpora.signal import signal_faults, unusable_kind

EMODB = Path(__file__).parents[3] / "shared" / "corpora" / "emodb"
RATE_HZ = 16_000
SPEECH = np.random.default_rng(0).normal(0.0, 0.1, RATE_HZ)


def _click(count: int = RATE_HZ, noise: float = 0.0) -> np.ndarray:
    sound = np.random.default_rng(1).normal(0.0, 1.0, count) * noise
    sound[count // 3] = 1.0
    return sound


PLANTED = {
    "quiet": (
        SPEECH * 1e-3,
        np.round(SPEECH) + np.where(np.arange(RATE_HZ) % 50 == 0, 2**-15, 0.0),
        np.random.default_rng(2).normal(0.0, 5e-4, RATE_HZ),
    ),
    "constant": (
        np.full(RATE_HZ, 0.5),
        0.5 + SPEECH * 1e-3,
        np.repeat([0.5, -0.5], RATE_HZ // 2),
        np.full(RATE_HZ, 2.0**-15),
    ),
    "click": (_click(), _click(noise=1e-4), _click(60 * RATE_HZ), 0.8 * _click(2 * RATE_HZ) + 0.1),
    "offset": (SPEECH + 0.6, SPEECH - 0.05, SPEECH * 0.02 + 0.01),
    "beyond": (SPEECH * 5,),
    "short": (SPEECH[: RATE_HZ // 11],),
    "clipped": (np.clip(SPEECH * 9, -1.0, 1.0),),
}


def _kinds(sound: np.ndarray, rate_hz: int = RATE_HZ) -> list[str]:
    samples = sound.astype(np.float32)
    return [one.kind for one in signal_faults(samples if samples.ndim == 2 else samples[:, None], rate_hz)]


@pytest.mark.parametrize(
    ("kind", "number"), [(kind, number) for kind in PLANTED for number in range(len(PLANTED[kind]))]
)
def test_a_planted_fault_is_found_and_no_other(kind: str, number: int) -> None:
    sound = PLANTED[kind][number]
    assert _kinds(sound) == [kind]
    assert _kinds(np.stack([sound, sound], axis=1)) == [kind]
    assert _kinds(-sound) == [kind]


@settings(deadline=None, max_examples=50)
@given(
    level=st.floats(-50, -12),
    offset=st.floats(0, 0.05),
    silence=st.integers(0, 20 * RATE_HZ),
    rate_hz=st.sampled_from([8000, 16_000, 48_000]),
)
def test_speech_of_any_usual_level_with_silence_around_it_has_no_fault(
    level: float, offset: float, silence: int, rate_hz: int
) -> None:
    speech = 10 ** (level / 20) * (SPEECH / SPEECH.std() + offset)
    sound = np.concatenate([np.zeros(silence // 2), np.clip(speech, -0.98, 0.98), np.zeros(silence - silence // 2)])
    kinds = _kinds(sound, rate_hz)
    assert not set(kinds) - {"quiet", "constant"}
    if silence < RATE_HZ:
        assert not kinds


@pytest.mark.parametrize(
    ("samples", "rate_hz", "kind"),
    [
        (np.zeros((9, 1)), RATE_HZ, "silent"),
        (SPEECH[:, None], 1, "rate"),
        (SPEECH[:, None], 768_000, "rate"),
        (np.stack([SPEECH, -SPEECH], axis=1), RATE_HZ, "cancelled"),
        (np.stack([SPEECH + 0.1, 0.1 - SPEECH], axis=1), RATE_HZ, "cancelled"),
        (SPEECH[:, None] * 2**15, RATE_HZ, "scale"),
        (np.rint(SPEECH[:, None] * 40), RATE_HZ, "scale"),
        (np.stack([SPEECH * 500, SPEECH * -499], axis=1), RATE_HZ, "scale"),
        (np.full((9, 1), np.nan), RATE_HZ, "unreadable"),
        (np.zeros((0, 1)), RATE_HZ, "unreadable"),
    ],
)
def test_the_reason_why_samples_are_refused_is_the_true_one(samples: np.ndarray, rate_hz: int, kind: str) -> None:
    assert unusable_kind(samples.astype(np.float32), rate_hz) == kind


@settings(deadline=None, max_examples=50)
@given(
    gains=st.lists(st.floats(0.1, 1.0), min_size=2, max_size=8),
    noise=st.floats(-80, -30),
    delay=st.integers(0, 40),
    turned=st.booleans(),
)
def test_channels_that_work_against_each_other_are_found_and_no_others(
    gains: list[float], noise: float, delay: int, turned: bool
) -> None:
    # Microphones at different places and levels; of a pair one may be wired the wrong way round
    rng, level = np.random.default_rng(5), 10 ** (noise / 20)
    if turned:
        pair = np.stack([SPEECH, -(0.8 + 0.2 * gains[0]) * SPEECH], axis=1)
        assert "phase" in _kinds(pair + rng.normal(0.0, level / 10, pair.shape) + 0.005)
        return
    channels = [gain * np.roll(SPEECH, delay * number) for number, gain in enumerate(gains)]
    assert "phase" not in _kinds(np.stack([*channels, 0 * SPEECH], axis=1) + rng.normal(0.0, level, (RATE_HZ, 1)))


@pytest.mark.slow
@pytest.mark.skipif(not EMODB.is_dir(), reason="EmoDB is not beside this checkout")
def test_no_recording_of_emodb_has_a_fault() -> None:
    files = sorted(EMODB.rglob("*.wav"))
    assert len(files) == 535
    assert [path.name for path in files if list(signal_faults(*read_samples(path)))] == []


@pytest.mark.slow
def test_check_counts_each_kind_and_shows_a_few(call: Callable[..., Any], tmp_path: Path) -> None:
    rows, rng = ["path,speaker,emotion"], np.random.default_rng(3)
    for number in range(12):
        sounds = {
            "good": rng.normal(0.0, 0.1, RATE_HZ),
            "quiet": rng.normal(0.0, 1e-4, RATE_HZ),
            "offset": rng.normal(0.2, 0.1, RATE_HZ),
        }
        for kind, sound in sounds.items():
            soundfile.write(tmp_path / f"{kind}{number}.wav", sound, RATE_HZ, subtype="FLOAT")
            rows.append(f"{kind}{number}.wav,s{number % 3},{'joy' if number % 2 else 'anger'}")
    stereo = rng.normal(0.0, 0.1, RATE_HZ)
    soundfile.write(tmp_path / "cancelled.wav", np.stack([stereo, -stereo], axis=1), RATE_HZ)
    soundfile.write(tmp_path / "slow.wav", stereo, 100)
    soundfile.write(tmp_path / "integers.wav", rng.normal(0.0, 3000.0, RATE_HZ), RATE_HZ, subtype="FLOAT")
    rows += ["cancelled.wav,s1,joy", "slow.wav,s2,joy", "integers.wav,s0,anger"]
    (tmp_path / "corpus.csv").write_text("\n".join(rows))
    told = call(tmp_path, "corpus", "check", "manifest", "--data", "corpus.csv")
    assert told.code == 1
    assert "wrong: 1 cancelled, 1 rate, 1 scale" in told.out.splitlines()
    assert "warnings: 12 offset, 12 quiet" in told.out.splitlines()
    assert told.out.count("warning: quiet: quiet") == 5
    assert "wrong: cancelled: cancelled.wav has 2 channels that cancel each other out" in told.out
    assert "slow.wav has sample rate 100 Hz; expected 4000 to 384000 Hz" in told.out
    assert "integers.wav holds samples of up to 1e+04; expected full scale at ±1" in told.out
    found = json.loads(call(tmp_path, "corpus", "check", "manifest", "--data", "corpus.csv", "--json").out)
    assert found["kinds"]["quiet"] == {"wrong": 0, "warnings": 12}
    assert found["kinds"]["rate"] == {"wrong": 1, "warnings": 0}
    assert len([one for one in found["problems"] if one["kind"] == "offset"]) == 12
