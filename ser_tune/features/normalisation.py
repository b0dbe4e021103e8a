"""Scaling features per channel and frequency, from real frames only (padding comes after)."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

import numpy as np

from ..config import NormalisationSettings
from ..row_groups import rows_by

__all__ = ["Moments", "RememberedMoments", "Scaling", "Weighed", "as_slice"]

SMALLEST_VARIATION = 1e-6
"""A spread below this fraction of the band's mean is rounding: the band does not vary, and its divisor is 1, as
scikit-learn's is."""
VALUES = 2**22
"""Most values of a block of utterances' moments, of which float64 copies are made."""


def _added(parts: Iterator[np.ndarray]) -> np.ndarray:
    """The sum of arrays of a shape, one after another."""
    total = next(parts)
    for part in parts:
        total += part
    return total


def as_slice(channels: Sequence[int]) -> slice | list[int]:
    """The index of some channels: a slice, which copies nothing, where they are neighbours.

    >>> as_slice([3, 4, 5]), as_slice([0, 2])
    (slice(3, 6, None), [0, 2])
    """
    numbers = list(channels)
    return slice(numbers[0], numbers[-1] + 1) if numbers == list(range(numbers[0], numbers[-1] + 1)) else numbers


@dataclass(frozen=True, slots=True)
class Scaling:
    """An affine map per channel and frequency: scaled = (feature - shift) / spread."""

    shift: np.ndarray
    """Shape (C, F), float32; of all corpora of a union (P, C, F), NaN for a corpus without training utterances."""
    spread: np.ndarray
    """The same shape, float32, positive."""

    def channels(self, which: Sequence[int]) -> "Scaling":
        """The scaling of some channels."""
        index = as_slice(which)
        return Scaling(self.shift[..., index, :], self.spread[..., index, :])

    def of_corpus(self, number: int) -> "Scaling | None":
        """The scaling of a corpus of a union, by its number; None where it has no training utterances."""
        return None if np.isnan(self.shift[number]).any() else Scaling(self.shift[number], self.spread[number])


@dataclass(frozen=True, slots=True)
class Weighed:
    """Mean and variance of features, and how many utterances they count for."""

    mean: np.ndarray
    """Shape (C, F), float64."""
    variance: np.ndarray
    """The same shape."""
    utterances: float | np.ndarray
    """Not negative; where features count for unlike numbers, of each, shape (C, F)."""

    @classmethod
    def of(cls, scaling: Scaling, utterances: float | np.ndarray) -> "Weighed":
        """The statistics of a standard scaling."""
        return cls(scaling.shift.astype(np.float64), np.square(scaling.spread.astype(np.float64)), utterances)

    def joined(self, other: "Weighed") -> "Weighed":
        """Both together, as if all utterances had been heard at once; one of both counts for something.

        The result is the MAP estimate of a normal distribution, with the other as a normal and inverse-gamma prior.
        """
        total = self.utterances + other.utterances
        mean = (self.utterances * self.mean + other.utterances * other.mean) / total
        away = self.utterances * other.utterances / total * np.square(self.mean - other.mean)
        variance = (self.utterances * self.variance + other.utterances * other.variance + away) / total
        return Weighed(mean, variance, total)


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
        """Read every frame (N, C, F) once; where every utterance has one frame, nothing is read or copied.

        `offsets` (U + 1,) are the start of each utterance, and N.
        """
        starts = offsets[:-1]
        if len(frames) == len(starts):
            return cls(count=np.diff(offsets), total=frames, squares=None, minimum=frames, maximum=frames)
        utterances = [frames[start:end] for start, end in zip(starts, offsets[1:], strict=True)]
        return cls(
            count=np.diff(offsets),
            total=np.stack([own.sum(axis=0, dtype=np.float64) for own in utterances]),
            squares=np.stack([np.square(own, dtype=np.float64).sum(axis=0) for own in utterances]),
            minimum=np.minimum.reduceat(frames, starts, axis=0),
            maximum=np.maximum.reduceat(frames, starts, axis=0),
        )

    def square_sums(self, utterances: np.ndarray | slice = slice(None)) -> np.ndarray:
        """Sums of squares of some utterances, shape (G, C, F), float64."""
        squares: np.ndarray
        if self.squares is None:
            squares = np.square(self.total[utterances].astype(np.float64))
        else:
            squares = self.squares[utterances]
        return squares

    def only(self, utterance: int) -> "Moments":
        """Moments of a single utterance."""
        own = slice(utterance, utterance + 1)
        squares = None if self.squares is None else self.squares[own]
        return Moments(self.count[own], self.total[own], squares, self.minimum[own], self.maximum[own])

    @property
    def _at_once(self) -> int:
        """Utterances of a block."""
        return max(1, VALUES // int(np.prod(self.minimum.shape[1:])))

    def channels(self, which: Sequence[int]) -> "Moments":
        """Moments of some channels."""
        index = as_slice(which)
        squares = None if self.squares is None else self.squares[:, index]
        total, minimum, maximum = (moment[:, index] for moment in (self.total, self.minimum, self.maximum))
        return Moments(self.count, total, squares, minimum, maximum)

    def scaling(
        self,
        utterances: np.ndarray,
        settings: NormalisationSettings,
        beside: "Weighed | None" = None,
        *,
        also: "Sequence[Moments]" = (),
    ) -> Scaling:
        """The scaling that a group of utterances, by their numbers (G,), defines.

        Args:
            utterances: At least one.
            settings: The kind; of another than `standard` nothing is weighed against.
            beside: Further statistics, against which theirs are weighed.
            also: Of copies of all utterances; those of the group count too.
        """
        if settings.kind == "none":
            shape = self.minimum.shape[1:]
            return Scaling(shift=np.zeros(shape, dtype=np.float32), spread=np.ones(shape, dtype=np.float32))
        if settings.kind == "minmax":
            # Of features in float16 too: their range may be too wide for it
            blocks = self._blocks(utterances, also)
            shift = np.min([part.minimum[some].min(axis=0) for part, some in blocks], axis=0).astype(np.float32)
            highest = np.max([part.maximum[some].max(axis=0) for part, some in blocks], axis=0)
            spread = highest.astype(np.float32) - shift
        else:
            found = self.weighed(utterances, also=also)
            found = found if beside is None else beside.joined(found)
            shift, spread = found.mean, np.sqrt(found.variance)
        return Scaling(*_usable(shift, spread))

    def weighed(self, utterances: np.ndarray, *, also: "Sequence[Moments]" = ()) -> Weighed:
        """Mean and variance of the frames of some utterances, by their numbers (G,), and of their copies, of `also`."""
        blocks = self._blocks(utterances, also)
        count = sum(part.count[utterances].sum() for part in (self, *also))
        mean = _added(part.total[some].sum(axis=0, dtype=np.float64) for part, some in blocks) / count
        variance = _added(part.square_sums(some).sum(axis=0) for part, some in blocks) / count - np.square(mean)
        return Weighed(mean, np.maximum(variance, 0.0), len(utterances))

    def _blocks(self, utterances: np.ndarray, also: "Sequence[Moments]") -> "list[tuple[Moments, np.ndarray]]":
        """Some utterances at a time, of these moments and then of those of copies."""
        step = self._at_once
        some_at_once = [utterances[start : start + step] for start in range(0, len(utterances), step)]
        return [(part, some) for part in (self, *also) for some in some_at_once]

    def scaling_of_corpora(
        self,
        utterances: np.ndarray,
        corpora: np.ndarray,
        settings: NormalisationSettings,
        *,
        also: "Sequence[Moments]" = (),
    ) -> Scaling:
        """The scalings that a group of utterances, by their numbers (G,), defines for each corpus of a union.

        Args:
            utterances: Of the training side.
            corpora: A number for the corpus of every utterance, shape (U,).
            settings: Kind.
            also: Of copies of all utterances, which count too.
        """
        shape = (int(corpora.max()) + 1, *self.minimum.shape[1:])
        stacked = Scaling(*(np.full(shape, np.nan, dtype=np.float32) for _ in range(2)))
        for number, rows in rows_by(corpora[utterances]).items():
            own = self.scaling(utterances[rows], settings, also=also)
            stacked.shift[number], stacked.spread[number] = own.shift, own.spread
        return stacked

    def scaling_of_each(self, settings: NormalisationSettings) -> list[Scaling]:
        """The scaling of every utterance by itself: to the bit `scaling` of each, many at once."""
        if settings.kind == "none":
            return [self.scaling(np.arange(1), settings)] * len(self.count)
        step, found = self._at_once, list[Scaling]()
        for start in range(0, len(self.count), step):
            some = slice(start, start + step)
            if settings.kind == "minmax":
                shift = self.minimum[some].astype(np.float32)
                spread = self.maximum[some].astype(np.float32) - shift
            else:
                count = self.count[some, np.newaxis, np.newaxis]
                shift = self.total[some].astype(np.float64) / count
                spread = np.sqrt(np.maximum(self.square_sums(some) / count - np.square(shift), 0.0))
            found += map(Scaling, *_usable(shift, spread))
        return found


@dataclass(frozen=True, slots=True)
class RememberedMoments(Moments):
    """Moments that compute the mean and variance of a group once, for several networks that it adapts."""

    known: dict[bytes, Weighed] = field(default_factory=dict, repr=False, compare=False)
    """The numbers of a group's utterances to its statistics."""

    @classmethod
    def like(cls, moments: Moments) -> "RememberedMoments":
        """The same moments, of which no group is known yet."""
        return cls(moments.count, moments.total, moments.squares, moments.minimum, moments.maximum)

    def weighed(self, utterances: np.ndarray, *, also: "Sequence[Moments]" = ()) -> Weighed:
        """As `Moments.weighed`; only groups without copies are remembered."""
        if also:
            return Moments.weighed(self, utterances, also=also)
        key = utterances.tobytes()
        if (found := self.known.get(key)) is None:
            found = self.known[key] = Moments.weighed(self, utterances)
        return found


def _usable(shift: np.ndarray, spread: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Both as float32; the spread is 1 where a band does not vary."""
    varies = spread > SMALLEST_VARIATION * np.abs(shift)
    return shift.astype(np.float32), np.where(varies, spread, 1.0).astype(np.float32)
