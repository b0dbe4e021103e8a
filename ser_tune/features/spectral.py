"""The spectrograms that several feature sets start from.

Equal to librosa's to the bit, which is not imported: that takes longer than a prediction, and compiles code.
"""

import math
from functools import lru_cache
from typing import TYPE_CHECKING

import numpy as np

from ..audio import SAMPLE_RATE_HZ
from ..config import SpectralSettings
from ..errors import AudioError, ConfigError

if TYPE_CHECKING:
    import torch

__all__ = ["DYNAMIC_RANGE_DB", "SMALLEST_AMPLITUDE", "hop_s", "log_mel", "magnitudes", "mel_bands", "relative_db"]

DYNAMIC_RANGE_DB = 80.0
"""Levels further below the utterance's maximum are raised to this floor, so that digital silence is no outlier."""

SMALLEST_AMPLITUDE = 1e-15
"""Amplitude below which a level is not computed: librosa's own, 1e-5, would raise the floor of quiet recordings."""
WINDOWS = {"hamming": np.hamming, "hann": np.hanning}
LINEAR_HZ, HZ_PER_MEL, MELS_PER_OCTAVE_STEP = 1000.0, 200 / 3, 27
"""The Mel scale of M. Slaney's Auditory Toolbox, 1998: linear up to 1 kHz, then 27 Mel for each factor of 6.4."""
LOG_STEP = math.log(6.4) / MELS_PER_OCTAVE_STEP


def hop_s(settings: SpectralSettings) -> float:
    """Seconds from one frame to the next, of whole samples."""
    return round(settings.hop_s * SAMPLE_RATE_HZ) / SAMPLE_RATE_HZ


def magnitudes(speech: np.ndarray, settings: SpectralSettings) -> np.ndarray:
    """Magnitude spectrogram of pre-emphasised speech; frames start at the first sample, nothing is padded.

    Returns:
        Shape (1 + dft_points // 2, frames), float32.

    Raises:
        ConfigError: The window is longer than the transform.
        AudioError: The speech is shorter than one transform.
    """
    import torch

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
        speech = _pre_emphasised(speech, settings.pre_emphasis)
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
def _window(name: str, length: int) -> "torch.Tensor":
    """A periodic window: a symmetric window that is a sample longer, without its last."""
    import torch

    return torch.from_numpy(WINDOWS[name](length + 1)[:-1]).float()


def _pre_emphasised(speech: np.ndarray, coefficient: float) -> np.ndarray:
    """Each sample less a share of the one before; that before the first is extrapolated from the first two."""
    emphasised: np.ndarray = np.convolve(np.array([1, -coefficient], dtype=speech.dtype), speech)[: len(speech)]
    emphasised[0] += 2 * speech[0] - speech[1]
    return emphasised


def relative_db(magnitude: np.ndarray) -> np.ndarray:
    """Levels in dB relative to the utterance's maximum, from 0 down to -80.

    >>> relative_db(np.array([1.0, 0.1])).tolist()
    [0.0, -20.0]
    """
    return _relative_db_of_power(np.square(magnitude), magnitude.max() ** 2)


def _relative_db_of_power(power: np.ndarray, largest: np.floating) -> np.ndarray:
    level: np.ndarray = 10 * np.log10(np.maximum(SMALLEST_AMPLITUDE**2, power))
    level -= 10 * np.log10(np.maximum(SMALLEST_AMPLITUDE**2, largest))
    return np.maximum(level, level.max() - DYNAMIC_RANGE_DB)  # type: ignore[no-any-return]


def log_mel(speech: np.ndarray, settings: SpectralSettings, n_mels: int) -> np.ndarray:
    """Log Mel spectrogram (n_mels, frames), float32, in dB relative to the utterance's maximum.

    Raises:
        AudioError: The speech is shorter than one transform.
        ConfigError: There are so many bands that some hold no bin of the transform.
    """
    import torch

    power = torch.from_numpy(np.square(magnitudes(speech, settings)))
    # Not numpy's product: after it OpenBLAS's threads spin for a while, and a network's convolutions take longer
    bands = (mel_bands(n_mels, settings.dft_points) @ power).numpy()
    return _relative_db_of_power(bands, bands.max())


@lru_cache(maxsize=8)
def mel_bands(n_mels: int, dft_points: int) -> "torch.Tensor":
    """Weights of the bins in every band, shape (n_mels, 1 + dft_points // 2); the same for all utterances."""
    import torch

    bend = LINEAR_HZ / HZ_PER_MEL
    mel = np.linspace(0, bend + math.log(SAMPLE_RATE_HZ / 2 / LINEAR_HZ) / LOG_STEP, n_mels + 2)
    corners_hz = np.where(mel < bend, HZ_PER_MEL * mel, LINEAR_HZ * np.exp(LOG_STEP * (mel - bend)))
    distance_hz = np.subtract.outer(np.fft.rfftfreq(dft_points, 1 / SAMPLE_RATE_HZ), corners_hz).T
    rise, fall = np.diff(corners_hz)[:-1, None], np.diff(corners_hz)[1:, None]
    triangles = np.maximum(0, np.minimum(distance_hz[:-2] / rise, -distance_hz[2:] / fall)).astype(np.float32)
    # Of equal area: the wider a band, the lower
    bands = (triangles * (2 / (corners_hz[2:] - corners_hz[:-2]))[:, None]).astype(np.float32)
    if empty := int((bands.max(axis=1) == 0).sum()):
        raise ConfigError(
            f"features.n_mels is {n_mels}, and {empty} of them hold no bin of features.dft_points, {dft_points}; "
            "expected fewer bands, or more points"
        )
    return torch.from_numpy(bands)
