"""Checks of a split without its sound: each is a function from a split to its finding, or to None without any."""

from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace

import numpy as np

from ..corpora import Utterance
from ..corpora.names import is_placeholder, listed_spellings, name_key, spellings
from ..errors import CorpusError
from ..tasks import DEFAULT_TASK, TASKS
from .baselines import text_baseline
from .finding import Finding, shortened
from .speaker_patterns import proposals
from .split import SIDE_PAIRS, SPLIT_SIDES, WORDS, Split

__all__ = ["FILE_CHECKS", "stretches"]

LISTED_NAMES = 8
SHORTEST_S = 1e-3
"""A shorter common part of two stretches is the rounding of a border."""


def validation(split: Split) -> Finding:
    """Find validation sides that are the test side, or lie within training."""
    if not any(len(fold.validation) for fold in split.folds):
        verdict = "the file names no validation side, so it does not show what chose the epoch and the model"
        return Finding("validation", "unchecked", verdict)
    found = []
    for where, sides in split.sides_of_folds():
        train, validating, test = (set(split.recordings[sides[side]].tolist()) for side in SPLIT_SIDES)
        if validating and validating == test:
            found.append(f"{where}validation is the test side ({len(validating)} recordings)")
        elif validating and validating <= train:
            found.append(f"{where}validation lies within training ({len(validating)} recordings)")
    if found:
        return Finding.of_problems("validation", "leak", found, noun="fold")
    return Finding("validation", "ok", "validation is apart from training and from test")


def recordings(split: Split) -> Finding:
    """Find recordings, by path, on two sides of a fold."""
    if split.has_stretches:
        files = split.files
        names = [split.utterances[row].path.name for row in np.unique(files, return_index=True)[1]]
        return _on_two_sides("recording", split, files, names, verb="have stretches")
    return _on_two_sides("recording", split, split.recordings, [utterance.id for utterance in split.first_utterances])


def stretches(split: Split) -> Finding | None:
    """Find stretches of one recording that overlap and are on two sides of a fold; None without stretches."""
    if not split.has_stretches:
        return None
    found: set[int] = set()
    counts: Counter[tuple[str, str]] = Counter()
    details = []
    files = split.files
    for where, sides in split.sides_of_folds():
        for first, second in SIDE_PAIRS:
            partners = _overlapping(split, files, sides[second], sides[first])
            back = _overlapping(split, files, sides[first], sides[second])
            found.update(split.recordings[[*partners, *back]].tolist())
            counts[first, second] += len(partners)
            counts[second, first] += len(back)
            details += [
                f"{where}{split.utterances[row].id} ({WORDS[second]}) and "
                f"{split.utterances[partner].id} ({WORDS[first]})"
                for row, partner in partners.items()
            ]
    total = len(np.unique(split.recordings))
    if not found:
        return Finding("stretches", "ok", f"none of {total} stretches overlaps another on another side")
    pairs = "; ".join(
        f"{counts[first, second]} {WORDS[second]} stretches overlap {counts[second, first]} {WORDS[first]} stretches"
        for first, second in SIDE_PAIRS
        if counts[first, second]
    )
    verdict = f"{len(found)} of {total} stretches overlap another on another side: {pairs}"
    return Finding("stretches", "leak", verdict, shortened(details))


def _overlapping(split: Split, files: np.ndarray, rows: np.ndarray, others: np.ndarray) -> dict[int, int]:
    """Each row that overlaps other rows of its file, and the last of these to end."""
    found: dict[int, int] = {}
    rows_of, others_of = _by_file(rows, files), _by_file(others, files)
    for file in sorted(rows_of.keys() & others_of.keys()):
        starts, ends = _times(split, rows_of[file])
        other_starts, other_ends = _times(split, others_of[file])
        order = np.argsort(other_starts, kind="stable")
        latest_end = np.maximum.accumulate(other_ends[order])
        ends_last = order[np.searchsorted(latest_end, latest_end)]  # of the others up to each, the first that ends last
        before = np.searchsorted(other_starts[order], ends - SHORTEST_S) - 1  # the last that starts before a row ends
        overlaps = (before >= 0) & (latest_end[before] > starts + SHORTEST_S)
        partners = others_of[file][ends_last[before[overlaps]]]
        found |= zip(rows_of[file][overlaps].tolist(), partners.tolist(), strict=True)
    return found


def _by_file(rows: np.ndarray, files: np.ndarray) -> Mapping[int, np.ndarray]:
    """The rows of each file."""
    rows = rows[np.argsort(files[rows], kind="stable")]
    found, starts = np.unique(files[rows], return_index=True)
    return dict(zip(found.tolist(), np.split(rows, starts[1:]), strict=False))


def _times(split: Split, rows: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Start and end of rows in seconds; an unknown end is infinite."""
    spoken = [split.utterances[row] for row in rows]
    ends = [np.inf if utterance.end_s is None else utterance.end_s for utterance in spoken]
    return np.array([utterance.start_s for utterance in spoken]), np.array(ends)


def speakers(split: Split) -> Finding:
    """Find speakers on two sides of a fold."""
    spoken = [utterance.speaker for utterance in split.utterances]
    keys = ["" if is_placeholder(speaker) else name_key(speaker) for speaker in spoken]
    known, numbers = np.unique(keys, return_inverse=True)
    missing = keys.count("")
    if missing == len(keys):
        return _without_speakers(split)
    alone = np.where(known[numbers] == "", -1 - np.arange(len(keys)), numbers)  # a row without a speaker shares none
    written = dict(zip(keys, spoken, strict=True))
    names = [written[key] for key in known.tolist()]
    found = _on_two_sides("speaker", split, alone, names, total=len(set(keys) - {""}))
    if not missing:
        return found
    verdict = f"{found.verdict}; the speakers of {missing} of {len(keys)} rows are not known"
    return replace(found, status="leak" if found.status == "leak" else "unchecked", verdict=verdict)


def _without_speakers(split: Split) -> Finding:
    """Propose expressions that find speakers in paths, each with its number of speakers on two sides."""
    first = split.first_utterances
    proposed = proposals([_path_in(utterance) for utterance in first], [utterance.emotion for utterance in first])
    details = []
    for proposal in proposed:
        keys = np.unique(proposal.speakers, return_inverse=True)[1][split.recordings]
        details.append(f"{proposal}, {len(_shared(split, keys))} of them on two sides")
    hint = "; the paths may name them" if proposed else "; name them in a column 'speaker', or with --speaker-from"
    verdict = f"the file names no speakers, so that they may be on two sides{hint}"
    return Finding("speakers", "unchecked", verdict, tuple(details))


def _path_in(utterance: Utterance) -> str:
    """The path of a recording as written, without its stretch."""
    whole = utterance.start_s == 0 and utterance.end_s is None
    return utterance.id if whole else utterance.id.rpartition("[")[0]


def names(split: Split) -> Finding | None:
    """Find names of speakers and emotions in several spellings, and emotions that are placeholders.

    Speakers are compared by the keys of their names, so that spellings on two sides are a leak of `speakers`.
    """
    first = split.first_utterances
    emotions = [utterance.emotion for utterance in first if utterance.emotion]
    written = {
        "speaker": [utterance.speaker for utterance in first if not is_placeholder(utterance.speaker)],
        "emotion": emotions,
    }
    found = [
        f"{kind} in several spellings: {listed_spellings(group)}"
        for kind, named in written.items()
        for group in spellings(named)
    ]
    placeholders = sorted(Counter(filter(is_placeholder, emotions)).items())
    found += [f"emotion that is a placeholder: {name!r} ({count})" for name, count in placeholders]
    return Finding.of_problems("names", "wrong", found) if found else None


def labels(split: Split) -> Finding:
    """Find recordings with two emotions, speakers or ratings, and rows that one side of a fold has twice."""
    found = []
    rows_of: dict[int, list[Utterance]] = defaultdict(list)
    for number, utterance in zip(split.recordings.tolist(), split.utterances, strict=True):
        rows_of[number].append(utterance)
    for rows in rows_of.values():
        for kind in ("emotion", "speaker"):
            values = sorted({getattr(row, kind) for row in rows})
            if len(values) > 1:
                found.append(f"{rows[0].id} has the {kind}s {', '.join(values)}")
        rated = {(name, rating) for row in rows for name, rating in row.annotation.dimensions}
        for name, count in sorted(Counter(name for name, _ in rated).items()):
            found += [f"{rows[0].id} has {count} ratings of {name}"] if count > 1 else []
    for where, sides in split.sides_of_folds():
        for side, rows_there in sides.items():
            counts = Counter(split.recordings[rows_there].tolist())
            doubled = [rows_of[number][0].id for number, count in counts.items() if count > 1]
            found += [f"{where}{name} has two rows on the {WORDS[side]} side" for name in doubled]
    if found:
        return Finding.of_problems("labels", "wrong", found)
    label = "emotion" if split.emotions else "rating of each dimension"
    return Finding("labels", "ok", f"{len(rows_of)} recordings have one {label} and one speaker each")


def classes(split: Split) -> Finding:
    """Count the classes of each side, over all folds, and find sides that lack a class of the file."""
    if not split.emotions:
        return Finding("classes", "unchecked", "the file names no emotions")
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
    for where, sides in split.sides_of_folds():
        present = {split.utterances[row].emotion for row in sides["train"]}
        if where and (missing := [name for name in split.emotions if name not in present]):
            found.append(f"{where}training has no {', no '.join(missing)}")
    if found:
        return Finding.of_problems("classes", "wrong", found, notes=counts)
    return Finding("classes", "ok", f"every side has all {len(split.emotions)} classes", tuple(counts))


def texts(split: Split) -> Finding:
    """Score the words alone, where texts are on two sides."""
    # Without speakers, every recording is drawn by itself
    spoken = [
        replace(utterance, speaker=utterance.id) if is_placeholder(utterance.speaker) else utterance
        for utterance in split.utterances
    ]
    task = TASKS.get(DEFAULT_TASK if split.emotions else "dimensions")
    try:
        targets = task.targets(task.settings(name=task.name), spoken)
    except CorpusError:
        return Finding("texts", "unchecked", "rows lack ratings of a dimension that other rows have")
    baseline = text_baseline(spoken, split.folds, targets, task=task)
    if baseline is None:
        return Finding("texts", "unchecked", "the file names no texts")
    known, keys = np.unique([utterance.text for utterance in split.utterances], return_inverse=True)
    shared = sorted(key for key in _shared(split, keys) if known[key])
    verdict = f"{len(shared)} of {len(set(known) - {''})} texts are on two sides; text-only baseline: {baseline}"
    if shared and baseline.above_chance:
        details = shortened([f"on two sides: {known[key]}" for key in shared])
        what = "emotion" if split.emotions else "ratings"
        return Finding("texts", "leak", f"{verdict}: the words tell the {what}", details)
    return Finding("texts", "ok", verdict)


def columns(split: Split) -> Finding | None:
    """List columns that are not read."""
    return Finding("columns", "ok", f"not used: {', '.join(split.ignored)}") if split.ignored else None


FILE_CHECKS: Sequence[Callable[[Split], Finding | None]] = (
    *(validation, recordings, stretches, speakers, names, labels, classes, texts, columns),
)


def _overlaps(split: Split, keys: np.ndarray) -> Iterator[tuple[str, tuple[str, str], list[int]]]:
    """For each fold and pair of sides that share keys: its words, the sides, the keys; `keys` has one for each row."""
    for where, sides in split.sides_of_folds():
        for pair in SIDE_PAIRS:
            first, second = (keys[sides[side]] for side in pair)
            if len(shared := np.intersect1d(first, second)):
                yield where, pair, shared.tolist()


def _shared(split: Split, keys: np.ndarray) -> set[int]:
    """The keys on two sides of any fold."""
    return {key for _, _, shared in _overlaps(split, keys) for key in shared}


def _on_two_sides(
    noun: str, split: Split, keys: np.ndarray, names: Sequence[str], *, verb: str = "are", total: int | None = None
) -> Finding:
    """Report keys on two sides of a fold as a leak.

    Args:
        noun: What the check named `{noun}s` counts.
        split: With the folds.
        keys: A number for each row, shape (rows,).
        names: The name of each key.
        verb: Before "on two sides".
        total: Number of keys; None counts them.
    """
    check, total = f"{noun}s", len(np.unique(keys)) if total is None else total
    pairs, details = Counter[str](), []
    for where, pair, numbers in _overlaps(split, keys):
        both = " and ".join(WORDS[side] for side in pair)
        pairs[both] += 1
        named = ", ".join(names[number] for number in numbers[:LISTED_NAMES])
        more = f" and {len(numbers) - LISTED_NAMES} more" if len(numbers) > LISTED_NAMES else ""
        details.append(f"{where}{both}: {named}{more}")
    if not details:
        return Finding(check, "ok", f"none of {total} {check} is on two sides")
    folds = f" in %d of {len(split.folds)} folds" if len(split.folds) > 1 else "%.0s"
    where = "; ".join(both + folds % count for both, count in pairs.items())
    verdict = f"{len(_shared(split, keys))} of {total} {check} {verb} on two sides: {where}"
    return Finding(check, "leak", verdict, shortened(details))
