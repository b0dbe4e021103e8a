"""`waveform`: speech as it is, in blocks of 20 ms, for architectures that compute features themselves."""

from typing import Literal

import numpy as np

from ..audio import SAMPLE_RATE_HZ
from ..config import FeatureSettings
from .base import FeatureSet

__all__ = ["FEATURE_SET", "WaveformSettings"]

BLOCK = 320
"""Samples of a block: the hop of most speech encoders, and of Whisper's after its convolutions."""


class WaveformSettings(FeatureSettings):
    """Mono speech at 16 kHz; the last block is filled up with zeros."""

    name: Literal["waveform"] = "waveform"
    """The feature set."""


def extract(speech: np.ndarray, settings: WaveformSettings) -> np.ndarray:
    """Blocks (1, 320, frames) of speech (N,), float32."""
    filled = np.pad(speech.astype(np.float32), (0, -len(speech) % BLOCK))
    return filled.reshape(1, -1, BLOCK).transpose(0, 2, 1)


FEATURE_SET = FeatureSet(
    name="waveform",
    settings=WaveformSettings,
    shape=lambda settings: (1, BLOCK),
    extract=extract,
    hop_s=lambda settings: BLOCK / SAMPLE_RATE_HZ,
    # Each position of a block would be scaled by itself
    defaults={"normalisation.kind": "none"},
    citation="none: the speech itself",
)
