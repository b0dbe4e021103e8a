"""Reading a table that a user wrote: its encoding, separator and columns are found out where they are unambiguous."""

import csv
import io
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from ..errors import CorpusError
from .columns import Header, described, read_header
from .decoding import decoded
from .problems import Problems

__all__ = ["Line", "Table", "read_table"]

SEPARATORS = (",", ";", "\t", "|")
_RECORDING = re.compile(r"\.(?:wav|flac|mp3|ogg|opus|m4a|aiff?|wma|webm|mp4|sph|raw)$", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Line:
    """A row of a table."""

    number: int
    """The line of the file that it ends on, from 1."""
    cells: dict[str, str]
    """By column, without the spaces around them."""


@dataclass(frozen=True, slots=True)
class Table:
    """A table as read."""

    file: Path
    columns: tuple[str, ...]
    """The documented names of the columns that are read."""
    lines: tuple[Line, ...]
    ignored: tuple[str, ...]
    """Columns that are not read, as sentences name them."""
    separator: str
    encoding: str
    """`utf-8`, `utf-16`, `utf-32` or `cp1252`."""
    problems: Problems
    """What is wrong so far; whoever checks the cells adds to them, and refuses the table."""

    @property
    def remarks(self) -> tuple[str, ...]:
        """Sentences on how the table was read that its owner should check."""
        found = []
        if self.ignored:
            plural = "s" if len(self.ignored) > 1 else ""
            found.append(f"column{plural} not used: {', '.join(self.ignored)}")
        if self.encoding == "cp1252":
            found.append("the table is not UTF-8 text; it was read as Windows-1252")
        return tuple(found)


def read_table(
    file: Path,
    *,
    required: Sequence[str],
    optional: Sequence[str],
    header: str,
    either: Sequence[str] = (),
) -> Table:
    """Read the rows of a table, in the order of the file.

    Args:
        file: UTF-8, UTF-16 or Windows-1252, separated by comma, semicolon, tab or `|`, perhaps with a line `sep=`.
        required: Columns that its header must have, as `read_header` takes them.
        optional: Columns that it may have.
        header: The expected header, as error messages show it.
        either: Columns of which a header has at least one.

    Returns:
        The rows, and what is wrong with the header and the number of cells.

    Raises:
        CorpusError: The file cannot be read, is no text, or is empty.
    """
    try:
        text, encoding = decoded(file.read_bytes(), file)
    except OSError as error:
        raise CorpusError(f"{file} cannot be read: {error.strerror}") from None
    text, skipped, separators = _without_declaration(text)
    wanted = {"required": required, "optional": optional, "either": either}
    separator = _separator(text, separators, wanted)
    problems = Problems(file)
    rows = [(number + skipped, cells) for number, cells in _rows(text, separator, file, skipped)]
    if not rows:
        problems.refuse()
        raise CorpusError(f"{file} is empty; expected the header {header}")
    (line, names), *rows = rows
    rows = [(number, cells) for number, cells in rows if any(cells)]
    names, rows = _same_width(names, rows, separator, problems)
    found = read_header(names, **wanted)
    if any(_RECORDING.search(cell) for cell in names):
        found = replace(found, problems=(f"is missing: this line is a row already; expected {header}",))
    for problem in found.problems:
        there = f"; expected {header}, but it has {', '.join(names)}"
        problems.add(problem, line, f"the header {problem}{'' if 'expected' in problem else there}")
    if not rows:
        problems.refuse()
        raise CorpusError(f"{file} has no rows below its header; expected one a recording")
    return Table(
        file=file,
        columns=tuple(name for name in found.columns if name),
        lines=tuple(_line(number, found, cells) for number, cells in rows),
        ignored=tuple(described(names[number], found.columns) for number in found.unread),
        separator=separator,
        encoding=encoding,
        problems=problems,
    )


def _line(number: int, header: Header, cells: Sequence[str]) -> Line:
    named = zip(header.columns, header.milliseconds, cells, strict=True)
    return Line(number, {column: f"{cell}ms" if ms and cell else cell for column, ms, cell in named if column})


def _without_declaration(text: str) -> tuple[str, int, Sequence[str]]:
    """The text without a spreadsheet's line `sep=;`, that line's number, and separators to try, the likeliest first."""
    declared = re.match(r"\"?sep=(.)\"?[^\S\r\n]*(\r\n|\r|\n|$)", text, re.IGNORECASE)
    if declared is None:
        return text, 0, SEPARATORS
    return text[declared.end() :], 1, tuple(dict.fromkeys((declared[1], *SEPARATORS)))


def _separator(text: str, separators: Sequence[str], wanted: dict[str, Sequence[str]]) -> str:
    """The separator under which the header has the most columns that are read."""
    first = next((line for line in text.splitlines() if line.strip(' ,;|\t"')), "")

    def _score(separator: str) -> tuple[int, int]:
        cells = next(csv.reader([first], delimiter=separator), [])
        found = read_header(cells, **wanted)
        return sum(map(bool, found.columns)), len(cells)

    return max(separators, key=_score)


def _rows(text: str, separator: str, file: Path, skipped: int) -> Iterator[tuple[int, list[str]]]:
    """The header and the rows, by line, without empty lines before the header."""
    lines = csv.reader(io.StringIO(text, newline=""), delimiter=separator, strict=True)
    try:
        for cells in lines:
            stripped = [cell.strip() for cell in cells]
            if any(stripped):
                yield lines.line_num, stripped
    except csv.Error as error:
        raise CorpusError(f"{file}, line {lines.line_num + skipped} is not valid CSV: {error}") from None


def _same_width(
    names: list[str], rows: list[tuple[int, list[str]]], separator: str, problems: Problems
) -> tuple[list[str], list[tuple[int, list[str]]]]:
    """Header and rows with as many cells, without those that a trailing separator makes.

    Rows with more or fewer cells are left out, and added to the problems.
    """
    while names and not names[-1] and all(len(cells) < len(names) or not cells[len(names) - 1] for _, cells in rows):
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
