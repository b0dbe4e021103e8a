"""Judgements of MSP-Podcast's annotators, from the three forms that `labels_detailed.csv` had.

Releases 1.6 and 2.0 have a column for each part of a judgement. Releases 1.10 to 1.12 have all parts in one:
`WORKER00000001; Neutral; Neutral,Concerned; A:4.0; V:4.0; D:4.0;`, where the secondary emotions may be absent.
"""

import math
import re
from array import array
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

import numpy as np

from ..errors import CorpusError
from .published_table import PublishedTable
from .utterance import Annotation

__all__ = ["class_of", "rating_of", "read_annotations"]

OTHER = "other"
_SPELLINGS = {
    **dict.fromkeys(("a", "angry", "anger"), "anger"),
    **dict.fromkeys(("c", "contempt"), "contempt"),
    **dict.fromkeys(("d", "disgust"), "disgust"),
    **dict.fromkeys(("f", "fear"), "fear"),
    **dict.fromkeys(("h", "happy", "happiness"), "happiness"),
    **dict.fromkeys(("n", "neutral"), "neutral"),
    **dict.fromkeys(("o", OTHER), OTHER),
    **dict.fromkeys(("s", "sad", "sadness"), "sadness"),
    **dict.fromkeys(("u", "surprise", "surprised"), "surprise"),
}
"""Spelling of an emotion, in lower case, to the emotion."""
_SECONDARY = {
    **_SPELLINGS,
    "amused": "amusement",
    "annoyed": "annoyance",
    "concerned": "concern",
    "confused": "confusion",
    "depressed": "depression",
    "disappointed": "disappointment",
    "dissapointed": "disappointment",
    "excited": "excitement",
    "frustrated": "frustration",
}
"""Spelling of a secondary emotion, in lower case, to the emotion."""
_NAMES = tuple(sorted(set(_SECONDARY.values())))
_RATED = re.compile(r"(?:(?P<a>[^;]*);\s*V:(?P<v>[^;]*);\s*D:(?P<d>[^;]*);?\s*)?")
"""The end of a judgement in one cell, after `A:`; empty where there are no ratings."""
_RATINGS = ("EmoAct", "EmoDom", "EmoVal")
_T = TypeVar("_T")


@dataclass(frozen=True, slots=True)
class _Column:
    """A column of a table, with each text once."""

    codes: np.ndarray
    """Number of each row's text, shape (R,), int64."""
    texts: Sequence[str]
    """No two are equal."""


def class_of(written: str) -> str | None:
    """The emotion of a letter or word; None for all but the nine emotions of MSP-Podcast."""
    return _SPELLINGS.get(written.strip().lower())


def rating_of(text: str) -> float:
    """The rating of a cell; NaN where it is empty.

    Raises:
        ValueError: The text is no number, or infinite.
    """
    try:
        rating = float(text) if text.strip() else math.nan
    except ValueError:
        rating = math.inf
    if math.isinf(rating):
        raise ValueError(f"the rating '{text}' is no number; expected a number, or nothing")
    return rating


def read_annotations(file: Path) -> Mapping[str, Annotation]:
    """Read the votes, secondary emotions and ratings of every turn, by the name of its file.

    A word that is no emotion of the corpus is free text of an annotator who chose `other`.

    Args:
        file: `labels_detailed.csv`, with a row for each annotator of each turn, in any order.

    Returns:
        Annotations without dimensions, which are in the table of consensus labels; ratings are of arousal, dominance
        and valence.

    Raises:
        CorpusError: The table is not as described.
    """
    turns, majors, seconds, ratings = _columns(file)
    chosen = np.array([_NAMES.index(name) if (name := _chosen(text)) else -1 for text in majors.texts])[majors.codes]
    heard = np.array([[name in _heard(text) for name in _NAMES] for text in seconds.texts])[seconds.codes]
    rows = np.flatnonzero(chosen >= 0)
    votes = np.zeros(heard.shape, dtype=np.uint16)
    votes[rows, chosen[rows]] = 1
    heard[rows, chosen[rows]] = False  # secondary emotions are those beside the one that was chosen
    order = np.argsort(turns.codes, kind="stable")
    starts = np.searchsorted(turns.codes[order], np.arange(len(turns.texts)))
    counts = [_counts(np.add.reduceat(part[order], starts, axis=0, dtype=np.uint16)) for part in (votes, heard)]
    rated = _triples(file, ratings)[order].tolist()
    ends = [*starts[1:].tolist(), len(rated)]
    return {
        name: Annotation(votes=voted, secondary=beside, ratings=tuple(rated[start:end]), annotators=end - start)
        for name, voted, beside, start, end in zip(turns.texts, *counts, starts.tolist(), ends, strict=True)
    }


def _columns(file: Path) -> tuple[_Column, _Column, _Column, tuple[_Column, ...]]:
    """File, choice, secondary emotions, and the three ratings of every row."""
    if "EmoDetail" not in PublishedTable(file).columns:
        turns, majors, seconds, *ratings = _read(file, "FileName", "EmoClass_Major", "EmoClass_Second", *_RATINGS)
        return turns, majors, seconds, tuple(ratings)
    turns, heads, tails = _in_one_cell(file)
    majors, seconds = (_numbered(texts, heads.codes) for texts in zip(*_each(file, heads, _choices), strict=True))
    parts = zip(*_each(file, tails, _rated), strict=True)
    return turns, majors, seconds, tuple(_numbered(texts, tails.codes) for texts in parts)


def _in_one_cell(file: Path) -> tuple[_Column, _Column, _Column]:
    """File, emotions, and ratings of every row whose judgement is one cell."""
    codes = tuple(array("q") for _ in range(3))
    numbers: tuple[dict[str, int], ...] = ({}, {}, {})
    for _, (name, detail) in PublishedTable(file).rows("FileName", "EmoDetail"):
        judgement = detail.partition(";")[2]  # after the annotator's name; few emotions and few ratings differ
        words, separator, ratings = judgement.rpartition("A:")  # free text comes before
        texts = (name, words, ratings) if separator else (name, judgement, "")
        for column, known, text in zip(codes, numbers, texts, strict=True):
            column.append(known.setdefault(text, len(known)))
    if not codes[0]:
        raise CorpusError(f"{file} has no rows below its header; expected one for each annotator of each turn")
    turns, heads, tails = (_Column(np.array(column), list(known)) for column, known in zip(codes, numbers, strict=True))
    return turns, heads, tails


def _read(file: Path, *names: str) -> list[_Column]:
    """Columns of a table, in this order."""
    import pandas as pd

    if missing := sorted(set(names) - set(PublishedTable(file).columns)):
        raise CorpusError(f"{file} lacks column(s) {', '.join(map(repr, missing))}; expected EmoDetail, or all others")
    try:
        table = pd.read_csv(
            file,
            dtype="category",
            keep_default_na=False,
            skipinitialspace=True,
            encoding="utf-8-sig",
            encoding_errors="replace",  # free text of annotators; names and emotions are plain ASCII
        ).rename(columns=str.strip)
    except (OSError, ValueError) as error:
        raise CorpusError(f"{file} cannot be read: {' '.join(str(error).split())}") from None
    if not isinstance(table.index, pd.RangeIndex):
        raise CorpusError(f"{file} has more cells in its rows than in its header; expected as many")
    if not len(table):
        raise CorpusError(f"{file} has no rows below its header; expected one for each annotator of each turn")
    return [
        _Column(table[name].cat.codes.to_numpy(np.int64), [str(text) for text in table[name].cat.categories])
        for name in names
    ]


def _numbered(texts: Iterable[str], codes: np.ndarray) -> _Column:
    """The column of texts of which some may be equal, and their codes."""
    numbers: dict[str, int] = {}
    unique = np.array([numbers.setdefault(text, len(numbers)) for text in texts])
    return _Column(unique[codes], list(numbers))


def _each(file: Path, column: _Column, parse: Callable[[str], _T]) -> list[_T]:
    """Apply a function to each text of a column."""
    found = []
    for number, text in enumerate(column.texts):
        try:
            found.append(parse(text))
        except ValueError as error:
            row = int(np.argmax(column.codes == number)) + 1
            raise CorpusError(f"{file}, row {row}: {error}") from None
    return found


def _choices(text: str) -> tuple[str, str]:
    """The choice, and the emotions heard beside it.

    >>> _choices(" Other-calm; or so; Neutral,Concerned; ")
    ('Other-calm', 'or so,Neutral,Concerned')
    """
    parts = [part.strip() for part in text.split(";")]
    if not any(parts) or any(part[:2] in ("A:", "D:", "V:") for part in parts):
        raise ValueError("the judgement has no emotion; expected such as WORKER01; Neutral; A:4.0; V:4.0; D:4.0;")
    return parts[0], ",".join(filter(None, parts[1:]))


def _rated(text: str) -> tuple[str, ...]:
    """Arousal, dominance and valence, each empty where it was left out.

    >>> _rated("4.0; V:3.0; D:;"), _rated("")
    (('4.0', '', '3.0'), ('', '', ''))
    """
    found = _RATED.fullmatch(text)
    if not found:
        raise ValueError(f"the ratings 'A:{text}' are not such as A:4.0; V:4.0; D:4.0;")
    return tuple((found[name] or "").strip() for name in "adv")


def _chosen(major: str) -> str:
    """The emotion of the words that an annotator chose; empty where there are none."""
    return class_of(major) or OTHER if major.strip() else ""


def _heard(second: str) -> frozenset[str]:
    """The emotions that an annotator heard, of `Neutral,Concerned,Other-curious`."""
    return frozenset(_SECONDARY.get(word, OTHER) for part in second.split(",") if (word := part.strip().lower()))


def _counts(counts: np.ndarray) -> list[tuple[tuple[str, int], ...]]:
    """The emotions that were counted at all, of each row of (turns, emotions)."""
    pairs = [[(name, count) for count in range(counts.max() + 1)] for name in _NAMES]
    rows = (tuple(pairs[number][count] for number, count in enumerate(row) if count) for row in counts.tolist())
    same: dict[tuple[tuple[str, int], ...], tuple[tuple[str, int], ...]] = {}
    return [same.setdefault(row, row) for row in rows]  # equal ones are kept in memory once


def _triples(file: Path, ratings: Sequence[_Column]) -> np.ndarray:
    """The ratings of each row as a tuple, shape (R,)."""
    values = [_each(file, column, rating_of) for column in ratings]
    shape = tuple(map(len, values))
    flat = np.ravel_multi_index(tuple(column.codes for column in ratings), shape)
    unique, inverse = np.unique(flat, return_inverse=True)
    triples = np.empty(len(unique), dtype=object)
    for number, places in enumerate(zip(*np.unravel_index(unique, shape), strict=True)):
        triples[number] = tuple(value[place] for value, place in zip(values, places, strict=True))
    return triples[inverse]
