"""Faults of a recording's signal, measured in its samples.

Thresholds are set by real corpora. Of EmoDB's 535 recordings none has a fault. Of the URDU corpus's 400 (talk shows)
156 have an offset, of 2 to 6 % of full scale, and one is clipped.
"""

import math
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from ..audio import HIGHEST_RATE_HZ, LOWEST_RATE_HZ, channels_cancel, has_integer_scale, share_of_mean
from .sample_bytes import other_reading

__all__ = ["CLIPPED_LEVEL", "CLIPPED_RUN", "Fault", "signal_faults", "unusable_kind"]

QUIET = 1e-3
"""Root mean square without the offset, of full scale, below which a recording is quiet: -60 dBFS.

EmoDB's quietest is at -26 dBFS, URDU's at -42."""
UNCHANGED = 0.99
"""Share of samples equal to the one before from which a signal is constant, unless 0.1 s of samples differ.

EmoDB's largest is 0.12, URDU's 0.03."""
CLICK_S = 0.02
"""Length of a click. The loudest 20 ms hold at most a quarter of the energy of EmoDB's and URDU's recordings."""
OFFSET = 0.02
"""Mean, of full scale, beyond which a recording has an offset; EmoDB's largest is 0.006, URDU's 0.06."""
OFFSET_RATIO = 0.25
"""Mean, of the root mean square around it, from which a smaller one counts as well; EmoDB's largest is 0.04."""
SHORTEST_S = 0.1
"""A shorter recording holds no speech to judge; EmoDB's shortest has 1.2 s, URDU's 1.0 s."""
AGAINST = 0.1
"""Power of the mean of channels, relative to that of unrelated channels, below which they work against each other: the
mean of two has lost 13 dB."""
CLIPPED_LEVEL = 0.99
"""Share of full scale below which nothing is called clipped; the largest sample of 8 bits is 127/128."""
CLIPPED_RUN = 3
"""Consecutive samples of one value in one channel, at that level or above, which are called clipped.

A recording that is merely scaled to full scale reaches it for a sample or two, as half of EmoDB's do; no recording of
EmoDB stays there for three.
"""


@dataclass(frozen=True, slots=True)
class Fault:
    """Something about a signal."""

    kind: str
    """`bytes` (read wrongly), `quiet`, `constant`, `click`, `offset`, `phase` (of channels), `beyond`, `short` or
    `clipped`."""
    wrong: bool
    """Whether it is no speech; otherwise a study uses it as it is."""
    message: str
    """The measurement, without the recording's name."""


def unusable_kind(samples: np.ndarray, rate_hz: int) -> str:
    """Name why a study refuses samples.

    Args:
        samples: As `read_samples` returns them, shape (N, channels), which `to_speech` refuses.
        rate_hz: Their rate.

    Returns:
        `rate`, `silent`, `cancelled` (channels cancel each other out), `scale` (of integers), or `unreadable`.
    """
    if samples.size == 0 or not np.isfinite(samples).all():
        return "unreadable"
    if not samples.any():
        return "silent"
    if not LOWEST_RATE_HZ <= rate_hz <= HIGHEST_RATE_HZ:
        return "rate"
    if has_integer_scale(samples):
        return "scale"
    return "cancelled" if channels_cancel(samples) else "unreadable"


def signal_faults(samples: np.ndarray, rate_hz: int) -> Iterator[Fault]:
    """Find the faults of a signal that a study would use.

    Args:
        samples: As `read_samples` returns them, shape (N, channels), finite.
        rate_hz: Their rate.
    """
    if reading := other_reading(samples):
        yield Fault("bytes", True, f"its samples are noise, and a smooth signal when they are read as {reading}")
        return
    if (length_s := len(samples) / rate_hz) < SHORTEST_S:
        yield Fault("short", False, f"{length_s:.3f} s long, less than {SHORTEST_S} s")
    yield from _level_faults(samples.mean(axis=1, dtype=np.float64), rate_hz)
    if (share := share_of_mean(samples)) * samples.shape[1] < AGAINST:
        told = f"their mean, which is used, is {-10 * math.log10(max(share, 1e-12)):.0f} dB below them"
        yield Fault("phase", False, f"the {samples.shape[1]} channels work against each other: {told}")
    if (largest := float(np.abs(samples).max(initial=0.0))) > 1:
        yield Fault("beyond", False, f"samples of up to {largest:.2f}, and full scale is 1; they are used as they are")
    if clipped := _clipped_samples(samples):
        yield Fault("clipped", False, f"{clipped} samples stay at full scale, {CLIPPED_RUN} or more in a row")


def _level_faults(signal: np.ndarray, rate_hz: int) -> Iterator[Fault]:
    """Faults of the mean of the channels, shape (N,): the first that explains the others."""
    offset, level = float(signal.mean()), float(signal.std())
    changes = int(np.count_nonzero(signal[1:] != signal[:-1]))
    loudest, width = int(np.abs(signal - offset).argmax()), round(CLICK_S * rate_hz)
    start = max(0, loudest - width // 2)
    rest = np.concatenate([signal[:start], signal[start + width :]])
    rest_level = float(rest.std()) if len(rest) else level
    share = 1 - len(rest) * rest_level**2 / (len(signal) * level**2) if level else 0.0
    if rest_level < QUIET and share > 0.5 and len(signal) >= SHORTEST_S * rate_hz and len(rest):
        told = f"{1000 * CLICK_S:.0f} ms at {start / rate_hz:.2f} s hold {share:.0%} of the energy"
        yield Fault("click", True, f"a single click: {told}, and the rest is at {_dbfs(rest_level)}")
    elif level < QUIET <= abs(offset) or not changes:
        yield Fault("constant", True, f"the signal stays at {offset:+.3g} of full scale: it changes by {_dbfs(level)}")
    elif level >= QUIET and changes < min((1 - UNCHANGED) * len(signal), SHORTEST_S * rate_hz):
        yield Fault("constant", True, f"the signal hardly changes: {changes} samples differ from the one before")
    elif level < QUIET:
        yield Fault("quiet", False, f"level {_dbfs(level)}, below {_dbfs(QUIET)}")
    elif abs(offset) > OFFSET or (abs(offset) > OFFSET_RATIO * level and abs(offset) >= QUIET):
        yield Fault("offset", False, f"an offset of {offset:+.3f} of full scale around a level of {_dbfs(level)}")


def _dbfs(level: float) -> str:
    return f"{20 * math.log10(level):.0f} dBFS" if level > 0 else "digital silence"


def _clipped_samples(samples: np.ndarray) -> int:
    """Count the samples, shape (N, channels), that lie in clipped stretches."""
    # True where a sample repeats the one before it at full scale: a run of n samples shows as n - 1 in a row
    again = (samples[1:] == samples[:-1]) & (np.abs(samples[1:]) >= CLIPPED_LEVEL)
    count = 0
    for channel in again.T:
        edges = np.flatnonzero(np.diff(channel.astype(np.int8), prepend=0, append=0))
        runs = edges[1::2] - edges[::2] + 1
        count += int(runs[runs >= CLIPPED_RUN].sum())
    return count
