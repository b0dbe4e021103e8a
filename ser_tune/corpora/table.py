"""Reading a CSV that a user wrote: each row by column, each mistake by file and line."""

import csv
from collections.abc import Iterator, Sequence
from fnmatch import fnmatchcase
from pathlib import Path
from typing import TextIO

from ..errors import CorpusError

__all__ = ["read_table"]


def read_table(
    file: Path, *, required: Sequence[str], optional: Sequence[str], header: str, together: Sequence[str] = ()
) -> list[tuple[str, dict[str, str]]]:
    """Read the rows of a CSV in UTF-8, in the order of the file.

    Args:
        file: The CSV.
        required: Columns that its header must have.
        optional: Columns that it may have, or patterns of their names, such as `meta_?*`.
        header: The expected header, as error messages show it.
        together: Two columns of which a header has both or neither.

    Returns:
        For each row its file and line, for error messages, and its cells by column, without the spaces around them.

    Raises:
        CorpusError: The file, its header, or the number of cells of a line is not as described.
    """
    try:
        # The -sig codec also reads files without the mark that spreadsheets put first.
        with file.open(encoding="utf-8-sig", newline="") as lines:
            rows = list(_rows(lines, file, required, optional, header, together))
    except UnicodeDecodeError as error:
        raise CorpusError(f"{file} is not UTF-8 text: {error.reason} at byte {error.start}") from None
    except OSError as error:
        raise CorpusError(f"{file} cannot be read: {error.strerror}") from None
    if not rows:
        raise CorpusError(f"{file} has no rows below its header; expected one a recording")
    return rows


def _rows(
    text: TextIO,
    file: Path,
    required: Sequence[str],
    optional: Sequence[str],
    header: str,
    together: Sequence[str],
) -> Iterator[tuple[str, dict[str, str]]]:
    lines = csv.reader(text, strict=True)
    columns: list[str] = []
    try:
        for cells in lines:
            where = f"{file}, line {lines.line_num}"
            if not any(cell.strip() for cell in cells):
                continue  # an empty line
            if not columns:
                columns = _header(cells, where, required, optional, header)
                _refuse_single(columns, together, where)
                continue
            if len(cells) != len(columns):
                raise CorpusError(f"{where} has {len(cells)} cells; expected {len(columns)}: {','.join(columns)}")
            yield where, {column: cell.strip() for column, cell in zip(columns, cells, strict=True)}
    except csv.Error as error:
        raise CorpusError(f"{file}, line {lines.line_num} is not valid CSV: {error}") from None
    if not columns:
        raise CorpusError(f"{file} is empty; expected the header {header}")


def _header(
    cells: Sequence[str], where: str, required: Sequence[str], optional: Sequence[str], header: str
) -> list[str]:
    columns = [cell.strip() for cell in cells]
    problems = {
        "lacks": [column for column in required if column not in columns],
        "has unknown": [
            column for column in columns if not any(fnmatchcase(column, known) for known in (*required, *optional))
        ],
        "repeats": sorted({column for column in columns if columns.count(column) > 1}),
    }
    for problem, names in problems.items():
        if names:
            listed = ", ".join(f"'{name}'" for name in names)
            raise CorpusError(f"{where}: the header {problem} column(s) {listed}; expected {header}")
    return columns


def _refuse_single(columns: Sequence[str], together: Sequence[str], where: str) -> None:
    there, lacking = ([one for one in together if (one in columns) == present] for present in (True, False))
    if there and lacking:
        raise CorpusError(f"{where}: the header has '{there[0]}' without '{lacking[0]}'; expected both or neither")
