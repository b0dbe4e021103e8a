"""Parts of the demo corpus's synthesiser: syllables, pitch, pulses and breath of the glottis, formants."""

from collections.abc import Sequence
from itertools import pairwise

import numpy as np

from ..audio import SAMPLE_RATE_HZ

__all__ = ["envelope", "glottis", "intonation", "resonators", "shelf", "syllables"]


def syllables(rng: np.random.Generator, syllables_per_s: float) -> tuple[list[tuple[int, int]], int]:
    """Draw the start and end sample of each syllable, and the number of samples of the utterance."""
    duration_s, margin_s = rng.uniform(1.05, 1.55), 0.06
    count = max(2, round((duration_s - 2 * margin_s) * syllables_per_s))
    shares = rng.uniform(0.7, 1.3, size=count)
    shares[-1] *= 1.3  # a phrase's last syllable is longer
    bounds_s = margin_s + (duration_s - 2 * margin_s) * np.cumsum([0.0, *shares / shares.sum()])
    bounds = np.round(bounds_s * SAMPLE_RATE_HZ).astype(int).tolist()
    gap = round(0.02 * SAMPLE_RATE_HZ)
    return [(start + gap, stop) for start, stop in pairwise(bounds)], round(duration_s * SAMPLE_RATE_HZ)


def intonation(
    rng: np.random.Generator, edges: Sequence[tuple[int, int]], total: int, span: float, abrupt: float
) -> np.ndarray:
    """Pitch over time in semitones, shape (total,): it declines, and each syllable has an accent."""
    from scipy import signal

    contour = np.linspace(0.5, -0.5, total) * 0.8 * span
    for start, stop in edges:
        contour[start:stop] += span * rng.uniform(-0.2, 1.0) * envelope(stop - start, abrupt)
    jitter = signal.lfilter([1.0], [1.0, -0.995], rng.normal(0.0, 0.02, size=total))
    return np.asarray(contour + jitter)


def glottis(rng: np.random.Generator, f0_hz: np.ndarray, breath_db: float) -> np.ndarray:
    """Band-limited pulses with shimmer and breath noise, falling by 6 dB an octave, shape (N,)."""
    from scipy import signal

    phase = np.cumsum(f0_hz) / SAMPLE_RATE_HZ
    harmonics = np.floor(0.5 * SAMPLE_RATE_HZ / f0_hz.max())
    # The closed sum of as many cosines as fit below half the sampling rate (Dirichlet's kernel).
    distance = np.pi * (phase - np.round(phase))
    small = np.abs(distance) < 1e-6
    sine = np.sin(np.where(small, 1.0, distance))
    pulses = np.where(small, 2 * harmonics + 1, np.sin((2 * harmonics + 1) * distance) / sine) - 1
    cycles = np.round(phase).astype(int)
    pulses *= rng.normal(1.0, 0.08, size=cycles[-1] + 1)[cycles]
    pulses /= np.sqrt(np.mean(pulses**2))
    breath = signal.lfilter([1.0, -0.9], [1.0], rng.normal(size=len(pulses))) * 10 ** (breath_db / 20) * 2
    return np.asarray(signal.lfilter([0.04], [1.0, -0.96], pulses) + breath * 0.25)


def envelope(length: int, abrupt: float) -> np.ndarray:
    """Rise and fall over a syllable, 0 to 1, shape (length,); the more abrupt, the earlier the peak."""
    time = np.linspace(0.0, 1.0, length)
    attack = np.clip(0.4 / abrupt, 0.06, 0.6)
    shape = np.where(time < attack, time / attack, (1 - time) / (1 - attack))
    return np.asarray(np.sin(0.5 * np.pi * shape))


def resonators(centres_hz: np.ndarray, bandwidths_hz: np.ndarray) -> np.ndarray:
    """Klatt's resonators, one after the other: second-order sections, shape (number of formants, 6)."""
    radius = np.exp(-np.pi * bandwidths_hz / SAMPLE_RATE_HZ)
    a1 = -2 * radius * np.cos(2 * np.pi * centres_hz / SAMPLE_RATE_HZ)
    nothing, unity = np.zeros_like(radius), np.ones_like(radius)
    return np.stack([1 + a1 + radius**2, nothing, nothing, unity, a1, radius**2], axis=1)


def shelf(samples: np.ndarray, high_db: float) -> np.ndarray:
    """Amplify frequencies above about 1 kHz by a gain in dB, shape (N,)."""
    from scipy import signal

    pole = np.exp(-2 * np.pi * 1000.0 / SAMPLE_RATE_HZ)
    low = signal.lfilter([1 - pole], [1.0, -pole], samples)
    return np.asarray(low + 10 ** (high_db / 20) * (samples - low))
