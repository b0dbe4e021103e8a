"""Reading a table that a user wrote: its encoding, separator and columns are found out where they are unambiguous."""

import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

from ..errors import CorpusError
from .columns import Header, described, read_header
from .decoding import decoded
from .grid import Grid, read_grid
from .problems import Problems

__all__ = ["Line", "Table", "read_table"]

ONE_LINE = {"path", "speaker", "emotion", "session", "fold", "split", "start", "end", "utterance"}
"""Columns whose cells have no line breaks."""
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
    """Problems so far; checks of the cells add to them and refuse the table."""

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
    instead: Mapping[str, Sequence[str]] | None = None,
    exact: Collection[str] = (),
) -> Table:
    """Read the rows of a table, in the order of the file.

    Args:
        file: UTF-8, UTF-16 or Windows-1252, separated by comma, semicolon, tab, `|` or space; above the header may be a
            line `sep=;`, titles and comments.
        required: Columns that its header must have, as `read_header` takes them.
        optional: Columns that it may have.
        header: The expected header, as error messages show it.
        either: Columns of which a header has at least one.
        instead: Required column to those that may be there in its place, as `read_header` takes them.
        exact: Columns that are read under their documented name alone.

    Returns:
        The rows, and what is wrong with the header and the number of cells.

    Raises:
        CorpusError: The file cannot be read, is no text, or is empty.
    """
    try:
        text, encoding = decoded(file.read_bytes(), file)
    except OSError as error:
        raise CorpusError(f"{file} cannot be read: {error.strerror}") from None
    header_of = partial(read_header, required=required, optional=optional, either=either, instead=instead, exact=exact)

    def _score(cells: Sequence[str]) -> tuple[bool, int]:
        found = header_of(cells)
        return found.complete, sum(map(bool, found.columns))

    problems = Problems(file)
    grid = read_grid(text, score=_score, file=file, problems=problems)
    if grid is None:
        raise CorpusError(f"{file} is empty; expected the header {header}")
    found = header_of(grid.names)
    _note_header(found, grid, header, problems)
    if not grid.rows:
        problems.refuse()
        raise CorpusError(f"{file} has no rows below its header; expected one a recording")
    lines = [_line(number, found, cells) for number, cells in grid.rows]
    _note_broken_cells(lines, problems)
    return Table(
        file=file,
        columns=tuple(name for name in found.columns if name),
        lines=tuple(lines),
        ignored=tuple(
            described(grid.names[number], found.columns, (*required, *optional, *either)) for number in found.unread
        ),
        separator=grid.separator,
        encoding=encoding,
        problems=problems,
    )


def _note_header(found: Header, grid: Grid, header: str, problems: Problems) -> None:
    if any(_RECORDING.search(cell) for cell in grid.names):
        found = replace(found, problems=(f"is missing: this line is a row already; expected {header}",))
    for problem in found.problems:
        there = f"; expected {header}, but it has {', '.join(grid.names)}"
        problems.add(problem, grid.header_line, f"the header {problem}{'' if 'expected' in problem else there}")


def _note_broken_cells(lines: Sequence[Line], problems: Problems) -> None:
    for line in lines:
        for column in sorted(ONE_LINE & line.cells.keys()):
            if len(line.cells[column].splitlines()) > 1:
                sentence = f"the cell '{column}' has a line break; is a quote missing?"
                problems.add(f"break {column}", line.number, sentence)


def _line(number: int, header: Header, cells: Sequence[str]) -> Line:
    named = zip(header.columns, header.milliseconds, cells, strict=True)
    return Line(number, {column: f"{cell}ms" if ms and cell else cell for column, ms, cell in named if column})
