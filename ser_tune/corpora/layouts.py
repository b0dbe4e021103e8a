"""Tables of recordings whose labels a known layout has: a reader's utterances, written as a table."""

import math
import unicodedata
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from ..errors import CorpusError
from .base import CorpusSource
from .label_columns import DIMENSIONS, SEVERAL, SPLIT, TARGET, VOTES
from .made_table import MadeTable, absolute, folder_of, is_nameable
from .manifest import META
from .names import is_placeholder
from .utterance import Utterance

__all__ = ["COLUMNS", "META", "Layout", "own_layout", "ratings_in", "table_of"]

NOBODY = "unknown"
"""Speaker in a table of utterances whose speaker the layout does not name."""
COLUMNS = ("speaker", "emotion", SEVERAL, *DIMENSIONS, "text", "gender", "language", "session")
"""Columns of a table that a database or data set may have, beside the paths, stretches and sides; and `meta_NAME`."""
ALL = "all columns"
"""Key of `Layout.understood` where there is a single origin."""
OPEN_END = "NaT"
"""End of a stretch that lasts to the end of its recording."""
ORDER = (
    *("path", "speaker", "emotion", "session", "start", "end", "text", "gender", "language", SPLIT, SEVERAL),
    *DIMENSIONS,
)
"""Columns in their order; others follow by name."""


@dataclass(frozen=True, slots=True)
class Layout:
    """The utterances that a layout has, and how they were read."""

    utterances: Sequence[Utterance]
    """Texts may have any spelling; an empty speaker is not known, an empty emotion has other labels or none."""
    understood: Mapping[str, str]
    """Column of the table to where its cells come from, in words."""
    unread: tuple[str, ...] = ()
    """Names of what is not read."""
    remarks: tuple[str, ...] = ()
    """Sentences on what else is left out."""


def own_layout(source: CorpusSource, folder: Path, cache: Path) -> Layout:
    """Read the utterances of a corpus that has a reader.

    Raises:
        CorpusError: The folder is not that of the corpus, or it has no folder.
    """
    if source.read_allowing is not None or not source.home:
        raise CorpusError(f"corpus {source.name} has no layout of its own; expected one of a corpus's owners")
    utterances = [
        replace(own, attributes=(*own.attributes, *([("style", own.style)] if own.style else ())))
        for own in source.read(folder, cache)
    ]
    remarks = []
    if any(own.annotation.secondary or own.annotation.ratings for own in utterances):
        remarks.append("not in the table: secondary emotions, and the ratings of single annotators")
    return Layout(utterances, {ALL: f"the names and tables of corpus {source.name}"}, remarks=tuple(remarks))


def ratings_in(cells: Mapping[str, str], path: Path) -> tuple[tuple[str, float], ...]:
    """The ratings of a recording by dimension, from its cells by column; an empty or undefined one is none.

    Raises:
        CorpusError: A rating is no number.
    """
    found = []
    for name in sorted(DIMENSIONS):
        try:
            value = float(cells.get(name) or "nan")
        except ValueError:
            raise CorpusError(f"{name} of '{path}' is '{cells[name]}'; expected a number") from None
        if not math.isnan(value):
            found.append((name, value))
    return tuple(found)


def table_of(layout: Layout, folder: Path, table: Path, *, mapping: Mapping[str, str] | None = None) -> MadeTable:
    """The table of a layout's utterances.

    Args:
        layout: As read.
        folder: With the recordings.
        table: The file to be written; paths are relative to its folder.
        mapping: Emotion to the emotion to write; an empty text leaves its utterances out.

    Raises:
        CorpusError: The table would be outside all folders above the recordings, the mapping names an emotion that no
            utterance has, or no utterance with a label is left.
    """
    start, written = folder_of(table, folder), mapping or {}
    known = {own.emotion for own in layout.utterances} - {""}
    if unknown := sorted(set(written) - known):
        there = ", ".join(sorted(known)) or "none"
        raise CorpusError(f"--map names '{unknown[0]}', which no recording has as its emotion; expected one of {there}")
    dropped: dict[str, int] = defaultdict(int)
    unusable, unlabelled, cells = [], 0, []
    split, remarks = _split(layout.utterances)
    for own in layout.utterances:
        place = absolute(own.path)
        if not (place.is_relative_to(start) and place.is_file() and is_nameable(str(place.relative_to(start)))):
            unusable.append(own.path)
        elif not written.get(own.emotion, "-"):
            dropped[own.emotion] += 1
        elif not (_has_label(own) or (split and own.split.startswith("test"))):
            unlabelled += 1
        else:
            emotion = written.get(own.emotion, own.emotion)
            row = _cells(replace(own, emotion=emotion, split=own.split if split else ""))
            cells.append({"path": place.relative_to(start).as_posix(), **row})
    if not cells:
        raise CorpusError(f"no recording of '{folder}' with a label is left; expected at least one")
    if unlabelled:
        remarks.append(f"recordings without a label, which are left out: {unlabelled}")
    found = {name for row in cells for name, cell in row.items() if cell}
    columns = [*(name for name in ORDER if name in found), *sorted(found - set(ORDER))]
    rows = tuple(tuple(row.get(name, "") for name in columns) for row in cells)
    return MadeTable(
        columns=tuple(columns),
        rows=tuple(sorted(rows)),
        unread=layout.unread,
        unlike=(),
        ambiguous=(),
        unusable=tuple(unusable),
        dropped=dict(sorted(dropped.items())),
        others={},
        understood={name: origin for name, origin in layout.understood.items() if name in columns or name == ALL},
        remarks=(*layout.remarks, *remarks),
    )


def _has_label(own: Utterance) -> bool:
    annotation = own.annotation
    return bool(own.emotion or annotation.votes or annotation.emotions or annotation.dimensions)


def _split(utterances: Sequence[Utterance]) -> tuple[bool, list[str]]:
    """Whether the sides of a split go into the table, and a sentence where there are sides that do not."""
    sides_of: dict[str, set[str]] = defaultdict(set)
    for own in utterances:
        if own.speaker and not is_placeholder(own.speaker):
            sides_of[own.speaker].add("test" if own.split.startswith("test") else own.split)
    sides = {own.split for own in utterances}
    several = sum(len(own) > 1 for own in sides_of.values())
    if sides == {""}:
        return False, []
    if "" in sides:
        return False, ["the split is left out, because it does not have every recording"]
    if "train" not in sides or len(sides) == 1:
        return False, [f"the split is left out, because all recordings are on its side {' or '.join(sorted(sides))}"]
    if "validation" not in sides:
        return False, ["the split is left out, because it has no validation side"]
    if several:
        plural = "speaker is" if several == 1 else "speakers are"
        return False, [f"the split is left out, because {several} {plural} on several of its sides"]
    return True, []


def _cells(own: Utterance) -> dict[str, str]:
    """The cells of an utterance by column, without its path; empty ones may be left out."""
    annotation = own.annotation
    stretch = own.start_s > 0 or own.end_s is not None
    cells = {
        "speaker": own.speaker or NOBODY,
        "emotion": own.emotion,
        "session": own.group,
        "start": _number(own.start_s) if stretch else "",
        "end": "" if not stretch else OPEN_END if own.end_s is None else _number(own.end_s),
        "text": own.text,
        "language": own.language,
        SPLIT: own.split,
        SEVERAL: "|".join(annotation.emotions),
    }
    cells |= {name if name == "gender" else f"{META}{name}": value for name, value in own.attributes}
    cells |= {f"{VOTES}{name}": str(count) for name, count in annotation.votes}
    cells |= {
        name if name in DIMENSIONS else f"{TARGET}{name}": f"{value:.12g}" for name, value in annotation.dimensions
    }
    return {name: plain(cell) for name, cell in cells.items()}


def _number(seconds: float) -> str:
    return f"{seconds:.6f}".rstrip("0").rstrip(".")


def plain(cell: str) -> str:
    """A text on a line, without control characters."""
    return " ".join("".join(" " if unicodedata.category(own) in ("Cc", "Cs") else own for own in cell).split())
