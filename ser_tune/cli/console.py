"""Print results to standard output, the rest to standard error; without a terminal, in plain lines."""

import json
import logging
import sys
import unicodedata
from collections.abc import Iterable, Mapping, Sequence
from itertools import zip_longest
from pathlib import Path
from typing import Any, TextIO

from rich.cells import cell_len, set_cell_size
from rich.console import Console
from rich.table import Table
from rich.text import Text

__all__ = [
    "escaped",
    "notes",
    "prepare_streams",
    "print_json",
    "print_table",
    "print_warnings",
    "results",
    "shortest",
    "shown",
]

PLAIN_WIDTH = 10_000
"""Columns where the output is not a terminal: nothing is wrapped or cut."""
COMMANDS = frozenset({"Cc", "Cf", "Cs", "Zl", "Zp"})
"""Unicode categories that a terminal obeys instead of showing: controls, directions, line ends."""
JOINERS = frozenset("\u200c\u200d")
"""Characters of these categories that are part of words (Persian) and of emoji."""


def escaped(text: str, keep: str = "") -> str:
    r"""Text with control characters as escape sequences, so that no name can move a terminal's cursor.

    >>> escaped("anna\x1b[2J"), escaped("a\nb"), escaped("schön 😀")
    ('anna\\x1b[2J', 'a\\nb', 'schön 😀')

    Args:
        text: Perhaps with names from data.
        keep: Characters that are left as they are, such as line ends between rows.
    """
    if text.isprintable():
        return text
    return "".join(repr(letter)[1:-1] if _is_command(letter) and letter not in keep else letter for letter in text)


def _is_command(character: str) -> bool:
    return unicodedata.category(character) in COMMANDS and character not in JOINERS


class _SafeConsole(Console):
    """Rich's console, which shows control characters of strings escaped, except for line ends at the edges."""

    def render_str(self, text: str, **how: Any) -> Text:  # noqa: ANN401 - Rich's
        """Every printed string and every cell of a table passes here."""
        start = len(text) - len(text.lstrip("\n"))
        return super().render_str(text[:start] + escaped(text[start:]), **how)


results = _SafeConsole(width=None if sys.stdout.isatty() else PLAIN_WIDTH, highlight=False, markup=False)
notes = _SafeConsole(stderr=True, width=None if sys.stderr.isatty() else PLAIN_WIDTH, highlight=False, markup=False)


class _SafeLines(logging.Formatter):
    """Log records as they are, with control characters escaped."""

    def format(self, record: logging.LogRecord) -> str:
        """The record's text; a traceback keeps its lines."""
        return escaped(super().format(record), keep="\n" if record.exc_info else "")


def prepare_streams() -> None:
    """Have standard streams replace what they cannot encode, and log records show control characters escaped."""
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):  # not so where a test or a notebook put something else there
            stream.reconfigure(errors="backslashreplace")
    if logging.lastResort is not None:  # what prints warnings where no program has configured logging
        logging.lastResort.setFormatter(_SafeLines())


class _SafeStream:
    """A terminal that shows control characters escaped, except for line ends."""

    def __init__(self, file: TextIO) -> None:
        self._file = file

    def write(self, text: str) -> int:
        """As a file's."""
        return self._file.write(escaped(text, keep="\n"))

    def __getattr__(self, name: str) -> Any:  # noqa: ANN401 - whatever the terminal has
        return getattr(self._file, name)


def shown(file: TextIO) -> TextIO:
    """The same file; of a terminal, a view that escapes control characters. For text that programs read exactly."""
    return _SafeStream(file) if file.isatty() else file  # type: ignore[return-value]


def print_table(columns: Sequence[str], rows: Sequence[Sequence[str]], *, file: TextIO | None = None) -> None:
    """A table without lines around it, so that it reads the same in a file."""
    titles, cells = [escaped(column) for column in columns], [[escaped(cell) for cell in row] for row in rows]
    if not (results.is_terminal and file in (None, sys.stdout)):
        (file or sys.stdout).write(_plain_table([titles, *cells]))
        return
    table = Table(box=None, pad_edge=False, header_style="bold")
    for title in titles:
        table.add_column(title, overflow="fold")
    for row in cells:
        table.add_row(*row)
    results.print(table)


def _plain_table(rows: Sequence[Sequence[str]]) -> str:
    """Lines of columns that are two blanks apart, as Rich's table without a terminal, in a hundredth of its time."""
    widths = [max(map(cell_len, column)) for column in zip_longest(*rows, fillvalue="")]
    lines = ("  ".join(set_cell_size(cell, width) for cell, width in zip(row, widths, strict=False)) for row in rows)
    return "".join(f"{line.rstrip()}\n" for line in lines)


def print_warnings(warnings: Iterable[str]) -> None:
    """Print what limits the meaning of the scores above, each warning once."""
    for warning in dict.fromkeys(warnings):
        results.print(f"warning: {warning}")


def print_json(value: Sequence[Mapping[str, object]]) -> None:
    """Indented JSON."""
    sys.stdout.write(json.dumps(value, indent=2, default=str) + "\n")


def shortest(path: Path) -> str:
    """The path relative to the working folder if it lies inside, otherwise the path as given."""
    here = Path.cwd()
    return str(path.relative_to(here) if path.is_relative_to(here) else path)
