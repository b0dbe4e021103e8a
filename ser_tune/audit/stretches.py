"""Checks of stretches: parts of one recording that are on two sides, and those that overlap."""

from collections import Counter
from collections.abc import Iterator, Sequence
from itertools import combinations

import numpy as np

from .finding import Finding, shortened
from .split import SPLIT_SIDES, WORDS, Split

__all__ = ["stretches"]

SHORTEST_S = 1e-3
"""Less in common is the rounding of a border."""


def stretches(split: Split) -> Finding | None:
    """Find stretches of one recording that overlap and are on two sides of a fold; None without stretches."""
    if not split.has_stretches:
        return None
    starts = np.array([utterance.start_s for utterance in split.utterances])
    ends = np.array([np.inf if one.end_s is None else one.end_s for one in split.utterances])
    files, names = split.files, [utterance.id for utterance in split.utterances]
    found: set[int] = set()
    counts: Counter[tuple[str, str]] = Counter()
    details = []
    for fold, where in split.named_folds():
        for first, second in combinations(SPLIT_SIDES, 2):
            sides = (getattr(fold, first), getattr(fold, second))
            partners = dict(_overlapping(*sides, files=files, starts=starts, ends=ends))
            back = dict(_overlapping(*sides[::-1], files=files, starts=starts, ends=ends))
            found.update(split.recordings[[*partners, *back]].tolist())
            counts[first, second] += len(partners)
            counts[second, first] += len(back)
            details += [
                f"{where}{names[row]} ({WORDS[second]}) and {names[partner]} ({WORDS[first]})"
                for row, partner in partners.items()
            ]
    total = len(np.unique(split.recordings))
    if not found:
        return Finding("stretches", "ok", f"none of {total} stretches overlaps another on another side")
    pairs = "; ".join(
        f"{counts[first, second]} {WORDS[second]} stretches overlap {counts[second, first]} {WORDS[first]} stretches"
        for first, second in combinations(SPLIT_SIDES, 2)
        if counts[first, second]
    )
    verdict = f"{len(found)} of {total} stretches overlap another on another side: {pairs}"
    return Finding("stretches", "leak", verdict, shortened(details))


def _overlapping(
    first: np.ndarray, second: np.ndarray, *, files: np.ndarray, starts: np.ndarray, ends: np.ndarray
) -> Iterator[tuple[int, int]]:
    """Each row of the second side that overlaps rows of the first, and one of these.

    Args:
        first: Rows, shape (N,).
        second: Rows, shape (M,).
        files: Number of the file of every row.
        starts: Of every row, in seconds.
        ends: Likewise.
    """
    rows_of = [_by_file(rows, files) for rows in (first, second)]
    for file in sorted(rows_of[0].keys() & rows_of[1].keys()):
        there = rows_of[0][file]
        there = there[np.argsort(starts[there], kind="stable")]
        latest = _latest(ends[there])
        for row in rows_of[1][file].tolist():
            # Of those that start before this one ends, the one that ends last
            before = int(np.searchsorted(starts[there], ends[row] - SHORTEST_S)) - 1
            if before >= 0 and ends[there[latest[before]]] > starts[row] + SHORTEST_S:
                yield row, int(there[latest[before]])


def _by_file(rows: np.ndarray, files: np.ndarray) -> dict[int, np.ndarray]:
    """The rows of each file."""
    rows = rows[np.argsort(files[rows], kind="stable")]
    found, starts = np.unique(files[rows], return_index=True)
    return dict(zip(found.tolist(), np.split(rows, starts[1:]), strict=False))


def _latest(ends: np.ndarray) -> Sequence[int]:
    """For each row, which of the rows up to it ends last."""
    best, found = 0, []
    for number, end in enumerate(ends.tolist()):
        best = number if end > ends[best] else best
        found.append(best)
    return found
