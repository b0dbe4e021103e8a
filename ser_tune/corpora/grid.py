"""From the text of a table to its cells: the separator, the line of the header, and the width of the rows."""

import csv
import io
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import islice, zip_longest
from pathlib import Path

from ..errors import CorpusError
from .problems import Problems

__all__ = ["Grid", "read_grid"]

SEPARATORS = (",", ";", "\t", "|", " ")
LINES_ABOVE = 10
"""Lines of titles and comments that may be above the header."""
_DECLARATION = re.compile(r"\"?sep=(.)\"?[^\S\r\n]*(?:\r\n|\r|\n|$)", re.IGNORECASE)
_OTHER_TEXTS = {"<": "HTML or XML", "{": "JSON", "[": "JSON", "version https://git-lfs": "a pointer of Git LFS"}
"""First characters of texts that are not tables, and their format."""
Score = Callable[[Sequence[str]], tuple[bool, int]]
"""From the cells of a line to whether it has all columns that a header must have, and how many that are known."""


@dataclass(frozen=True, slots=True)
class Grid:
    """The cells of a table, without the spaces around them."""

    separator: str
    header_line: int
    """Line of the file, from 1."""
    names: Sequence[str]
    """The cells of the header."""
    rows: Sequence[tuple[int, Sequence[str]]]
    """The line of the file that each row ends on, and as many cells as the header has."""


def read_grid(text: str, *, score: Score, file: Path, problems: Problems) -> Grid | None:
    """Split a text into cells.

    The separator and the line of the header are those under which the header has the most columns that are known.

    Args:
        text: Of the file.
        score: As above.
        file: Its name, for error messages.
        problems: Rows with too many or too few cells are added, and left out.

    Returns:
        None where the text is empty.

    Raises:
        CorpusError: It is no table, or a quote has no end.
    """
    text = text.lstrip("\ufeff")
    for start, what in _OTHER_TEXTS.items():
        if text.lstrip().startswith(start):
            raise CorpusError(f"{file} is {what}; expected a table as text: save it as CSV (UTF-8)")
    declared = _DECLARATION.match(text)
    body = text[declared.end() :] if declared else text
    separators = tuple(dict.fromkeys(([declared[1]] if declared else []) + list(SEPARATORS)))
    first = list(islice((line for line in body.splitlines() if line.strip()), LINES_ABOVE))
    separator = max(separators, key=lambda sign: max((score(_cells(line, sign)) for line in first), default=(False, 0)))
    lines = _lines(body, separator, file=file, before=1 if declared else 0)
    if not lines:
        return None
    top = lines[:LINES_ABOVE]
    header = max(range(len(top)), key=lambda number: (score(top[number][1]), -number))
    if not score(top[header][1])[0]:  # a header that lacks a column is described, not searched for
        header = 0
    line, names = lines[header]
    names, rows = _same_width(names, lines[header + 1 :], separator, problems)
    return Grid(separator, line, names, rows)


def _cells(line: str, separator: str) -> list[str]:
    """The cells of a line by itself."""
    try:
        return _unwrapped(next(csv.reader([line], delimiter=separator), []), separator)
    except csv.Error:
        return []


def _unwrapped(cells: list[str], separator: str) -> list[str]:
    """The cells without spaces around them; where a whole row was quoted as one cell, those in it."""
    if len(cells) == 1 and separator in cells[0]:
        cells = next(csv.reader(cells, delimiter=separator), [])
    return [cell.strip() for cell in cells]


def _lines(text: str, separator: str, *, file: Path, before: int) -> list[tuple[int, list[str]]]:
    """The cells of every line that is not empty.

    Args:
        text: Of the table.
        separator: Between cells.
        file: For error messages.
        before: Lines of the file before the text.
    """
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=separator, strict=True)
    found = []
    try:
        for cells in reader:
            stripped = _unwrapped(cells, separator)
            if any(stripped):
                found.append((reader.line_num + before, stripped))
    except csv.Error as error:
        raise CorpusError(f"{file}, line {reader.line_num + before} is not valid CSV: {error}") from None
    return found


def _same_width(
    names: list[str], rows: list[tuple[int, list[str]]], separator: str, problems: Problems
) -> tuple[list[str], list[tuple[int, list[str]]]]:
    """Header and rows of equal width, without the empty cells of a trailing separator."""
    filled = [any(column) for column in zip_longest(*(cells for _, cells in rows), fillvalue="")]
    while names and not names[-1] and not any(filled[len(names) - 1 : len(names)]):
        names = names[:-1]
    width = len(names)
    trimmed = [(number, cells[:width] if not any(cells[width:]) else cells) for number, cells in rows]
    if trimmed and all(len(cells) == width + 1 and cells[0].isdigit() for _, cells in trimmed):
        return ["", *names], trimmed  # R writes row numbers without a name
    kept = []
    for number, cells in trimmed:
        if len(cells) == width:
            kept.append((number, cells))
            continue
        comma = len(cells) > width and separator == "," and any(cell.isdigit() for cell in cells)
        cause = "; quote a cell that has a comma in it, such as a decimal comma" if comma else ""
        expected = f"{width}: {','.join(names)}"
        problems.add("cells", number, f"the row has {len(cells)} cells; expected {expected}{cause}")
    return names, kept
