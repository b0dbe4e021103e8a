"""Audio fingerprints: which bands of the spectrum are louder than their surroundings, as 32 bits for each 16 ms.

A bit compares a band with its neighbours in time and in frequency, so gain, polarity and filters leave it as it is, and
a steady tone has no bits of its own. After Haitsma & Kalker, A highly robust audio fingerprinting system, ISMIR 2002,
with narrower bands: they resolve the harmonics of a voice, which no second rendering of a sentence repeats. Speech is
kept below 2 kHz, as the telephone and 8 kHz files keep it. A fingerprint has 250 bytes a second. It has neither
levels nor phases: speech cannot be played from it.
"""

import numpy as np
import soxr

from ..audio import SAMPLE_RATE_HZ

__all__ = ["BANDS", "FORMAT", "FRAMES_PER_S", "audio_fingerprint"]

FORMAT = 1
"""Raise it when the same speech gets another fingerprint: fingerprints of two formats cannot be compared."""
BANDS = 32
FRAMES_PER_S = 62.5
LOW_RATE_HZ = 4000
WINDOW, HOP = 512, 64
"""In samples at 4 kHz: 128 ms and 16 ms."""
HALF = WINDOW // HOP // 2
"""Frames at each end whose window is not full."""
EDGES = np.geomspace(250.0, 2000.0, BANDS + 1) * WINDOW / LOW_RATE_HZ
"""Bins of the spectrum between bands, fractions included."""
FRAMES_AROUND, BANDS_AROUND = 31, 7
"""Context that a band is compared with: half a second, and seven bands."""
FLOOR, QUIET = 1e-5, 3e-4
"""Shares of the loudest frame's power: added before the logarithm, and the floor below which a frame has no bits."""
FAINTEST = 0.05
"""Mean deviation, in nepers of power, of a frame from its surroundings; a smoother one has no bits."""
_BLOCK = 4096
"""Frames at once: long recordings take no more memory than short ones."""


def audio_fingerprint(speech: np.ndarray) -> np.ndarray:
    """Fingerprint speech.

    Args:
        speech: Shape (N,), 16 kHz.

    Returns:
        32 bits for each 16 ms, shape (T,), uint32; 0 where a frame is silent, or is as its surroundings are.

    >>> sound = np.random.default_rng(0).normal(size=16_000).astype(np.float32)
    >>> bool((audio_fingerprint(sound) == audio_fingerprint(-0.5 * sound)).all())
    True
    """
    low = soxr.resample(np.asarray(speech, dtype=np.float32), SAMPLE_RATE_HZ, LOW_RATE_HZ)
    power = _band_power(np.pad(low, WINDOW // 2))
    loudness = power.sum(axis=1)
    loudest = float(loudness.max(initial=0.0))
    if loudest <= 0.0:
        return np.zeros(len(power), dtype=np.uint32)
    from scipy.ndimage import uniform_filter1d  # takes time that a prediction does without

    logs = np.log(power / loudest + FLOOR / BANDS)
    loud = loudness > QUIET * loudest
    # Surroundings are loud and not cut by an end: silence that was added or cut off leaves the others' bits as they are
    around = loud.copy()
    first, last = np.flatnonzero(loud)[[0, -1]]
    # Windows overlap the onset of a sound that starts within the recording up to three frames earlier
    around[: first + (2 * HALF - 1 if first else HALF)] = False
    around[last + 1 - (2 * HALF - 1 if last + 1 < len(loud) else HALF) :] = False
    around = around if around.any() else loud
    weights = uniform_filter1d(around.astype(np.float32), FRAMES_AROUND, mode="constant")
    sums = uniform_filter1d(logs * around[:, np.newaxis], FRAMES_AROUND, axis=0, mode="constant")
    logs -= sums / np.maximum(weights, 1 / FRAMES_AROUND)[:, np.newaxis]
    logs -= uniform_filter1d(logs, BANDS_AROUND, axis=1)
    told = loud & (np.abs(logs).mean(axis=1) > FAINTEST)
    bits = np.packbits(logs > 0, axis=1, bitorder="little").view("<u4")[:, 0].astype(np.uint32)
    return np.where(told, bits, np.uint32(0))


def _band_power(samples: np.ndarray) -> np.ndarray:
    """Power of each band in each frame, shape (T, 32), float32."""
    count = 1 + max(0, len(samples) - WINDOW) // HOP
    frames = np.lib.stride_tricks.sliding_window_view(samples, WINDOW)[::HOP]
    power = np.empty((count, BANDS), dtype=np.float32)
    for start in range(0, count, _BLOCK):
        spectrum = np.fft.rfft(frames[start : start + _BLOCK] * _WINDOW, axis=1)
        power[start : start + _BLOCK] = (spectrum.real**2 + spectrum.imag**2) @ _SHARES
    return power


def _shares() -> np.ndarray:
    """Weight of each bin in each band, shape (257, 32): a bin that an edge cuts gives to both."""
    bins = np.arange(WINDOW // 2 + 1)[:, np.newaxis]
    inside = np.minimum(bins + 0.5, EDGES[1:]) - np.maximum(bins - 0.5, EDGES[:-1])
    shares: np.ndarray = np.maximum(inside, 0.0) / np.diff(EDGES)
    return shares.astype(np.float32)


_SHARES = _shares()
_WINDOW = np.hanning(WINDOW).astype(np.float32)
