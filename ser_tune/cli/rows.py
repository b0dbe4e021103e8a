"""Rows of a table that are printed as they come, to standard output or a file, which appears when it is complete."""

import csv
import glob
import json
import os
import sys
import textwrap
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TextIO

import psutil  # type: ignore[import-untyped]

from ..errors import ConfigError
from ..markdown import markdown_table
from ..spreadsheets import safe_cell
from .console import print_table, shown

__all__ = ["Rows", "print_csv", "print_rows", "refuse_no_file", "written"]


def print_csv(columns: Sequence[str], rows: Iterable[Mapping[str, object]], file: TextIO | None = None) -> None:
    """Write a whole table as CSV, by default to standard output; cells are escaped so that none becomes a formula."""
    table = csv.writer(shown(file or sys.stdout), lineterminator="\n")
    table.writerow(map(safe_cell, columns))
    table.writerows([safe_cell(row[column]) for column in columns] for row in rows)


def print_rows(columns: Sequence[str], rows: Sequence[Sequence[str]], form: str) -> None:
    """Print a table for people, in Markdown if that is the form."""
    if form == "markdown":
        shown(sys.stdout).write(markdown_table(columns, rows) + "\n")
    else:
        print_table(columns, rows)


class Rows:
    """CSV and JSON are written row by row, a table at the end, because its columns are as wide as its longest cell."""

    def __init__(self, form: str, columns: Sequence[str], file: TextIO) -> None:
        """Write nothing yet.

        Args:
            form: `table`, `csv` or `json`.
            columns: Keys of every row.
            file: Where to write.
        """
        self._form, self._columns, self._file = form, columns, file
        self._count = 0
        self._cells: list[list[str]] = []

    def add(self, row: Mapping[str, object], cells: Sequence[str]) -> None:
        """Write or keep a row.

        Args:
            row: As CSV and JSON have it.
            cells: As a table has it.
        """
        if self._form == "table":
            self._cells.append(list(cells))
        elif self._form == "csv":
            table = csv.writer(shown(self._file), lineterminator="\n")
            if not self._count:
                table.writerow(map(safe_cell, self._columns))
            table.writerow([safe_cell(row[column]) for column in self._columns])
        else:
            self._file.write(",\n" if self._count else "[\n")
            self._file.write(textwrap.indent(json.dumps(row, indent=2), "  "))
        self._count += 1

    def end(self) -> None:
        """Write the table, or JSON's last bracket."""
        if self._form == "table":
            print_table(self._columns, self._cells, file=self._file)
        elif self._form == "json":
            self._file.write("\n]\n" if self._count else "[]\n")
        elif not self._count:
            print_csv(self._columns, [], self._file)


def refuse_no_file(path: Path | None, option: str) -> None:
    """Refuse a path that `written` cannot write, before the work whose result is written.

    Args:
        path: The file; None is none.
        option: Which option names it.

    Raises:
        ConfigError: It is a folder, or its folder does not exist.
    """
    if path is not None and (path.is_dir() or not path.parent.is_dir()):
        raise ConfigError(f"{option} is '{path}'; expected a file's name in an existing folder")


@contextmanager
def written(out: Path | None, option: str = "--out") -> Iterator[TextIO]:
    """Standard output, or a file that appears when the context ends without an error.

    Args:
        out: The file; None is standard output.
        option: Which option names it, for the error message.

    Raises:
        ConfigError: The file's folder does not exist, or cannot be written.
    """
    if out is None:
        yield sys.stdout
        return
    refuse_no_file(out, option)
    _sweep(out)
    part = out.with_name(f".{out.name}.{os.getpid()}")
    try:
        try:
            file = part.open("w", encoding="utf-8", newline="")
        except OSError as error:
            raise ConfigError(f"{option} is '{out}', which cannot be written: {error.strerror}") from None
        with file:
            yield file
        part.replace(out)
    finally:
        part.unlink(missing_ok=True)


def _sweep(out: Path) -> None:
    """Remove what processes left that were killed while they wrote this file."""
    for part in out.parent.glob(f".{glob.escape(out.name)}.*"):
        number = part.name.rpartition(".")[2]
        if number.isdigit() and not psutil.pid_exists(int(number)):
            part.unlink(missing_ok=True)
