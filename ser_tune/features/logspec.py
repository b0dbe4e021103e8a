"""`logspec`: log magnitude spectrogram, the lowest bins."""

from typing import Annotated, Literal

import numpy as np
from pydantic import Field

from ..config import SpectralSettings
from .base import FeatureSet
from .spectral import hop_s, magnitudes, relative_db

__all__ = ["FEATURE_SET", "LogSpecSettings"]


class LogSpecSettings(SpectralSettings):
    """A log magnitude spectrogram."""

    name: Literal["logspec"] = "logspec"
    """The feature set."""
    n_bins: Annotated[int, Field(ge=8, le=2049)] = 200
    """Lowest bins of the Fourier transform that are kept."""


def extract(speech: np.ndarray, settings: LogSpecSettings) -> np.ndarray:
    """Log magnitude spectrogram (1, n_bins, frames), float32, in dB relative to the utterance's maximum."""
    return relative_db(magnitudes(speech, settings)[: settings.n_bins])[np.newaxis]


FEATURE_SET = FeatureSet(
    name="logspec",
    settings=LogSpecSettings,
    shape=lambda settings: (1, min(settings.n_bins, 1 + settings.dft_points // 2)),
    hop_s=hop_s,
    extract=extract,
    citation="A. Satt, S. Rozenberg, R. Hoory: Efficient Emotion Recognition from Speech Using Deep Learning on "
    "Spectrograms, Interspeech 2017",
)
