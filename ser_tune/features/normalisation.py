"""Scaling features per channel and frequency, from real frames only (padding comes after)."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from ..config import NormalisationSettings

__all__ = ["Moments", "Scaling"]

SMALLEST_VARIATION = 1e-6
"""A spread below this fraction of the band's mean is rounding: the band does not vary, and its divisor is 1, as
scikit-learn's is."""


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
    squares: np.ndarray | None
    """Sum of squares over frames, shape (U, C, F), float64; None where each utterance has one frame: of `total`."""
    minimum: np.ndarray
    """Shape (U, C, F)."""
    maximum: np.ndarray
    """Shape (U, C, F)."""

    @classmethod
    def of(cls, frames: np.ndarray, offsets: np.ndarray) -> "Moments":
        """Read every frame once; where every utterance has one frame, nothing is read or copied.

        Args:
            frames: All utterances one after another, shape (N, C, F).
            offsets: Where each starts, and N at the end, shape (U + 1,).
        """
        starts = offsets[:-1]
        if len(frames) == len(starts):
            return cls(count=np.diff(offsets), total=frames, squares=None, minimum=frames, maximum=frames)
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
        count, total, minimum, maximum = (
            np.concatenate([getattr(part, name) for part in parts]) for name in ("count", "total", "minimum", "maximum")
        )
        squares = [np.square(one.total, dtype=np.float64) if one.squares is None else one.squares for one in parts]
        return cls(count=count, total=total, squares=np.concatenate(squares), minimum=minimum, maximum=maximum)

    def channels(self, which: Sequence[int]) -> "Moments":
        """Those of some channels."""
        chosen = (self.total, self.squares, self.minimum, self.maximum)
        return Moments(self.count, *(None if one is None else one[:, which] for one in chosen))  # type: ignore[arg-type]

    def scaling(self, utterances: np.ndarray, settings: NormalisationSettings) -> Scaling:
        """The scaling that a group of utterances defines.

        Args:
            utterances: Their numbers, shape (G,).
            settings: `standard`, `minmax` or `none`.
        """
        if settings.kind == "none":
            shape = self.minimum.shape[1:]
            return Scaling(shift=np.zeros(shape, dtype=np.float32), spread=np.ones(shape, dtype=np.float32))
        if settings.kind == "minmax":
            # Of features in float16 too: their range may be too wide for it
            shift = self.minimum[utterances].min(axis=0).astype(np.float32)
            spread = self.maximum[utterances].max(axis=0).astype(np.float32) - shift
        else:
            count, total = self.count[utterances].sum(), self.total[utterances]
            squares = np.square(total, dtype=np.float64) if self.squares is None else self.squares[utterances]
            shift = total.sum(axis=0, dtype=np.float64) / count
            variance = squares.sum(axis=0) / count - np.square(shift)
            spread = np.sqrt(np.maximum(variance, 0.0))
        varies = spread > SMALLEST_VARIATION * np.abs(shift)
        return Scaling(shift=shift.astype(np.float32), spread=np.where(varies, spread, 1.0).astype(np.float32))
