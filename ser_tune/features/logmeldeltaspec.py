"""`logmeldeltaspec`: log Mel spectrogram with its first and second differences over time."""

from functools import lru_cache
from typing import Annotated, Literal

import numpy as np
from pydantic import Field

from ..config import SpectralSettings
from .base import FeatureSet
from .spectral import hop_s, log_mel

__all__ = ["FEATURE_SET", "LogMelDeltaSpecSettings"]


class LogMelDeltaSpecSettings(SpectralSettings):
    """Log Mel spectrogram, Δ and ΔΔ."""

    name: Literal["logmeldeltaspec"] = "logmeldeltaspec"
    """The feature set."""
    n_mels: Annotated[int, Field(ge=8, le=256)] = 128
    """Mel bands between 0 and 8 kHz."""
    delta_width: Literal[3, 5, 7, 9] = 5
    """Frames that a difference is estimated over."""


def extract(speech: np.ndarray, settings: LogMelDeltaSpecSettings) -> np.ndarray:
    """Log Mel spectrogram in dB relative to the utterance's maximum, its differences, and theirs.

    Returns:
        Shape (3, n_mels, frames), float32.
    """
    static = log_mel(speech, settings, settings.n_mels)
    delta = _difference(static, settings.delta_width)
    return np.stack((static, delta, _difference(delta, settings.delta_width))).astype(np.float32, copy=False)


def _difference(level: np.ndarray, width: int) -> np.ndarray:
    """The slope of a line through the frames around each; beyond the ends, the outermost frames are repeated."""
    from scipy.ndimage import convolve1d

    difference: np.ndarray = convolve1d(level, _coefficients(width), axis=-1, mode="nearest")
    return difference


@lru_cache(maxsize=8)
def _coefficients(width: int) -> np.ndarray:
    """Least squares; not scipy's `savgol_coeffs`, which solves for them: its module takes half a second to import."""
    distance = np.arange(width // 2, -width // 2, -1.0)
    return distance / np.square(distance).sum()  # type: ignore[no-any-return]


FEATURE_SET = FeatureSet(
    name="logmeldeltaspec",
    settings=LogMelDeltaSpecSettings,
    shape=lambda settings: (3, settings.n_mels),
    hop_s=hop_s,
    extract=extract,
    citation="M. Chen, X. He, J. Yang, H. Zhang: 3-D Convolutional Recurrent Neural Networks With Attention Model for "
    "Speech Emotion Recognition, IEEE SPL 25(10), 2018",
)
