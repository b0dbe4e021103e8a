"""Checks of a split's file, without its sound: each a function from a split to what it found."""

from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from itertools import combinations

import numpy as np

from ..corpora import Utterance
from ..corpora.names import is_placeholder, listed_spellings, name_key, spellings
from .finding import Finding, shortened
from .speakers import Proposal, proposals
from .split import SPLIT_SIDES, WORDS, Split
from .stretches import stretches
from .texts import text_baseline

__all__ = ["FILE_CHECKS", "overlaps", "two_sides"]

LISTED_NAMES = 8


def validation(split: Split) -> Finding:
    """Find validation sides that are the test side, or lie within training."""
    if not split.has_validation:
        verdict = "the file names no validation side, so it does not show what chose the epoch and the model"
        return Finding("validation", "unchecked", verdict)
    found = []
    for fold, where in split.named_folds():
        recordings = {side: set(split.recordings[getattr(fold, side)].tolist()) for side in SPLIT_SIDES}
        validating = recordings["validation"]
        if validating and validating == recordings["test"]:
            found.append(f"{where}validation is the test side ({len(validating)} recordings)")
        elif validating and validating <= recordings["train"]:
            found.append(f"{where}validation lies within training ({len(validating)} recordings)")
    if found:
        return Finding("validation", "leak", _first(found, "fold"), shortened(found))
    return Finding("validation", "ok", "validation is apart from training and from test")


def recordings(split: Split) -> Finding:
    """Find recordings, by path, on two sides of a fold."""
    if split.has_stretches:
        files = split.files
        names = [str(split.utterances[row].path.name) for row in np.unique(files, return_index=True)[1]]
        return two_sides("recordings", "recording", split, files, names, having="have stretches")
    names = [split.utterances[row].id for row in split.first_rows()]
    return two_sides("recordings", "recording", split, split.recordings, names)


def speakers(split: Split) -> Finding:
    """Find speakers on two sides of a fold."""
    spoken = [utterance.speaker for utterance in split.utterances]
    names = np.array(["" if is_placeholder(speaker) else name_key(speaker) for speaker in spoken])
    known, keys = np.unique(names, return_inverse=True)
    missing = int((names == "").sum())
    if missing == len(names):
        first = [split.utterances[row] for row in split.first_rows()]
        proposed = proposals([_path_in(one) for one in first], [one.emotion for one in first])
        hint = "; the paths may name them" if proposed else "; name them in a column 'speaker', or with --speaker-from"
        verdict = f"the file names no speakers, so that they may be on two sides{hint}"
        return Finding("speakers", "unchecked", verdict, tuple(_with_overlap(split, one) for one in proposed))
    alone = np.where(names == "", -1 - np.arange(len(names)), keys)  # a row without a speaker shares none
    written = dict(zip(names.tolist(), spoken, strict=True))
    called = [written[key] for key in known.tolist()]
    found = two_sides("speakers", "speaker", split, alone, called, total=len(set(known) - {""}))
    if not missing:
        return found
    unknown = f"the speakers of {missing} of {len(names)} rows are not known"
    return replace(
        found, status="leak" if found.status == "leak" else "unchecked", verdict=f"{found.verdict}; {unknown}"
    )


def _with_overlap(split: Split, proposal: Proposal) -> str:
    """An expression that may find the speakers, and how many of these are on two sides."""
    keys = np.unique(proposal.speakers, return_inverse=True)[1][split.recordings]
    shared = {key for _, _, keys_of in overlaps(split, keys) for key in keys_of}
    return f"{proposal}, {len(shared)} of them on two sides"


def _path_in(utterance: Utterance) -> str:
    """The path of a recording as written, without its stretch."""
    whole = utterance.start_s == 0 and utterance.end_s is None
    return utterance.id if whole else utterance.id.rpartition("[")[0]


def names(split: Split) -> Finding | None:
    """Find names of speakers and emotions in several spellings, and emotions that are placeholders; None without any.

    Speakers are compared by the keys of their names, so that spellings on two sides are a leak of `speakers`.
    """
    first = [split.utterances[row] for row in split.first_rows()]
    spoken = {
        "speaker": [one.speaker for one in first if not is_placeholder(one.speaker)],
        "emotion": [one.emotion for one in first],
    }
    found = [
        f"{what} in several spellings: {listed_spellings(group)}"
        for what, written in spoken.items()
        for group in spellings(written)
    ]
    nothing = sorted(Counter(one.emotion for one in first if is_placeholder(one.emotion)).items())
    found += [f"emotion that is a placeholder: {name!r} ({count})" for name, count in nothing]
    return Finding("names", "wrong", _first(found, "problem"), shortened(found)) if found else None


def labels(split: Split) -> Finding:
    """Find recordings with two emotions or two speakers, and rows that one side of a fold has twice."""
    found = []
    rows_of = defaultdict(list)
    for row, number in enumerate(split.recordings):
        rows_of[number].append(split.utterances[row])
    for rows in rows_of.values():
        for what in ("emotion", "speaker"):
            values = sorted({getattr(row, what) for row in rows})
            found += [f"{rows[0].id} has the {what}s {', '.join(values)}"] * (len(values) > 1)
    for fold, where in split.named_folds():
        for side in SPLIT_SIDES:
            counts = Counter(split.recordings[getattr(fold, side)].tolist())
            doubled = [rows_of[number][0].id for number, count in counts.items() if count > 1]
            found += [f"{where}{name} has two rows on the {WORDS[side]} side" for name in doubled]
    if found:
        return Finding("labels", "wrong", _first(found, "problem"), shortened(found))
    return Finding("labels", "ok", f"{len(rows_of)} recordings have one emotion and one speaker each")


def classes(split: Split) -> Finding:
    """Count the classes of each side, over all folds, and find sides that lack a class of the file."""
    found, counts = [], []
    for side in SPLIT_SIDES:
        rows = np.unique(np.concatenate([getattr(fold, side) for fold in split.folds]))
        if not len(rows):
            continue
        rows = rows[np.unique(split.recordings[rows], return_index=True)[1]]  # a recording counts once
        of_class = Counter(split.utterances[row].emotion for row in rows)
        counts.append(f"{WORDS[side]}: " + ", ".join(f"{name} {of_class[name]}" for name in split.emotions))
        if missing := [name for name in split.emotions if not of_class[name]]:
            found.append(f"{WORDS[side]} has no {', no '.join(missing)}")
    for fold, where in split.named_folds():
        present = {split.utterances[row].emotion for row in fold.train}
        if where and (missing := [name for name in split.emotions if name not in present]):
            found.append(f"{where}training has no {', no '.join(missing)}")
    if found:
        return Finding("classes", "wrong", _first(found, "problem"), shortened([*found, *counts]))
    return Finding("classes", "ok", f"every side has all {len(split.emotions)} classes", tuple(counts))


def texts(split: Split) -> Finding:
    """Score the words alone, where texts are on two sides."""
    # Without speakers, every recording is drawn by itself
    spoken = [replace(one, speaker=one.id if is_placeholder(one.speaker) else one.speaker) for one in split.utterances]
    baseline = text_baseline(spoken, split.folds)
    if baseline is None:
        return Finding("texts", "unchecked", "the file names no texts")
    known, keys = np.unique([utterance.text for utterance in split.utterances], return_inverse=True)
    shared = {key for _, _, keys_of in overlaps(split, keys) for key in keys_of if known[key]}
    verdict = f"{len(shared)} of {len(set(known) - {''})} texts are on two sides; text-only baseline: {baseline}"
    if shared and baseline.above_chance:
        found = [f"on two sides: {known[key]}" for key in sorted(shared)]
        return Finding("texts", "leak", f"{verdict}: the words tell the emotion", shortened(found))
    return Finding("texts", "ok", verdict)


def columns(split: Split) -> Finding | None:
    """List columns that are not read; None where all are."""
    return Finding("columns", "ok", f"not used: {', '.join(split.ignored)}") if split.ignored else None


FILE_CHECKS: Sequence[Callable[[Split], Finding | None]] = (
    *(validation, recordings, stretches, speakers, names, labels, classes, texts, columns),
)


def overlaps(split: Split, keys: np.ndarray) -> Iterator[tuple[str, tuple[str, str], list[int]]]:
    """Find keys on two sides of a fold.

    Args:
        split: Whose folds.
        keys: A number for each row, shape (rows,).

    Yields:
        For each fold and pair of sides that share keys: where ("fold 1: ", or empty), the sides, the keys.
    """
    for fold, where in split.named_folds():
        for pair in combinations(SPLIT_SIDES, 2):
            one, other = (keys[getattr(fold, side)] for side in pair)
            if len(shared := np.intersect1d(one, other)):
                yield where, pair, shared.tolist()


def two_sides(
    check: str,
    what: str,
    split: Split,
    keys: np.ndarray,
    names: Sequence[str],
    *,
    having: str = "are",
    total: int | None = None,
) -> Finding:
    """Report keys on two sides of a fold as a leak.

    Args:
        check: The check's name.
        what: One of the keys, in words.
        split: Whose folds.
        keys: A number for each row, shape (rows,).
        names: The name of each key.
        having: The verb, such as `are` or `have stretches`.
        total: Number of keys; None counts them.
    """
    pairs, shared, details = Counter[str](), set(), []
    for where, pair, numbers in overlaps(split, keys):
        both = " and ".join(WORDS[side] for side in pair)
        pairs[both] += 1
        shared.update(numbers)
        named = ", ".join(names[number] for number in numbers[:LISTED_NAMES])
        more = f" and {len(numbers) - LISTED_NAMES} more" if len(numbers) > LISTED_NAMES else ""
        details.append(f"{where}{both}: {named}{more}")
    total = len(np.unique(keys)) if total is None else total
    if not shared:
        return Finding(check, "ok", f"none of {total} {what}s is on two sides")
    folds = f" in %d of {len(split.folds)} folds" if len(split.folds) > 1 else "%.0s"
    where = "; ".join(both + folds % count for both, count in pairs.items())
    return Finding(
        check, "leak", f"{len(shared)} of {total} {what}s {having} on two sides: {where}", shortened(details)
    )


def _first(found: Sequence[str], what: str) -> str:
    """The first detail, and how many more there are."""
    more = f"; {len(found) - 1} more {what}{'s' if len(found) > 2 else ''}" if len(found) > 1 else ""
    return f"{found[0]}{more}"
