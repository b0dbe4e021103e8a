"""Rows of a table that are printed as they come, to standard output or a file."""

import csv
import json
import os
import sys
import textwrap
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TextIO

from ..errors import ConfigError
from .console import print_table

__all__ = ["Rows", "written"]


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
            table = csv.DictWriter(self._file, fieldnames=self._columns, lineterminator="\n")
            if not self._count:
                table.writeheader()
            table.writerow(row)
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
            csv.DictWriter(self._file, fieldnames=self._columns, lineterminator="\n").writeheader()


@contextmanager
def written(out: Path | None) -> Iterator[TextIO]:
    """Standard output, or a file that appears when the context ends without an error.

    Raises:
        ConfigError: The file's folder does not exist.
    """
    if out is None:
        yield sys.stdout
        return
    if not out.parent.is_dir() or out.is_dir():
        raise ConfigError(f"--out is '{out}'; expected a file in an existing folder")
    part = out.with_name(f".{out.name}.{os.getpid()}")
    try:
        with part.open("w", encoding="utf-8", newline="") as file:
            yield file
        part.replace(out)
    finally:
        part.unlink(missing_ok=True)
