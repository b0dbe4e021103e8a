"""The spectrograms that several feature sets start from."""

import warnings
from functools import lru_cache

import librosa
import numpy as np
import torch

from ..audio import SAMPLE_RATE_HZ
from ..config import SpectralSettings
from ..errors import AudioError, ConfigError

__all__ = ["DYNAMIC_RANGE_DB", "SMALLEST_AMPLITUDE", "hop_s", "log_mel", "magnitudes", "mel_bands", "relative_db"]

DYNAMIC_RANGE_DB = 80.0
"""Levels further below the utterance's maximum are raised to this floor, so that digital silence is no outlier."""


SMALLEST_AMPLITUDE = 1e-15
"""Amplitude below which a level is not computed: librosa's own, 1e-5, would raise the floor of quiet recordings."""


def hop_s(settings: SpectralSettings) -> float:
    """Seconds from one frame to the next, of whole samples."""
    return round(settings.hop_s * SAMPLE_RATE_HZ) / SAMPLE_RATE_HZ


def magnitudes(speech: np.ndarray, settings: SpectralSettings) -> np.ndarray:
    """Magnitude spectrogram of pre-emphasised speech; frames start at the first sample, nothing is padded.

    Args:
        speech: Shape (N,), float32, 16 kHz.
        settings: Window, hop and transform length.

    Returns:
        Shape (1 + dft_points // 2, frames), float32.

    Raises:
        ConfigError: The window is longer than the transform.
        AudioError: The speech is shorter than one transform.
    """
    window = round(settings.window_s * SAMPLE_RATE_HZ)
    if window > settings.dft_points:
        raise ConfigError(
            f"features.window_s is {settings.window_s} ({window} samples at {SAMPLE_RATE_HZ} Hz); "
            f"expected at most features.dft_points, {settings.dft_points}"
        )
    if len(speech) < settings.dft_points:
        raise AudioError(
            f"speech of {len(speech) / SAMPLE_RATE_HZ:.3f} s is shorter than one window of "
            f"{settings.dft_points / SAMPLE_RATE_HZ:.3f} s"
        )
    if settings.pre_emphasis:
        speech = librosa.effects.preemphasis(speech, coef=settings.pre_emphasis)
    # Not librosa.stft: it takes two to four times as long, one small block after another, and threads hardly help it
    spectrum = torch.stft(
        torch.tensor(speech),
        settings.dft_points,
        hop_length=round(settings.hop_s * SAMPLE_RATE_HZ),
        win_length=window,
        window=_window(settings.window, window),
        center=False,
        return_complex=True,
    )
    magnitude: np.ndarray = np.abs(spectrum.numpy())
    return magnitude


@lru_cache(maxsize=8)
def _window(name: str, length: int) -> torch.Tensor:
    return torch.from_numpy(librosa.filters.get_window(name, length)).float()


def relative_db(magnitude: np.ndarray) -> np.ndarray:
    """Levels in dB relative to the utterance's maximum, from 0 down to -80.

    >>> relative_db(np.array([1.0, 0.1])).tolist()
    [0.0, -20.0]
    """
    level: np.ndarray = librosa.amplitude_to_db(magnitude, ref=np.max, amin=SMALLEST_AMPLITUDE, top_db=DYNAMIC_RANGE_DB)
    return level


def log_mel(speech: np.ndarray, settings: SpectralSettings, n_mels: int) -> np.ndarray:
    """Log Mel spectrogram in dB relative to the utterance's maximum.

    Args:
        speech: Shape (N,), float32, 16 kHz.
        settings: Window, hop and transform length.
        n_mels: Number of bands.

    Returns:
        Shape (n_mels, frames), float32.

    Raises:
        AudioError: The speech is shorter than one transform.
        ConfigError: There are so many bands that some hold no bin of the transform.
    """
    power = torch.from_numpy(np.square(magnitudes(speech, settings)))
    # Not numpy's product: after it OpenBLAS's threads spin for a while, and a network's convolutions take longer
    bands = (mel_bands(n_mels, settings.dft_points) @ power).numpy()
    level: np.ndarray = librosa.power_to_db(bands, ref=np.max, amin=SMALLEST_AMPLITUDE**2, top_db=DYNAMIC_RANGE_DB)
    return level


@lru_cache(maxsize=8)
def mel_bands(n_mels: int, dft_points: int) -> torch.Tensor:
    """Weights of the bins in every band, shape (n_mels, 1 + dft_points // 2); the same for all utterances."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="Empty filters detected", category=UserWarning)  # an error, below
        bands: np.ndarray = librosa.filters.mel(sr=SAMPLE_RATE_HZ, n_fft=dft_points, n_mels=n_mels)
    if empty := int((bands.max(axis=1) == 0).sum()):
        raise ConfigError(
            f"features.n_mels is {n_mels}, and {empty} of them hold no bin of features.dft_points, {dft_points}; "
            "expected fewer bands, or more points"
        )
    return torch.from_numpy(bands)
