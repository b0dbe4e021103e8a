"""Near-identical recordings: copies are found after every change, different recordings are left alone."""

import shutil
import subprocess
from pathlib import Path

import numpy as np
import pytest
import soundfile
from hypothesis import given, settings
from hypothesis import strategies as st

from ser_tune.likeness import audio_fingerprint, near_groups, near_identical, nearest
from tests.likeness.changes import CHANGES, RATE_HZ, voice

EMODB = Path(__file__).parents[3] / "shared" / "corpora" / "emodb" / "wav"


@pytest.fixture(scope="module")
def voices() -> list[np.ndarray]:
    return [voice(seed) for seed in range(8)]


@pytest.mark.parametrize("name", CHANGES)
def test_a_changed_copy_is_near_identical_to_its_original_alone(voices: list[np.ndarray], name: str) -> None:
    originals = [audio_fingerprint(one) for one in voices]
    copies = [audio_fingerprint(CHANGES[name](one)) for one in voices]
    assert [None if one is None else one.second for one in nearest(copies, originals)] == list(range(len(voices)))
    pairs = near_identical([*originals, *copies])
    assert [(one.first, one.second - len(voices)) for one in pairs] == [(one, one) for one in range(len(voices))]


@pytest.mark.slow
@pytest.mark.skipif(shutil.which("ffmpeg") is None, reason="ffmpeg is not on this machine")
@pytest.mark.parametrize(
    ("codec", "ending"), [("aac", "m4a"), ("libopus", "ogg"), ("libmp3lame", "mp3"), ("wmav2", "wma")]
)
def test_a_copy_of_another_codec_is_found(voices: list[np.ndarray], tmp_path: Path, codec: str, ending: str) -> None:
    soundfile.write(tmp_path / "sound.wav", voices[0], RATE_HZ)
    arguments = ("ffmpeg", "-v", "error", "-i", "sound.wav", "-c:a", codec, "-b:a", "32k", f"copy.{ending}")
    subprocess.run(arguments, cwd=tmp_path, check=True, timeout=60)
    back = ("ffmpeg", "-v", "error", "-i", f"copy.{ending}", "-ar", str(RATE_HZ), "-ac", "1", "back.wav")
    subprocess.run(back, cwd=tmp_path, check=True, timeout=60)
    copy, _ = soundfile.read(tmp_path / "back.wav")
    (found,) = nearest([audio_fingerprint(copy)], [audio_fingerprint(one) for one in voices])
    assert found is not None
    assert found.second == 0


@settings(max_examples=10, deadline=None)
@given(
    gain=st.floats(1e-3, 10).flatmap(lambda size: st.sampled_from([size, -size])),
    cut=st.integers(0, 12_000),
    pad=st.integers(0, 20_000),
    seed=st.integers(0, 1000),
)
def test_level_and_ends_do_not_matter_together(gain: float, cut: int, pad: int, seed: int) -> None:
    sound = voice(seed, 1.5)
    copy = gain * np.pad(sound[cut:], (pad, 0))
    (found,) = nearest([audio_fingerprint(copy)], [audio_fingerprint(sound)])
    assert found is not None
    assert found.agreement > 0.7
    assert found.shared_s == pytest.approx(1.5 - cut / RATE_HZ, abs=0.3)


def test_different_recordings_are_left_alone(voices: list[np.ndarray]) -> None:
    rng = np.random.default_rng(0)
    time_s = np.arange(6400) / RATE_HZ
    noisy_tones = [
        0.2 * np.sin(2 * np.pi * pitch_hz * time_s) + rng.normal(0, 0.05, len(time_s))
        for pitch_hz in (400.0, 400.0, 401.0, 800.0, 1200.0, 1200.0)
    ]
    noises = list(rng.normal(0, 0.1, (10, 8000)))
    assert near_identical([audio_fingerprint(one) for one in [*voices, *noisy_tones, *noises]]) == []


def test_steady_tones_without_noise_are_left_alone() -> None:
    rng = np.random.default_rng(0)
    tones = [
        0.3 * np.sin(2 * np.pi * rng.uniform(100, 1900) * np.arange(rng.integers(5000, 30_000)) / RATE_HZ)
        for _ in range(60)
    ]
    assert near_identical([audio_fingerprint(one) for one in tones]) == []


@pytest.mark.parametrize("sound", [np.zeros(8000), np.sin(2 * np.pi * 440 * np.arange(16_000) / RATE_HZ)])
def test_silence_and_steady_tones_have_no_bits_to_compare(sound: np.ndarray) -> None:
    assert np.count_nonzero(audio_fingerprint(sound)) < 10
    assert near_identical([audio_fingerprint(sound), audio_fingerprint(0.5 * sound)]) == []


def test_recordings_of_a_few_milliseconds_are_not_compared() -> None:
    sounds = [audio_fingerprint(voice(0)[:count]) for count in (1, 10, 400, 1600)]
    assert near_identical([*sounds, *sounds]) == []
    assert nearest([], sounds) == []
    assert nearest(sounds, []) == [None] * len(sounds)


def test_a_stretch_that_two_recordings_share_is_found(voices: list[np.ndarray]) -> None:
    shared = voices[0][:20_000]
    sounds = [np.concatenate([voices[1], shared, voices[2]]), np.concatenate([voices[3], shared, voices[4]])]
    (found,) = near_identical([audio_fingerprint(one) for one in sounds])
    assert found.shared_s == pytest.approx(1.25, abs=0.2)


@pytest.mark.slow
def test_many_copies_of_one_recording_are_one_group(voices: list[np.ndarray]) -> None:
    rng = np.random.default_rng(0)
    copies = [audio_fingerprint(voices[0] + rng.normal(0, 0.002, len(voices[0]))) for _ in range(60)]
    others = [audio_fingerprint(one) for one in voices[1:]]
    assert near_groups([*others[:5], *copies, *others[5:]]) == [list(range(5, 65))]
    assert len(near_identical(copies)) >= 59


@pytest.mark.slow
def test_no_two_recordings_of_emodb_are_near_identical() -> None:
    if not EMODB.is_dir():
        pytest.skip("EmoDB is not on this machine")
    sounds = [soundfile.read(path, dtype="float32")[0] for path in sorted(EMODB.glob("*.wav"))]
    assert len(sounds) == 535
    assert near_identical([audio_fingerprint(one) for one in sounds]) == []
