"""Candidates for near-identical recordings, found by an index: time and memory grow with the number of recordings.

A patch of 24 frames of a fingerprint, around every second frame, gets eight keys: each joins the answers of a few
cross-polytope hashes (Andoni, Indyk, Laarhoven, Razenshteyn & Schmidt, Practical and optimal LSH for angular distance,
NeurIPS 2015), whose projections are of ±1, so that a key is the same on every machine. Patches that share a key are
candidates where the second of sound around them agrees.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from .fingerprint import BANDS

__all__ = ["Candidates", "Packed", "candidates", "pack"]

TABLES, DIRECTIONS = 8, 64
"""Keys of a patch, and directions that each hash chooses from."""
PATCH, POOL, STRIDE = 24, 6, 2
"""Frames of a patch, frames that are added up in it, and frames from patch to patch."""
MANY = 1 << 18
"""Patches from which keys are of four hashes instead of three: fewer chance encounters, at a few copies' cost."""
CHAIN = 8
"""Number of successors with its key that a patch is compared with: equal recordings make few pairs."""
GAP = 64
"""Empty frames between recordings, as many as are read beside a patch, and more than it has."""
AROUND = 32
"""Frames on each side of a patch's middle that must agree."""
LEAST_FRAMES, LEAST_AGREEMENT = 10, 0.3
_BLOCK = 1 << 15


@dataclass(frozen=True, slots=True)
class Packed:
    """Fingerprints of many recordings in one array, with gaps between them."""

    frames: np.ndarray
    """Shape (F,), uint32."""
    starts: np.ndarray
    """Where each recording starts, shape (N,), int64."""

    def owners(self, places: np.ndarray) -> np.ndarray:
        """The recordings that places in `frames` belong to."""
        return np.searchsorted(self.starts, places, side="right") - 1


@dataclass(frozen=True, slots=True)
class Candidates:
    """Pairs of recordings that may share a stretch, each once, with the place that agrees best; all of shape (M,)."""

    first: np.ndarray
    second: np.ndarray
    at_first: np.ndarray
    """Frame of the first recording."""
    at_second: np.ndarray


def pack(fingerprints: Sequence[np.ndarray]) -> Packed:
    """Lay fingerprints, each of shape (T,), one after another."""
    lengths = np.array([len(fingerprint) for fingerprint in fingerprints], dtype=np.int64)
    starts = GAP + np.concatenate([[0], np.cumsum(lengths + GAP)])
    frames = np.zeros(starts[-1], dtype=np.uint32)
    for start, fingerprint in zip(starts[:-1].tolist(), fingerprints, strict=True):
        frames[start : start + len(fingerprint)] = fingerprint
    return Packed(frames, starts[:-1])


def candidates(packed: Packed, *, apart: int | None = None) -> Candidates:
    """Find pairs of recordings with patches of one key around which both agree.

    Args:
        packed: The recordings.
        apart: Only pairs of a recording before this number with one from it on; None is all pairs.
    """
    places = np.flatnonzero(packed.frames)
    places = places[places % STRIDE == 0] if STRIDE > 1 else places
    owners, keys = packed.owners(places), _keys(packed, places)
    count = len(packed.starts)
    best: dict[str, np.ndarray] = {name: np.empty(0, dtype=np.int64) for name in ("pair", "left", "right")}
    score = np.empty(0, dtype=np.float32)
    for table in range(TABLES):
        for left, right in _encounters(keys[:, table]):
            wanted = owners[left] != owners[right]
            if apart is not None:
                wanted &= (owners[left] < apart) != (owners[right] < apart)
            left, right = _ordered(left[wanted], right[wanted], owners)
            agreement = _agreement(packed, places[left], places[right])
            kept = agreement > 0
            left, right = left[kept], right[kept]
            pair = np.concatenate([best["pair"], owners[left] * count + owners[right]])
            score = np.concatenate([score, agreement[kept]])
            order = np.lexsort((-score, pair))
            order = order[np.unique(pair[order], return_index=True)[1]]  # of each pair, the best
            best = {
                "pair": pair[order],
                "left": np.concatenate([best["left"], places[left]])[order],
                "right": np.concatenate([best["right"], places[right]])[order],
            }
            score = score[order]
    first, second = np.divmod(best["pair"], count)
    return Candidates(first, second, best["left"] - packed.starts[first], best["right"] - packed.starts[second])


def _keys(packed: Packed, places: np.ndarray) -> np.ndarray:
    """Keys of the patches around places, shape (P, tables), int32."""
    hashes = 3 if len(places) < MANY else 4
    size = BANDS * PATCH // POOL
    signs = np.random.Generator(np.random.PCG64(0)).integers(0, 2, (size, TABLES, hashes, DIRECTIONS))
    projections = (2 * signs - 1).astype(np.float32).reshape(size, -1)
    keys = np.empty((len(places), TABLES), dtype=np.int32)
    block = 1 << 12
    for start in range(0, len(places), block):
        found = _patches(packed.frames, places[start : start + block]) @ projections
        found = found.reshape(-1, TABLES, hashes, DIRECTIONS)
        direction = np.abs(found).argmax(axis=3)
        positive = np.take_along_axis(found, direction[..., np.newaxis], axis=3)[..., 0] > 0
        answers = 2 * direction + positive
        key = answers[..., 0]
        for number in range(1, hashes):
            key = key * (2 * DIRECTIONS) + answers[..., number]
        keys[start : start + block] = key
    return keys


def _patches(frames: np.ndarray, places: np.ndarray) -> np.ndarray:
    """The bits around places as ±1, added up over POOL frames, shape (P, PATCH / POOL * BANDS), float32."""
    low = int(places[0]) - PATCH // 2
    stretch = frames[low : int(places[-1]) + PATCH // 2]
    bits = np.unpackbits(stretch.astype("<u4").view(np.uint8).reshape(-1, 4), axis=1, bitorder="little")
    signs = (2 * bits.astype(np.int32) - 1) * (stretch != 0)[:, np.newaxis]
    sums = np.concatenate([np.zeros((1, BANDS), np.int32), np.cumsum(signs, axis=0, dtype=np.int32)])
    at = (places - PATCH // 2 - low)[:, np.newaxis] + np.arange(0, PATCH, POOL)
    patches: np.ndarray = (sums[at + POOL] - sums[at]).reshape(len(places), -1).astype(np.float32)
    return patches


def _encounters(keys: np.ndarray) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Numbers of patches with one key, pairwise: each with its next few."""
    order = np.argsort(keys, kind="stable")
    ordered = keys[order]
    for step in range(1, CHAIN + 1):
        met = np.flatnonzero(ordered[step:] == ordered[:-step])
        if not len(met):
            return
        yield order[met], order[met + step]


def _ordered(left: np.ndarray, right: np.ndarray, owners: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The same pairs, the recording of the smaller number first."""
    swapped = owners[left] > owners[right]
    return np.where(swapped, right, left), np.where(swapped, left, right)


def _agreement(packed: Packed, left: np.ndarray, right: np.ndarray) -> np.ndarray:
    """Agreement of the sound around two places, times the root of its frames; 0 where it does too little."""
    around = np.arange(-AROUND, AROUND)
    agreement = np.zeros(len(left), dtype=np.float32)
    for start in range(0, len(left), _BLOCK):
        block = slice(start, start + _BLOCK)
        first, second = (packed.frames[places[block, np.newaxis] + around] for places in (left, right))
        both = (first != 0) & (second != 0)
        count = both.sum(axis=1)
        differ = (np.bitwise_count(first ^ second) * both).sum(axis=1, dtype=np.int64)
        agree = 1 - 2 * differ / (BANDS * np.maximum(count, 1))
        enough = (count >= LEAST_FRAMES) & (agree >= LEAST_AGREEMENT)
        agreement[block] = np.where(enough, agree * np.sqrt(count), 0.0)
    return agreement
