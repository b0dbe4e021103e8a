"""Printing: results to standard output, the rest to standard error; plain lines where nobody watches."""

import json
import sys
from collections.abc import Iterable, Mapping, Sequence
from typing import TextIO

from rich.console import Console
from rich.table import Table

__all__ = ["notes", "print_json", "print_table", "print_warnings", "results"]

PLAIN_WIDTH = 10_000
"""Columns where the output is not a terminal: nothing is wrapped or cut."""

results = Console(width=None if sys.stdout.isatty() else PLAIN_WIDTH, highlight=False)
notes = Console(stderr=True, width=None if sys.stderr.isatty() else PLAIN_WIDTH, highlight=False)


def print_table(columns: Sequence[str], rows: Sequence[Sequence[str]], *, file: TextIO | None = None) -> None:
    """A table without lines around it, so that it reads the same in a file."""
    table = Table(box=None, pad_edge=False, header_style="bold")
    for column in columns:
        table.add_column(column, overflow="fold")
    for row in rows:
        table.add_row(*row)
    if results.is_terminal and file in (None, sys.stdout):
        results.print(table, markup=False)
        return
    console = results if file in (None, sys.stdout) else Console(file=file, width=PLAIN_WIDTH)
    with console.capture() as capture:
        console.print(table, markup=False)
    (file or sys.stdout).write("".join(f"{line.rstrip()}\n" for line in capture.get().splitlines()))


def print_warnings(warnings: Iterable[str]) -> None:
    """Print what limits the meaning of the scores above, each warning once."""
    for warning in dict.fromkeys(warnings):
        results.print(f"warning: {warning}", markup=False)


def print_json(value: Sequence[Mapping[str, object]]) -> None:
    """Indented JSON."""
    sys.stdout.write(json.dumps(value, indent=2, default=str) + "\n")
