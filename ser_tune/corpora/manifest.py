"""Any corpus at all, from a CSV.

Its header is `path,speaker,emotion[,session][,start,end][,text][,gender][,meta_NAME]`.
"""

import csv
import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TextIO

from ..errors import CorpusError
from .base import CorpusSource, Utterance, normalised_text

__all__ = ["CORPUS", "OPTIONAL_COLUMNS", "REQUIRED_COLUMNS"]

REQUIRED_COLUMNS = ("path", "speaker", "emotion")
OPTIONAL_COLUMNS = ("session", "start", "end", "text", "gender")
META = "meta_"
"""Start of the names of any further columns, by which `ser-tune evaluate --by NAME` groups scores."""
_HEADER = "path,speaker,emotion[,session][,start,end][,text][,gender][,meta_NAME]"


def read(data: Path | None, cache: Path) -> Sequence[Utterance]:
    """Read one utterance a line, in the order of the file.

    Args:
        data: The CSV, in UTF-8; its relative paths start at its own folder.
        cache: Not used; every reader is handed it.

    Returns:
        Utterances called by their path as written, and `[start-end]` where a stretch in seconds is given. Their texts
        are compared without case and punctuation; an empty cell is a text that is not known.

    Raises:
        CorpusError: The file, its header, or a line of it is not as described.
    """
    if data is None:
        raise CorpusError(f"corpus manifest needs its table; pass --data FILE, a CSV with the header {_HEADER}")
    if data.is_dir():
        raise CorpusError(f"corpus manifest: '{data}' is a folder; expected the CSV file itself")
    if not data.is_file():
        raise CorpusError(f"corpus manifest: '{data}' does not exist; expected a CSV with the header {_HEADER}")
    try:
        # The -sig codec also reads files without the mark that spreadsheets put first.
        with data.open(encoding="utf-8-sig", newline="") as file:
            return _rows(file, data)
    except UnicodeDecodeError as error:
        raise CorpusError(f"{data} is not UTF-8 text: {error.reason} at byte {error.start}") from None
    except OSError as error:
        raise CorpusError(f"{data} cannot be read: {error.strerror}") from None


def _rows(file: TextIO, data: Path) -> list[Utterance]:
    """Check the header, then turn each line into an utterance."""
    lines = csv.reader(file, strict=True)
    columns: list[str] = []
    utterances = []
    try:
        for cells in lines:
            where = f"{data}, line {lines.line_num}"
            if not any(cell.strip() for cell in cells):
                continue  # an empty line
            if not columns:
                columns = _header(cells, where)
                continue
            if len(cells) != len(columns):
                raise CorpusError(f"{where} has {len(cells)} cells; expected {len(columns)}: {','.join(columns)}")
            row = {column: cell.strip() for column, cell in zip(columns, cells, strict=True)}
            utterances.append(_utterance(row, data.parent, where))
    except csv.Error as error:
        raise CorpusError(f"{data}, line {lines.line_num} is not valid CSV: {error}") from None
    if not columns:
        raise CorpusError(f"{data} is empty; expected the header {_HEADER}")
    if not utterances:
        raise CorpusError(f"{data} has no rows below its header; expected one a recording")
    return utterances


def _header(cells: Sequence[str], where: str) -> list[str]:
    columns = [cell.strip() for cell in cells]
    problems = {
        "lacks": [column for column in REQUIRED_COLUMNS if column not in columns],
        "has unknown": [column for column in columns if not _is_known(column)],
        "repeats": sorted({column for column in columns if columns.count(column) > 1}),
    }
    for problem, names in problems.items():
        if names:
            listed = ", ".join(f"'{name}'" for name in names)
            raise CorpusError(f"{where}: the header {problem} column(s) {listed}; expected {_HEADER}")
    if ("start" in columns) != ("end" in columns):
        there, lacking = ("start", "end") if "start" in columns else ("end", "start")
        raise CorpusError(f"{where}: the header has '{there}' without '{lacking}'; expected both or neither")
    return columns


def _is_known(column: str) -> bool:
    return column in REQUIRED_COLUMNS + OPTIONAL_COLUMNS or (column.startswith(META) and column != META)


def _utterance(row: Mapping[str, str], folder: Path, where: str) -> Utterance:
    for column in (*REQUIRED_COLUMNS, *(["session"] if "session" in row else [])):
        if not row[column]:
            raise CorpusError(f"{where}: the cell '{column}' is empty; expected a value in every row")
    path = folder / row["path"]  # an absolute path stays as it is
    if not path.is_file():
        raise CorpusError(f"{where}: '{row['path']}' is not a file; expected a path relative to '{folder}'")
    start, end = row.get("start", ""), row.get("end", "")
    if bool(start) != bool(end):
        given, lacking = ("start", "end") if start else ("end", "start")
        raise CorpusError(f"{where}: '{given}' is {start or end} but '{lacking}' is empty; expected both or neither")
    stretch = (_seconds(start, "start", where), _seconds(end, "end", where)) if start else (0.0, None)
    if stretch[1] is not None and stretch[1] <= stretch[0]:
        raise CorpusError(f"{where}: 'end' is {end}; expected more than 'start', which is {start}")
    return Utterance(
        id=f"{row['path']}[{start}-{end}]" if start else row["path"],
        path=path,
        speaker=row["speaker"],
        emotion=row["emotion"],
        group=row.get("session", ""),
        start_s=stretch[0],
        end_s=stretch[1],
        text=normalised_text(row.get("text", "")),
        attributes=tuple(
            (column.removeprefix(META), value)
            for column, value in row.items()
            if value and (column == "gender" or column.startswith(META))
        ),
    )


def _seconds(text: str, column: str, where: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not (math.isfinite(value) and value >= 0):
        raise CorpusError(f"{where}: '{column}' is '{text}'; expected a number of seconds, 0 or more")
    return value


CORPUS = CorpusSource(
    name="manifest",
    read=read,
    citation="the user's own data",
    licence="as its owner says",
)
