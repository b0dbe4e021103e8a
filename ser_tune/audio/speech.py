"""From samples as they were recorded to mono float32 samples at 16 kHz."""

import hashlib
from dataclasses import dataclass

import numpy as np
import soxr

from ..errors import AudioError

__all__ = [
    "CANCELLED",
    "HIGHEST_RATE_HZ",
    "LARGEST_SAMPLE",
    "LOWEST_RATE_HZ",
    "SAMPLE_RATE_HZ",
    "Heard",
    "channels_cancel",
    "digest_of",
    "has_integer_scale",
    "refuse_longer",
    "share_of_mean",
    "to_speech",
]

SAMPLE_RATE_HZ = 16_000
"""The rate that all features are computed at."""
LOWEST_RATE_HZ = 4_000
"""Lowest sample rate of a file or waveform; below it half of the speech band is missing, or the rate is wrong."""
HIGHEST_RATE_HZ = 384_000
"""Highest sample rate of a file or waveform, that of the fastest audio converters."""
LARGEST_SAMPLE = 32.0
"""Largest float sample, 30 dB beyond full scale: no level of a recording, but the scale of integers.

Whole numbers alone, of 2 or more, have that scale as well: a quiet recording of 16 bits."""
CANCELLED = 1e-6
"""Power of the mean of channels, relative to their own, below which they cancel out: 60 dB less."""
_DENSEST_HZ = 96_000
"""Samples a second, of all channels together, that a limited length may have: stereo at 48 kHz."""


@dataclass(frozen=True, slots=True)
class Heard:
    """One utterance, decoded."""

    source: str
    """The path, or `waveform 0` and so on."""
    speech: np.ndarray
    """Shape (N,), float32, 16 kHz."""


def refuse_longer(frames: int, channels: int, sample_rate_hz: int, at_most_s: float | None, source: str) -> None:
    """Refuse sound that is too long, or too many samples for its length.

    Args:
        frames: Samples of one channel.
        channels: How many.
        sample_rate_hz: Their rate.
        at_most_s: Longest sound in seconds; None is any.
        source: What to call it in an error message.

    Raises:
        AudioError: It is too long.
    """
    if at_most_s is None or sample_rate_hz <= 0:
        return
    seconds = frames / sample_rate_hz
    if seconds > at_most_s:
        raise AudioError(f"{source} has {seconds:.1f} s of sound; the limit leaves {at_most_s:.1f} s")
    if frames * channels > at_most_s * _DENSEST_HZ:
        raise AudioError(
            f"{source} has {channels} channels at {sample_rate_hz} Hz; the limit is {_DENSEST_HZ} samples a second"
        )


def digest_of(speech: np.ndarray) -> str:
    """SHA-256 of decoded speech, shape (N,), float32: equal for equal sound, whatever its container."""
    return hashlib.sha256(np.ascontiguousarray(speech).data).hexdigest()


def to_speech(samples: np.ndarray, sample_rate_hz: int, *, source: str = "the waveform") -> np.ndarray:
    """Bring samples to the one form that features are computed from.

    Args:
        samples: Shape (N,) or (N, channels), finite, any float or integer type; channels are averaged.
        sample_rate_hz: Their rate, 4 to 384 kHz; another than 16 kHz is resampled by soxr.
        source: What to call the samples in an error message.

    Returns:
        Samples, shape (M,), float32, 16 kHz mono.

    Raises:
        AudioError: There are none, they are not numbers, not finite, too large, or all zero; the channels cancel
            out; or the rate is outside its bounds.
    """
    samples = np.asarray(samples)
    if samples.ndim not in (1, 2) or samples.size == 0:
        raise AudioError(f"{source} holds no samples (shape {samples.shape}); expected (N,) or (N, channels)")
    if np.issubdtype(samples.dtype, np.integer):
        limits = np.iinfo(samples.dtype)
        scale = (limits.max + 1 - limits.min) / 2
        samples = (samples - (limits.min + scale)) / scale  # unsigned samples are silent in the middle
    if not np.issubdtype(samples.dtype, np.floating):
        raise AudioError(f"{source} holds values of type {samples.dtype}; expected floats or integers")
    with np.errstate(over="ignore"):  # a number that float32 does not hold is refused below
        samples = np.ascontiguousarray(samples, dtype=np.float32)
    if not np.isfinite(samples).all():
        raise AudioError(f"{source} holds samples that are not finite numbers")
    if has_integer_scale(samples):
        raise AudioError(
            f"{source} holds samples of up to {np.abs(samples).max():.0e}; expected full scale at ±1: integers that "
            "are stored as floats must be divided by their own full scale, 32768 for 16 bits"
        )
    if samples.ndim == 2:
        if channels_cancel(samples):
            raise AudioError(
                f"{source} has {samples.shape[1]} channels that cancel each other out: their mean is silent; "
                "turn the sign of some, or keep one"
            )
        samples = samples.mean(axis=1)
    if not samples.any():
        raise AudioError(f"{source} is silent: all of its {len(samples)} samples are zero")
    if not LOWEST_RATE_HZ <= sample_rate_hz <= HIGHEST_RATE_HZ:
        raise AudioError(
            f"{source} has sample rate {sample_rate_hz} Hz; expected {LOWEST_RATE_HZ} to {HIGHEST_RATE_HZ} Hz"
        )
    if sample_rate_hz != SAMPLE_RATE_HZ:
        count = len(samples)
        samples = soxr.resample(samples, sample_rate_hz, SAMPLE_RATE_HZ)
        if not len(samples):
            raise AudioError(f"{source} is too short: {count} samples at {sample_rate_hz} Hz leave none at 16 kHz")
    return samples


def has_integer_scale(samples: np.ndarray) -> bool:
    """Whether float samples, of any shape and finite, have the scale of integers in any channel.

    >>> [has_integer_scale(np.array(samples)) for samples in ([0.5, -1.5], [3.0, -2.0], [1.0, -1.0])]
    [False, True, False]
    """
    largest = float(np.abs(samples).max())
    return largest > LARGEST_SAMPLE or (largest >= 2 and bool((samples == np.rint(samples)).all()))


def channels_cancel(samples: np.ndarray) -> bool:
    """Whether the mean of channels, shape (N, channels), is silent although the channels are not."""
    return share_of_mean(samples) < CANCELLED


def share_of_mean(samples: np.ndarray) -> float:
    """The power of the channels' mean divided by the channels' own, each without its offset.

    Args:
        samples: Shape (N, channels), finite.

    Returns:
        1 where all channels are equal, 1 / channels where they have nothing in common, 0 where they cancel out; 1 where
        all are constant.
    """
    around = samples - samples.mean(axis=0, dtype=np.float64).astype(np.float32)
    own = _power(around)
    return _power(around.mean(axis=1)) / own if own else 1.0


def _power(samples: np.ndarray) -> float:
    return float(np.vdot(samples, samples)) / samples.size
