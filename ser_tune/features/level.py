"""The level of speech: its measurement, and speech at a level of one's choice."""

import numpy as np

from ..audio import SAMPLE_RATE_HZ
from ..config import FeatureSettings

__all__ = ["FRAME", "MARGIN_DB", "SILENCE", "active_level_db", "levelled"]

FRAME = SAMPLE_RATE_HZ // 50
"""Samples of a frame, 20 ms."""
MARGIN_DB = 15.9
"""Distance of the active level to the quietest active frame, from ITU-T recommendation P.56."""
SILENCE = 1e-30
"""Power of digital silence."""


def active_level_db(speech: np.ndarray) -> float:
    """The active level of speech in dB relative to full scale; -300 for digital silence.

    It is the level of the loudest frames together, of as many as possible of which none is more than 15.9 dB below
    this level. ITU-T P.56 finds the same threshold for a smoothed envelope. Speech that is louder by some dB has a
    level that is higher by as many. Samples after the last whole frame do not count.

    Args:
        speech: Shape (N,), 16 kHz; less than a frame is filled up with zeros.

    A tone between silences has the level of the tone:

    >>> tone = 0.1 * np.sin(np.arange(16_000))
    >>> round(active_level_db(tone), 1), round(active_level_db(np.pad(tone, 16_000)), 1)
    (-23.0, -23.0)
    """
    filled = np.pad(speech, (0, max(0, FRAME - len(speech))))
    frames = np.square(filled[: len(filled) // FRAME * FRAME], dtype=np.float64).reshape(-1, FRAME).mean(axis=1)
    loudest_first = np.sort(frames)[::-1]
    together = np.cumsum(loudest_first) / np.arange(1, len(frames) + 1)
    active = loudest_first * 10 ** (MARGIN_DB / 10) >= together
    return float(10 * np.log10(np.maximum(together[active][-1], SILENCE)))


def levelled(speech: np.ndarray, settings: FeatureSettings) -> np.ndarray:
    """Speech (N,) as features are extracted from it: at the level of the settings, where they have a level.

    Returns:
        Shape (N,), float32; digital silence stays silent.
    """
    if settings.level_db is None:
        return speech
    gain = 10 ** ((settings.level_db - active_level_db(speech)) / 20)
    brought: np.ndarray = (speech * gain).astype(np.float32)
    return brought
