"""Any corpus at all, from a CSV.

Its header is `path,speaker,emotion[,session][,start,end][,text][,gender][,meta_NAME]`.
"""

import math
import os
from collections.abc import Mapping, Sequence
from pathlib import Path

from ..errors import CorpusError
from .base import CorpusSource, Utterance, normalised_text
from .table import read_table

__all__ = ["ALLOWED_FOLDERS", "CORPUS", "OPTIONAL_COLUMNS", "REQUIRED_COLUMNS"]

ALLOWED_FOLDERS = "SER_TUNE_MANIFEST_PATHS"
"""Environment variable: folders, separated as in PATH, whose recordings a manifest may name beside its own folder's."""
REQUIRED_COLUMNS = ("path", "speaker", "emotion")
OPTIONAL_COLUMNS = ("session", "start", "end", "text", "gender")
META = "meta_"
"""Start of the names of any further columns, by which `ser-tune evaluate --by NAME` groups scores."""
_HEADER = "path,speaker,emotion[,session][,start,end][,text][,gender][,meta_NAME]"


def read(data: Path | None, cache: Path) -> Sequence[Utterance]:
    """Read one utterance a line, in the order of the file.

    Args:
        data: The CSV, in UTF-8; its relative paths start at its own folder. After symbolic links are followed, its
            recordings lie below that folder, or below one of `SER_TUNE_MANIFEST_PATHS`: a manifest of somebody else
            reads nothing else of this machine.
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
    rows = read_table(
        data,
        required=REQUIRED_COLUMNS,
        optional=(*OPTIONAL_COLUMNS, f"{META}?*"),
        header=_HEADER,
        together=("start", "end"),
    )
    told = [Path(one) for one in os.environ.get(ALLOWED_FOLDERS, "").split(os.pathsep) if one]
    allowed = [one.resolve() for one in (data.parent, *told)]
    return [_utterance(row, data.parent, allowed, where) for where, row in rows]


def _utterance(row: Mapping[str, str], folder: Path, allowed: Sequence[Path], where: str) -> Utterance:
    for column in (*REQUIRED_COLUMNS, *(["session"] if "session" in row else [])):
        if not row[column]:
            raise CorpusError(f"{where}: the cell '{column}' is empty; expected a value in every row")
    path = folder / row["path"]  # an absolute path stays as it is
    try:
        real = path.resolve()
        found = real.is_file()
    except OSError as error:  # a name that no file can have
        raise CorpusError(f"{where}: '{row['path'][:100]}…' is not a file: {error.strerror}") from None
    except (RuntimeError, ValueError):  # a loop of links, a null byte
        raise CorpusError(f"{where}: '{row['path']}' is not a file; expected a path relative to '{folder}'") from None
    if not any(real.is_relative_to(one) for one in allowed):
        raise CorpusError(
            f"{where}: '{row['path']}' is outside the manifest's folder '{folder}'; write the manifest there, or allow "
            f"the recordings' folder with the environment variable {ALLOWED_FOLDERS}={real.parent}"
        )
    if not found:
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
