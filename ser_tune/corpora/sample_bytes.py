"""Samples whose bytes are read wrongly: in another order, out of step, with another sign, or floats as integers.

Such a recording is loud noise. Read the right way, it is smooth; a sound recording, or noise, is no smoother when its
bytes are read otherwise.
"""

from collections.abc import Iterator

import numpy as np

__all__ = ["other_reading"]

STRETCH, STRETCHES = 1024, 8
"""Samples of a stretch, and most stretches of a recording that are compared: in less than a millisecond."""
WINDOW = 16
"""Samples of a window, in each of which the smoother reading counts: bytes fall out of step within a recording."""
SMOOTHER = 3.0
"""The least gain in smoothness of another reading that counts. In EmoDB and URDU it is at most 1.03 where bytes are
right, mostly 10 to 20 times where their order or sign is wrong, 6 for floats, and 5.5 where single bytes were added."""
ROUGH, SHARE = 0.01, 0.1
"""Mean step between samples, of full scale, of a rough window, and the least share of such windows that is judged."""
VALUES = 64
"""The least number of values that are judged: a square wave's two are as good in any order."""
AUDIBLE = 1e-5
"""The least median of the absolute samples of a reading as floating-point numbers: integers read so are below 1e-30."""
CLIPPED = 0.05
"""Share of samples at each end of their range from which a recording is clipped, and not judged."""


def other_reading(samples: np.ndarray) -> str:
    """Name the way of reading the samples' bytes that makes them much smoother; empty where there is none.

    Args:
        samples: Shape (N, channels), full scale at ±1.
    """
    count = min(STRETCHES, len(samples) // STRETCH)
    if not count:
        return ""
    starts = np.linspace(0, len(samples) - STRETCH, count).astype(np.int64)
    stretches = np.stack([samples[start : start + STRETCH] for start in starts]).astype(np.float64)
    rough = _roughness(stretches)
    ends = [np.mean(stretches == end) for end in (stretches.min(), stretches.max())]
    if np.mean(rough > ROUGH * WINDOW * samples.shape[1]) < SHARE or min(ends) > CLIPPED:
        return ""
    found, most = "", SMOOTHER
    for name, read in _readings(stretches):
        other = _roughness(read)
        before = rough[:, : other.shape[1]]
        smooth = float(np.minimum(before, other).sum())
        if before.sum() > most * smooth:
            found, most = name, float(before.sum()) / max(smooth, np.finfo(float).tiny)
    return found if found and len(np.unique(stretches)) >= VALUES else ""


def _roughness(stretches: np.ndarray) -> np.ndarray:
    """The sum of the absolute differences of neighbours in each window, shape (stretches, windows)."""
    steps = np.abs(np.diff(stretches, axis=1)).sum(axis=2)
    windows = steps.shape[1] // WINDOW
    found: np.ndarray = steps[:, : windows * WINDOW].reshape(len(steps), windows, WINDOW).sum(axis=2)
    return found


def _readings(stretches: np.ndarray) -> Iterator[tuple[str, np.ndarray]]:
    """Other readings of the bytes of stretches, shape (stretches, N, channels), with names."""
    width = next((width for width in (2, 3) if not np.any(stretches * 2.0 ** (8 * width - 1) % 1)), 4)
    if width > 2:
        with np.errstate(invalid="ignore"):
            floats = _whole(stretches, 4).view("<f4").astype(np.float64)
        if np.isfinite(floats).all() and np.abs(floats).max() < 2 and np.median(np.abs(floats)) > AUDIBLE:
            yield "floating-point numbers", floats
    if width > 3:
        return
    written = _whole(stretches, width)[..., None].view(np.uint8)[..., :width]
    if np.ptp(written[..., 0]):  # 8 bits in 16 are silence in the other order
        yield "bytes in another order", _as_samples(written[..., ::-1])
        count, length, channels, _ = written.shape
        later = written.reshape(count, -1)[:, 1 : 1 + (length - 1) * channels * width]
        yield "bytes in another order", _as_samples(later.reshape(count, length - 1, channels, width))
    turned = written.copy()
    turned[..., -1] ^= 0x80
    yield "samples of the other sign", _as_samples(turned)


def _whole(samples: np.ndarray, width: int) -> np.ndarray:
    """The samples as integers of so many bytes."""
    ends = -(2.0 ** (8 * width - 1)), 2.0 ** (8 * width - 1) - 1
    whole: np.ndarray = np.clip(np.rint(samples * -ends[0]), *ends).astype("<i4")
    return whole


def _as_samples(written: np.ndarray) -> np.ndarray:
    """Samples, full scale at ±1, of their bytes, shape (..., width), the lowest first."""
    padded = np.zeros((*written.shape[:-1], 4), np.uint8)
    padded[..., 4 - written.shape[-1] :] = written
    samples: np.ndarray = padded.view("<i4")[..., 0] / 2.0**31
    return samples
