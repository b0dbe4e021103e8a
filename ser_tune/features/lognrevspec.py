"""`lognrevspec`: log spectrograms of the signal, of the signal in noise, and of the signal in a room."""

from functools import lru_cache
from typing import Annotated, Literal

import numpy as np
from pydantic import Field

from ..audio import SAMPLE_RATE_HZ
from ..config import SpectralSettings
from .base import FeatureSet
from .spectral import hop_s, magnitudes, relative_db

__all__ = ["FEATURE_SET", "LogNRevSpecSettings"]


class LogNRevSpecSettings(SpectralSettings):
    """Log spectrograms of clean, noisy and reverberated speech."""

    name: Literal["lognrevspec"] = "lognrevspec"
    """The feature set."""
    n_bins: Annotated[int, Field(ge=8, le=2049)] = 200
    """Lowest bins of the Fourier transform that are kept."""
    noise_sigma: Annotated[float, Field(gt=0, le=1)] = 0.002
    """Deviation of the white noise, where full scale is 1."""
    reverberation_s: Annotated[float, Field(gt=0, le=2)] = 0.3
    """Time in which the room's sound decays by 60 dB."""


def extract(speech: np.ndarray, settings: LogNRevSpecSettings) -> np.ndarray:
    """Log magnitude spectrograms in dB, each relative to its own maximum.

    Noise and room are the same for every utterance: the same speech always has the same features.

    Returns:
        Shape (3, n_bins, frames), float32.
    """
    from scipy.signal import fftconvolve

    noise = np.random.default_rng(0).standard_normal(len(speech), dtype=np.float32)
    noisy = speech + np.float32(settings.noise_sigma) * noise
    room = fftconvolve(speech, _impulse_response(settings.reverberation_s))[: len(speech)]
    copies = (speech, noisy, room.astype(np.float32, copy=False))
    return np.stack([relative_db(magnitudes(copy, settings)[: settings.n_bins]) for copy in copies])


@lru_cache(maxsize=8)
def _impulse_response(reverberation_s: float) -> np.ndarray:
    """A direct sound followed by exponentially decaying noise (Polack's model), unit energy, float32."""
    decay = np.arange(round(reverberation_s * SAMPLE_RATE_HZ)) / SAMPLE_RATE_HZ
    tail = np.random.default_rng(1).standard_normal(len(decay)) * 10 ** (-3 * decay / reverberation_s)
    tail[0] = np.linalg.norm(tail[1:])  # the direct sound is as strong as all the rest
    return (tail / np.linalg.norm(tail)).astype(np.float32)


FEATURE_SET = FeatureSet(
    name="lognrevspec",
    settings=LogNRevSpecSettings,
    shape=lambda settings: (3, min(settings.n_bins, 1 + settings.dft_points // 2)),
    hop_s=hop_s,
    extract=extract,
    citation="J.-D. Polack: La transmission de l'énergie sonore dans les salles, 1988 (the room's model)",
)
