"""Changes that a copy of a recording may have gone through, and voices to change."""

import io
from collections.abc import Callable

import numpy as np
import soundfile
import soxr

__all__ = ["CHANGES", "RATE_HZ", "voice"]

RATE_HZ = 16_000
Change = Callable[[np.ndarray], np.ndarray]


def voice(seed: int, seconds: float = 2.0) -> np.ndarray:
    """A buzz whose pitch, loudness and resonances wander as no other seed's do, shape (N,), 16 kHz."""
    from scipy.signal import lfilter

    rng = np.random.default_rng(seed)
    count = round(seconds * RATE_HZ)
    knots = np.linspace(0, count, 3 + round(4 * seconds))
    pitch_hz, level = (
        np.interp(np.arange(count), knots, rng.uniform(*ends, len(knots))) for ends in ((90, 260), (0.1, 1))
    )
    sound = ((np.cumsum(pitch_hz) / RATE_HZ) % 1 - 0.5) * level + rng.normal(0, 0.01, count)
    parts = []
    for part in np.array_split(sound, 4):
        for resonance_hz in rng.uniform([300, 900], [900, 2300]):
            part = lfilter([1], [1, -1.94 * np.cos(2 * np.pi * resonance_hz / RATE_HZ), 0.94], part)
        parts.append(0.3 * part / np.abs(part).max())
    return np.concatenate(parts).astype(np.float32)


def _resampled(rate_hz: int) -> Change:
    return lambda sound: soxr.resample(soxr.resample(sound, RATE_HZ, rate_hz), rate_hz, RATE_HZ)


def _encoded(container: str, subtype: str, rate_hz: int = RATE_HZ) -> Change:
    def change(sound: np.ndarray) -> np.ndarray:
        file = io.BytesIO()
        soundfile.write(file, soxr.resample(sound, RATE_HZ, rate_hz), rate_hz, format=container, subtype=subtype)
        file.seek(0)
        decoded, rate = soundfile.read(file, dtype="float32")
        return soxr.resample(decoded, rate, RATE_HZ)

    return change


def _noisy(snr_db: float) -> Change:
    def change(sound: np.ndarray) -> np.ndarray:
        rng = np.random.default_rng(len(sound))
        return sound + rng.normal(0, np.sqrt(np.mean(sound**2)) * 10 ** (-snr_db / 20), len(sound))

    return change


def _stretched(rate: float) -> Change:
    def change(sound: np.ndarray) -> np.ndarray:
        import librosa

        stretched: np.ndarray = librosa.effects.time_stretch(sound, rate=rate)
        return stretched

    return change


def _reverberant(sound: np.ndarray) -> np.ndarray:
    """RT60 of 0.2 s; direct sound and reverberation have equal power."""
    count = round(0.2 * RATE_HZ)
    tail = np.random.default_rng(0).normal(size=count) * 10 ** (-3 * np.arange(count) / count)
    tail /= np.sqrt((tail**2).sum())
    tail[0] = 1
    from scipy.signal import fftconvolve

    reverberant: np.ndarray = fftconvolve(sound, tail)
    return reverberant


CHANGES: dict[str, Change] = {
    "gain": lambda sound: 0.05 * sound,
    "polarity": lambda sound: -sound,
    "8 kHz": _resampled(8000),
    "44.1 kHz": _resampled(44_100),
    "MP3": _encoded("MP3", "MPEG_LAYER_III"),
    "Vorbis": _encoded("OGG", "VORBIS"),
    "µ-law, 8 kHz": _encoded("WAV", "ULAW", 8000),
    "noise at 30 dB": _noisy(30),
    "noise at 20 dB": _noisy(20),
    "both ends cut": lambda sound: sound[2011:-1777],
    "half a second cut": lambda sound: sound[8000:],
    "padded": lambda sound: np.pad(sound, (5000, 9001)),
    "a second of it": lambda sound: sound[7321 : 7321 + RATE_HZ],
    "2 % faster": lambda sound: soxr.resample(sound, RATE_HZ * 1.02, RATE_HZ),
    "2 % slower": lambda sound: soxr.resample(sound, RATE_HZ * 0.98, RATE_HZ),
    "tempo up 2 %": _stretched(1.02),
    "tempo down 2 %": _stretched(0.98),
    "reverberation": _reverberant,
}
