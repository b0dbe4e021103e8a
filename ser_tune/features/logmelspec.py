"""`logmelspec`: log Mel spectrogram."""

from typing import Annotated, Literal

import numpy as np
from pydantic import Field

from ..config import SpectralSettings
from .base import FeatureSet
from .spectral import hop_s, log_mel

__all__ = ["FEATURE_SET", "LogMelSpecSettings"]


class LogMelSpecSettings(SpectralSettings):
    """A log Mel spectrogram."""

    name: Literal["logmelspec"] = "logmelspec"
    """The feature set."""
    n_mels: Annotated[int, Field(ge=8, le=256)] = 128
    """Mel bands between 0 and 8 kHz."""


def extract(speech: np.ndarray, settings: LogMelSpecSettings) -> np.ndarray:
    """Log Mel spectrogram (1, n_mels, frames), float32, in dB relative to the utterance's maximum."""
    return log_mel(speech, settings, settings.n_mels)[np.newaxis]


FEATURE_SET = FeatureSet(
    name="logmelspec",
    settings=LogMelSpecSettings,
    shape=lambda settings: (1, settings.n_mels),
    hop_s=hop_s,
    extract=extract,
    citation="S. Davis, P. Mermelstein: Comparison of parametric representations for monosyllabic word recognition, "
    "IEEE TASSP 28(4), 1980",
)
