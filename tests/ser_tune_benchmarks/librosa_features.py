"""Spectral features of a recording as a tutorial computes them: one librosa call after another, in float32."""

from collections.abc import Callable
from pathlib import Path

import librosa
import numpy as np
import scipy.signal

__all__ = ["extract"]

FRAMES = {"n_fft": 800, "hop_length": 160, "win_length": 640, "window": "hamming", "center": False}


def _logspec(speech: np.ndarray) -> np.ndarray:
    spectrum = np.abs(librosa.stft(librosa.effects.preemphasis(speech, coef=0.97), **FRAMES))
    return librosa.amplitude_to_db(spectrum, ref=np.max)[None, :200]


def _logmelspec(speech: np.ndarray, n_mels: int = 128) -> np.ndarray:
    emphasised = librosa.effects.preemphasis(speech, coef=0.97)
    power = librosa.feature.melspectrogram(y=emphasised, sr=16_000, n_mels=n_mels, **FRAMES)
    return librosa.power_to_db(power, ref=np.max)[None]


def _logmeldeltaspec(speech: np.ndarray) -> np.ndarray:
    level = _logmelspec(speech, 40)[0]
    return np.stack([level, librosa.feature.delta(level, width=5), librosa.feature.delta(level, width=5, order=2)])


def _lognrevspec(speech: np.ndarray) -> np.ndarray:
    noisy = speech + 0.002 * np.random.default_rng(0).standard_normal(len(speech))
    decay = np.arange(4800) / 16_000
    room = np.random.default_rng(1).standard_normal(4800) * 10 ** (-3 * decay / 0.3)
    reverberated = scipy.signal.fftconvolve(speech, room)[: len(speech)]
    return np.concatenate([_logspec(sound) for sound in (speech, noisy, reverberated)])


_EXTRACTORS: dict[str, Callable[[np.ndarray], np.ndarray]] = {
    "logspec": _logspec,
    "logmelspec": _logmelspec,
    "logmeldeltaspec": _logmeldeltaspec,
    "lognrevspec": _lognrevspec,
}


def extract(path: Path, name: str) -> np.ndarray:
    """The features of a recording, one librosa call after another."""
    speech, _ = librosa.load(path, sr=16_000)
    return _EXTRACTORS[name](speech).astype(np.float32)
