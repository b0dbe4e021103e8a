"""Settings that all components of a kind have: architectures, feature sets, losses and tasks."""

from collections.abc import Mapping
from typing import Annotated, Literal

from pydantic import Field

from .base import Settings
from .ranges import Value
from .roles import Flag, Role

__all__ = [
    "FeatureSettings",
    "LossSettings",
    "ModelSettings",
    "NetworkSettings",
    "SpectralSettings",
    "TaskSettings",
]


class ModelSettings(Settings):
    """Settings of every architecture."""

    name: Annotated[str, Role.FIXED, Role.IDENTITY, Flag("--model", completes="architectures")]
    """The architecture, such as 3d_acrnn."""

    @property
    def ensemble_size(self) -> int:
        """Networks of a fold whose probabilities are averaged."""
        return 1

    @classmethod
    def implied(cls, written: Mapping[str, object]) -> Mapping[str, Value]:
        """Values that some of these settings, as written, imply for others, against every default and search range."""
        return {}


class NetworkSettings(ModelSettings):
    """Settings of every network that is trained by gradient descent."""

    width: Annotated[float, Field(gt=0, le=2)] = 1.0
    """Multiplies the number of maps and units of every layer; 1 is the published size."""
    networks: Annotated[int, Field(ge=1, le=20)] = 1
    """Networks of a fold, which learn from the same segments but start from other random weights, and whose
    probabilities are averaged: a deep ensemble (Lakshminarayanan et al. 2017, arXiv 1612.01474)."""

    @property
    def ensemble_size(self) -> int:
        """Networks of a fold whose probabilities are averaged."""
        return self.networks


class FeatureSettings(Settings):
    """Settings of every feature set."""

    name: Annotated[str, Role.FIXED, Role.IDENTITY, Flag("--features", completes="features")]
    """The feature set; by default the architecture's own."""
    level_db: Annotated[Annotated[float, Field(ge=-60, le=0)] | None, Role.ADDED] = None
    """Level to which speech is brought before features are extracted, in dB relative to full scale, of the parts of a
    recording that are loud enough to be speech (in the manner of ITU-T P.56); -26 is usual. none leaves it as recorded.
    Features that are relative to the utterance's maximum do not depend on it."""


class SpectralSettings(FeatureSettings):
    """Settings of every spectrogram: the short-time Fourier transform of mono 16 kHz speech."""

    pre_emphasis: Annotated[float, Field(ge=0, lt=1)] = 0.97
    """Coefficient of the first-order high-pass that is applied to the waveform; 0 switches it off."""
    window: Literal["hamming", "hann"] = "hamming"
    """Window function of the Fourier transform."""
    window_s: Annotated[float, Field(ge=0.005, le=0.05)] = 0.04
    """Length of the window in seconds."""
    hop_s: Annotated[float, Field(ge=0.001, le=0.05)] = 0.01
    """Step from one frame to the next in seconds."""
    dft_points: Annotated[int, Field(ge=80, le=4096)] = 800
    """Points of the discrete Fourier transform, at least the window's samples."""


class LossSettings(Settings):
    """Settings of every loss."""

    name: Annotated[str, Role.FIXED]
    """The loss."""


class TaskSettings(Settings):
    """Settings of every task."""

    name: str
    """The task."""
