"""Scaling features per channel and frequency, from real frames only (padding comes after)."""

from collections.abc import Sequence
from dataclasses import dataclass, fields

import numpy as np

from ..config import NormalisationSettings

__all__ = ["Moments", "Scaling"]

SMALLEST_SPREAD = 1e-3
"""Divisor of a band that does not vary: 0.001 dB is far below anything audible."""


@dataclass(frozen=True, slots=True)
class Scaling:
    """An affine map per channel and frequency: scaled = (feature - shift) / spread."""

    shift: np.ndarray
    """Shape (C, F), float32."""
    spread: np.ndarray
    """Shape (C, F), float32, positive."""


@dataclass(frozen=True, slots=True)
class Moments:
    """Per-utterance sums from which the statistics of any group of utterances follow without reading frames again."""

    count: np.ndarray
    """Frames, shape (U,)."""
    total: np.ndarray
    """Sum over frames, shape (U, C, F), float64."""
    squares: np.ndarray
    """Sum of squares over frames, shape (U, C, F), float64."""
    minimum: np.ndarray
    """Shape (U, C, F)."""
    maximum: np.ndarray
    """Shape (U, C, F)."""

    @classmethod
    def of(cls, frames: np.ndarray, offsets: np.ndarray) -> "Moments":
        """Read every frame once.

        Args:
            frames: All utterances one after another, shape (N, C, F).
            offsets: Where each starts, and N at the end, shape (U + 1,).
        """
        starts = offsets[:-1]
        return cls(
            count=np.diff(offsets),
            total=np.stack(
                [frames[a:b].sum(axis=0, dtype=np.float64) for a, b in zip(starts, offsets[1:], strict=True)]
            ),
            squares=np.stack(
                [np.square(frames[a:b], dtype=np.float64).sum(axis=0) for a, b in zip(starts, offsets[1:], strict=True)]
            ),
            minimum=np.minimum.reduceat(frames, starts, axis=0),
            maximum=np.maximum.reduceat(frames, starts, axis=0),
        )

    @classmethod
    def joined(cls, parts: Sequence["Moments"]) -> "Moments":
        """Those of several groups of utterances, one group after another."""
        return cls(*(np.concatenate([getattr(part, field.name) for part in parts]) for field in fields(cls)))

    def scaling(self, utterances: np.ndarray, settings: NormalisationSettings) -> Scaling:
        """The scaling that a group of utterances defines.

        Args:
            utterances: Their numbers, shape (G,).
            settings: `standard` or `minmax`.
        """
        if settings.kind == "minmax":
            shift = self.minimum[utterances].min(axis=0)
            spread = self.maximum[utterances].max(axis=0) - shift
        else:
            count = self.count[utterances].sum()
            shift = self.total[utterances].sum(axis=0) / count
            variance = self.squares[utterances].sum(axis=0) / count - np.square(shift)
            spread = np.sqrt(np.maximum(variance, 0.0))
        return Scaling(
            shift=shift.astype(np.float32),
            spread=np.maximum(spread, SMALLEST_SPREAD).astype(np.float32),
        )
