"""Cutting utterances into segments, as arithmetic on frame numbers: features are stored whole and cut when read."""

from dataclasses import dataclass, replace

import numpy as np

from ..config import SegmentSettings

__all__ = ["SegmentPlan", "frame_numbers", "plan_segments", "random_crops"]


@dataclass(frozen=True, slots=True)
class SegmentPlan:
    """The frames that every segment covers, and of which utterance; all arrays have shape (S,), int64."""

    utterance: np.ndarray
    start: np.ndarray
    """The segment's first frame, counted in its utterance."""
    length: np.ndarray
    """Frames of the whole utterance; a segment that reaches past them is padded."""

    def __len__(self) -> int:
        """Number of segments."""
        return len(self.utterance)


def plan_segments(lengths: np.ndarray, settings: SegmentSettings, *, overlap: bool) -> SegmentPlan:
    """Cover every utterance with segments of T frames, or with one of its own length where T is None.

    Args:
        lengths: Frames of each utterance, shape (U,).
        settings: T, hops and last block.
        overlap: Whether to step by the training hop; otherwise by that of evaluation.
    """
    lengths = np.asarray(lengths, dtype=np.int64)
    frames = settings.frames
    if frames is None:
        return SegmentPlan(utterance=np.arange(len(lengths)), start=np.zeros_like(lengths), length=lengths)
    hop = min((settings.hop_frames if overlap else settings.evaluation_hop_frames) or frames, frames)
    counts = 1 + -(-np.maximum(lengths - frames, 0) // hop)
    utterance = np.repeat(np.arange(len(lengths)), counts)
    number = np.arange(len(utterance)) - np.repeat(np.cumsum(counts) - counts, counts)
    start = number * hop
    length = lengths[utterance]
    if settings.last_block == "overlap":
        start = np.minimum(start, np.maximum(length - frames, 0))
    return SegmentPlan(utterance=utterance, start=start, length=length)


def random_crops(plan: SegmentPlan, frames: int, rng: np.random.Generator) -> SegmentPlan:
    """Start the segments of T frames at random, from the first frame to the last that leaves T, or 0 in short ones."""
    return replace(plan, start=rng.integers(0, np.maximum(plan.length - frames, 0), endpoint=True))


def frame_numbers(
    plan: SegmentPlan, which: np.ndarray, settings: SegmentSettings, *, shortest_frames: int = 1
) -> tuple[np.ndarray, np.ndarray]:
    """The frames of some segments.

    Args:
        plan: All segments.
        which: Numbers of the wanted segments, shape (B,).
        settings: T and padding.
        shortest_frames: Where settings leave utterances whole, T is the longest's length, but at least this.

    Returns:
        The frame numbers within each utterance, shape (B, T), all valid; and a mask of the same shape that is true
        where a frame is real and false where it is padding that the caller fills (`zero` and `floor`).
    """
    frames = settings.frames or max(shortest_frames, int(plan.length[which].max()))
    number = plan.start[which, None] + np.arange(frames)
    length = plan.length[which, None]
    real = number < length
    if settings.padding == "wrap":
        return number % length, np.ones_like(real)
    clipped = np.minimum(number, length - 1)
    return (clipped, np.ones_like(real)) if settings.padding == "edge" else (clipped, real)
