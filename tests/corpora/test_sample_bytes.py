"""Bytes that are read wrongly are found in any sound; in sounds that are read rightly none are."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import soundfile
from hypothesis import given, settings
from hypothesis import strategies as st

from ser_tune.corpora.sample_bytes import other_reading
from ser_tune.corpora.signal import signal_faults

SHARED = Path(__file__).parents[3] / "shared" / "corpora"
RATE_HZ = 16_000


def _voice(pitch_hz: float, level: float, noise: float, channels: int) -> np.ndarray:
    """A second of a tone with overtones that fades, and noise, as integers of 16 bits, shape (N, channels)."""
    time_s, rng = np.arange(RATE_HZ) / RATE_HZ, np.random.default_rng(0)
    tones = sum(np.sin(2 * np.pi * pitch_hz * number * time_s) / number for number in range(1, 6))
    sound = level * (tones / 2 * (0.2 + time_s) / 1.2 + noise * rng.normal(size=RATE_HZ))
    sides = [np.roll(sound, 5 * channel) for channel in range(channels)]
    return np.clip(np.rint(np.stack(sides, axis=1) * 2**15), -(2**15), 2**15 - 1).astype("<i2")


def _swapped(whole: np.ndarray) -> np.ndarray:
    return whole.byteswap() / 2**15


def _turned(whole: np.ndarray) -> np.ndarray:
    return (whole ^ np.int16(-(2**15))) / 2**15


def _late(whole: np.ndarray) -> np.ndarray:
    return np.frombuffer(b"\0" + whole.tobytes()[:-1], "<i2").reshape(whole.shape) / 2**15


def _converted(whole: np.ndarray) -> np.ndarray:
    written = whole.tobytes().replace(b"\n", b"\r\n")[: whole.nbytes]
    return np.frombuffer(written, "<i2").reshape(whole.shape) / 2**15


def _floats(whole: np.ndarray) -> np.ndarray:
    return ((whole / 2**15).astype("<f4").view("<i4") / 2**31).astype(np.float32)


def _swapped_24(whole: np.ndarray) -> np.ndarray:
    finer = whole.astype("<i4") * 2**16 + np.random.default_rng(1).integers(0, 2**8, whole.shape) * 2**8
    written = finer.astype("<i4").view(np.uint8).reshape(*whole.shape, 4)[..., [0, 3, 2, 1]]
    return np.ascontiguousarray(written).view("<i4")[..., 0] / 2**31


def _eight_bits(whole: np.ndarray) -> np.ndarray:
    return ((whole >> 8) + 128).astype(np.uint8)[: len(whole) // 2 * 2].reshape(-1).view("<i2")[:, None] / 2**15


WRONG: dict[str, tuple[Callable[[np.ndarray], np.ndarray], str]] = {
    "swapped": (_swapped, "bytes in another order"),
    "swapped_24": (_swapped_24, "bytes in another order"),
    "turned": (_turned, "samples of the other sign"),
    "late": (_late, "bytes in another order"),
    "floats": (_floats, "floating-point numbers"),
}


@settings(deadline=None, max_examples=40)
@given(
    pitch_hz=st.floats(70, 350),
    level=st.floats(0.02, 0.9),
    noise=st.floats(0, 0.1),
    channels=st.integers(1, 3),
    way=st.sampled_from(sorted(WRONG)),
)
def test_another_reading_is_named_where_the_bytes_are_wrong_and_none_where_they_are_right(
    pitch_hz: float, level: float, noise: float, channels: int, way: str
) -> None:
    damage, name = WRONG[way]
    if way == "floats":  # read as integers, loud and clear ones are a smooth sound of two levels
        level, noise = min(level, 0.3), 0.05 + noise / 2
    whole = _voice(pitch_hz, level, noise, channels)
    assert other_reading(damage(whole)) == name
    for right in (whole / 2**15, whole / 2**15 + 1e-7, (whole >> 8) / 2**7, whole / 2**15 + 2.0**-20):
        assert other_reading(right) == ""


@settings(deadline=None, max_examples=40)
@given(level=st.floats(1e-4, 3.0), period=st.integers(2, 400), bits=st.sampled_from([8, 12, 16, 24]))
def test_noise_square_waves_tones_and_silence_are_read_rightly(level: float, period: int, bits: int) -> None:
    count = np.arange(RATE_HZ)
    square, tone = np.where(count // period % 2, level, -level), level * np.sin(2 * np.pi * count / period)
    for sound in (np.random.default_rng(2).normal(0.0, level, RATE_HZ), square, tone, 0.0 * tone):
        stored = np.rint(np.clip(sound, -1, 1) * (2 ** (bits - 1) - 1)) / 2 ** (bits - 1)
        assert other_reading(stored[:, None]) == ""
    assert other_reading(square[:100, None]) == ""


@pytest.mark.slow
@pytest.mark.skipif(not SHARED.is_dir(), reason="the corpora are not beside this checkout")
@pytest.mark.parametrize("corpus", ["emodb", "urdu"])
def test_real_recordings_are_read_rightly_and_their_damage_is_found(corpus: str) -> None:
    files = sorted(path for path in (SHARED / corpus / "wav").iterdir() if path.suffix in (".wav", ".flac"))
    assert len(files) >= 400
    found = dict.fromkeys((*WRONG, "converted", "eight"), 0)
    for path in files[::4]:
        whole = soundfile.read(path, dtype="int16", always_2d=True)[0]
        assert "bytes" not in {fault.kind for fault in signal_faults(whole / 2**15, RATE_HZ)}, path
        for way, (damage, name) in WRONG.items():
            found[way] += other_reading(damage(whole)) == name
        found["converted"] += other_reading(_converted(whole)) != ""
        found["eight"] += other_reading(_eight_bits(whole[:, :1])) == "samples of the other sign"
    count = len(files[::4])
    assert found.pop("floats") >= 0.8 * count  # read as integers, loud ones are smooth as well
    assert found.pop("eight") >= 0.97 * count
    assert found == dict.fromkeys(found, count)
