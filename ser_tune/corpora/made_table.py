"""A table of a user's recordings that a program made: its rows, and what is left out of them."""

import csv
import io
import os
import unicodedata
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from ..errors import CorpusError
from .name_pattern import AUDIO_ENDINGS

__all__ = ["MadeTable", "absolute", "default_table", "folder_of", "is_nameable", "other_files", "write_table"]


@dataclass(frozen=True, slots=True)
class MadeTable:
    """The rows of a table, and the files that none of them names."""

    columns: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    """The cells of each recording, its path first, relative to the table's folder."""
    unread: tuple[str, ...]
    """Fields of the pattern that no column has, in order."""
    unlike: tuple[Path, ...]
    """Recordings whose names the pattern does not describe, or with an empty field, relative to the folder."""
    ambiguous: tuple[Path, ...]
    """Recordings whose names it describes in several ways, relative to the folder."""
    unusable: tuple[Path, ...]
    """Links to no file, and recordings whose paths no table can have, relative to the folder."""
    dropped: Mapping[str, int]
    """Emotion that the mapping leaves out to its number of recordings, sorted."""
    others: Mapping[str, int]
    """Ending of other files to their number, sorted."""
    understood: Mapping[str, str] = field(default_factory=dict)
    """Column to where its cells come from, in words; empty where a pattern has the columns."""
    remarks: tuple[str, ...] = ()
    """Sentences on what else is left out."""

    @property
    def text(self) -> str:
        """The table as CSV."""
        written = io.StringIO()
        csv.writer(written, lineterminator="\n").writerows([self.columns, *self.rows])
        return written.getvalue()


def default_table(folder: Path) -> Path:
    """The table beside a folder, called by its name."""
    place = absolute(folder)
    return place.with_name(f"{place.name}.csv")


def folder_of(table: Path, folder: Path) -> Path:
    """The absolute folder of a table of the recordings in `folder`: that folder, or above it.

    Raises:
        CorpusError: It is another folder, or the table is called like a recording.
    """
    start = absolute(table).parent
    if table.suffix.lower() in AUDIO_ENDINGS:
        raise CorpusError(f"'{table}' is called like a recording; expected a table, such as {default_table(folder)}")
    if not absolute(folder).is_relative_to(start):
        raise CorpusError(
            f"'{table}' is not in '{folder}' or above it; expected a table that is, such as {default_table(folder)}"
        )
    return start


def write_table(table: Path, made: MadeTable, *, overwrite: bool = False) -> None:
    """Write a table.

    Args:
        table: The file.
        made: Its rows.
        overwrite: Replace a file with other content.

    Raises:
        CorpusError: There is another file, or none can be written.
    """
    try:
        if table.exists() and not overwrite and table.read_bytes() != made.text.encode():
            raise CorpusError(
                f"'{table}' exists with other content; pass --overwrite to replace it, or name another with --out FILE"
            )
        table.write_bytes(made.text.encode())
    except OSError as error:
        raise CorpusError(f"'{table}' cannot be written: {error.strerror}") from None


def absolute(path: Path) -> Path:
    """A path from the root, without `..`; links stay where there is none."""
    return path.resolve() if ".." in path.parts else path.absolute()


def is_nameable(path: str) -> bool:
    """Whether a table can have a path: it is UTF-8 without control characters and line ends."""
    return not any(unicodedata.category(letter) in ("Cc", "Cs", "Zl", "Zp") for letter in path)


def other_files(folder: Path, table: Path) -> Mapping[str, int]:
    """Count the files that are no recordings by their endings; without hidden ones and the table."""
    endings = Counter[str]()
    for place, folders, files in os.walk(folder):
        folders[:] = [name for name in folders if not name.startswith(".")]
        for name in files:
            path = Path(place, name)
            if name[0] != "." and path.suffix.lower() not in AUDIO_ENDINGS and path.absolute() != table.absolute():
                endings[path.suffix.lower() or "no ending"] += 1
    return dict(sorted(endings.items()))
