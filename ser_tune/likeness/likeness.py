"""Near-identical recordings: equal but for level, codec, noise, cut or added ends, and small changes of speed.

Candidates of the index are laid on one another at the place that agrees best, at speeds from 0.976 to 1.024, and their
bits are counted: an agreement of 1 is all of them, 0 is chance.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from .fingerprint import BANDS, FRAMES_PER_S
from .index import LEAST_FRAMES, candidates, pack

__all__ = ["COMPARED", "Likeness", "near_groups", "near_identical", "nearest"]

COMPARED = (
    "near-identical: equal but for level, polarity, sample rate, codec, noise (20 dB), cut or added ends, 2 % of speed "
    "or tempo, and light reverberation (0.3 s)"
)
"""Changes that `near_identical` recognises, for readers of its answers; reading_numbers.md has the rates."""
AGREEMENT = 0.45
"""Mean agreement from which two recordings are near-identical, where they overlap by half of the shorter one."""
OVERLAP = 0.5
STRETCH_AGREEMENT, STRETCH_SCORE = 0.75, 16.0
"""Least mean agreement and score of a stretch that two otherwise different recordings share."""
SCORE = 6.5
"""Least score of a stretch: its agreement beyond CHANCE, summed over its frames: short stretches must agree more."""
CHANCE = 0.35
"""Agreement that different speech reaches for a moment."""
SPEEDS = 1 + np.arange(-4, 5) * 0.006
SHIFTS = np.arange(-2, 3)
"""Frames around the place that agreed best."""


@dataclass(frozen=True, slots=True)
class Likeness:
    """Two recordings that are near-identical, or share a stretch that is."""

    first: int
    second: int
    """Numbers of the recordings."""
    agreement: float
    """Agreement of the stretch's bits: 1 is all, 0 is chance."""
    shared_s: float
    """Length of the stretch in the first recording, in seconds."""


def near_identical(fingerprints: Sequence[np.ndarray]) -> list[Likeness]:
    """Find near-identical recordings by their fingerprints.

    Args:
        fingerprints: Of `audio_fingerprint`, each of shape (T,).

    Returns:
        Each pair once, by numbers. Where many recordings are near-identical, pairs connect all of them, but not every
        two of them are a pair.
    """
    first_of: dict[bytes, int] = {}
    kept, found = [], []
    for number, fingerprint in enumerate(fingerprints):
        if (frames := np.count_nonzero(fingerprint)) < LEAST_FRAMES:
            continue
        first = first_of.setdefault(fingerprint.tobytes(), number)
        if first == number:
            kept.append(number)
        else:
            found.append(Likeness(first, number, 1.0, float(frames) / FRAMES_PER_S))
    pairs = _pairs([fingerprints[number] for number in kept])
    found += [replace(pair, first=kept[pair.first], second=kept[pair.second]) for pair in pairs]
    return sorted(found, key=lambda pair: (pair.first, pair.second))


def near_groups(fingerprints: Sequence[np.ndarray]) -> list[list[int]]:
    """Groups of recordings that `near_identical` connects, by its pairs; each sorted, and all by their first number."""
    group_of: dict[int, list[int]] = {}
    for pair in near_identical(fingerprints):
        left = group_of.setdefault(pair.first, [pair.first])
        right = group_of.setdefault(pair.second, [pair.second])
        if left is not right:
            left += right
            group_of.update(dict.fromkeys(right, left))
    groups = {id(group): sorted(group) for group in group_of.values()}
    return sorted(groups.values())


def nearest(fingerprints: Sequence[np.ndarray], known: Sequence[np.ndarray]) -> list[Likeness | None]:
    """For each recording, find the known recording that it is near-identical to.

    Args:
        fingerprints: Of `audio_fingerprint`, each of shape (T,).
        known: Those of other recordings.

    Returns:
        Shape (N,); `second` is the number of the known recording whose bits agree most; None where there is none.
    """
    asked = {fingerprint.tobytes(): fingerprint for fingerprint in fingerprints}  # equal fingerprints are compared once
    first_known = {fingerprint.tobytes(): number for number, fingerprint in reversed(list(enumerate(known)))}
    numbers = list(first_known.values())
    best: dict[bytes, Likeness] = {}
    keys = list(asked)
    for pair in _pairs([*asked.values(), *(known[number] for number in numbers)], apart=len(keys)):
        key = keys[pair.first]
        if key not in best or pair.agreement > best[key].agreement:
            best[key] = replace(pair, second=numbers[pair.second - len(keys)])
    found = (best.get(fingerprint.tobytes()) for fingerprint in fingerprints)
    return [None if pair is None else replace(pair, first=number) for number, pair in enumerate(found)]


def _pairs(fingerprints: Sequence[np.ndarray], *, apart: int | None = None) -> list[Likeness]:
    """The candidates that are near-identical."""
    if len(fingerprints) < 2:
        return []
    met = candidates(pack(fingerprints), apart=apart)
    places = zip(met.first.tolist(), met.second.tolist(), met.at_first.tolist(), met.at_second.tolist(), strict=True)
    likenesses = (
        _likeness(first, second, fingerprints[first], fingerprints[second], at_first, at_second)
        for first, second, at_first, at_second in places
    )
    return [likeness for likeness in likenesses if likeness is not None]


def _likeness(
    first: int, second: int, left: np.ndarray, right: np.ndarray, at_left: int, at_right: int
) -> Likeness | None:
    """Lay two fingerprints on one another, at the speed and shift with the best stretch; None where they differ."""
    places = np.rint(at_right + (np.arange(len(left)) - at_left) * SPEEDS[:, np.newaxis]).astype(np.int64)
    places = (places[:, np.newaxis] + SHIFTS[:, np.newaxis]).reshape(-1, len(left))
    laid = right[np.clip(places, 0, len(right) - 1)]
    both = (places >= 0) & (places < len(right)) & (laid != 0) & (left != 0)
    agreement = 1 - np.bitwise_count(left ^ laid) * (2 / BANDS)
    gains = np.cumsum(np.where(both, agreement - CHANCE, 0.0), axis=1)
    gains = np.pad(gains, ((0, 0), (1, 0)))
    scores = gains - np.minimum.accumulate(gains, axis=1)  # of the best stretch that ends at each frame
    way, end = np.unravel_index(int(scores.argmax()), scores.shape)
    start = int(end) - int(gains[way, end::-1].argmin())  # the last minimum: frames before it gain nothing
    shared = both[way, start:end]
    if scores[way, end] < SCORE or not shared.any():
        return None
    stretch = float(agreement[way, start:end][shared].mean())
    whole = float(agreement[way][both[way]].mean())
    overlap = both[way].sum() / min(np.count_nonzero(left), np.count_nonzero(right))
    same_take = whole >= AGREEMENT and overlap >= OVERLAP
    if not same_take and (stretch < STRETCH_AGREEMENT or scores[way, end] < STRETCH_SCORE):
        return None
    return Likeness(first, second, stretch, float(end - start) / FRAMES_PER_S)
