"""Any corpus at all, from a table.

Its header is `path,speaker,emotion` and further columns; without `emotion` it has `votes_NAME`, `emotions`, or columns
of dimensions.
"""

import os
import shlex
from collections import defaultdict
from collections.abc import Sequence
from functools import cache
from pathlib import Path

from ..errors import CorpusError
from .base import CorpusSource
from .label_columns import COLUMNS as LABEL_COLUMNS
from .label_columns import SPLIT, LabelColumns
from .paths import FileFinder, foreign_path, posix_path
from .problems import Problems
from .selection import Subset
from .stretches import Stretches
from .table import Line, Table, read_table
from .utterance import Utterance, normalised_text

__all__ = ["ALLOWED_FOLDERS", "CORPUS", "OPTIONAL_COLUMNS", "REQUIRED_COLUMNS", "allowed_folders"]

ALLOWED_FOLDERS = "SER_TUNE_MANIFEST_PATHS"
"""Environment variable: folders, separated as in PATH, whose recordings a manifest may name beside its own folder's."""
REQUIRED_COLUMNS = ("path", "speaker", "emotion")
"""Any of `LABEL_COLUMNS` may be there in place of the emotion."""
OPTIONAL_COLUMNS = ("session", "start", "end", "duration", "text", "gender", "language", SPLIT)
META = "meta_"
"""Start of the names of any further columns, by which `ser-tune evaluate --by NAME` groups scores."""
_HEADER = (
    "path,speaker,emotion[,emotions][,votes_NAME][,arousal][,valence][,dominance][,target_NAME][,split][,session]"
    "[,start,end][,text][,gender][,language][,meta_NAME]"
)


def allowed_folders() -> tuple[Path, ...]:
    """The folders of `SER_TUNE_MANIFEST_PATHS`, absolute."""
    return tuple(Path(name).absolute() for name in os.environ.get(ALLOWED_FOLDERS, "").split(os.pathsep) if name)


def read(data: Path | None, cache: Path, folders: Sequence[Path] = ()) -> Sequence[Utterance]:
    """Read one utterance a line, in the order of the file.

    Args:
        data: The table; its relative paths start at its own folder. After symbolic links are followed, its recordings
            lie below that folder, or below one of `folders`, or of `SER_TUNE_MANIFEST_PATHS`: a manifest of somebody
            else reads nothing else of this machine.
        cache: Not used; every reader is handed it.
        folders: As above.

    Returns:
        Utterances called by their path as written, and `[start-end]` where a stretch in seconds is given. Their texts
        are compared without case and punctuation; an empty cell is a text that is not known. The emotion may be empty
        where the table has other labels, and in test sets, whose labels may be withheld.

    Raises:
        CorpusError: The file, its header, or lines of it are not as described; the message has all problems.
    """
    table = _read(data)
    reader = _Reader(table, (table.file.parent, *folders, *allowed_folders()))
    utterances = [utterance for line in table.lines if (utterance := reader.utterance(line)) is not None]
    reader.refuse()
    return utterances


def remarks(data: Path | None) -> Sequence[str]:
    """Sentences on how the table was read that its owner should check."""
    return [] if data is None else [f"{data}: {remark}" for remark in _read(data).remarks]


def _read(data: Path | None) -> Table:
    if data is None:
        raise CorpusError(f"corpus manifest needs its table; pass --data FILE, a CSV with the header {_HEADER}")
    if data.is_dir():
        raise CorpusError(f"corpus manifest: '{data}' is a folder; expected the CSV file itself")
    if not data.is_file():
        raise CorpusError(f"corpus manifest: '{data}' does not exist; expected a CSV with the header {_HEADER}")
    return read_table(
        data,
        required=REQUIRED_COLUMNS,
        optional=(*OPTIONAL_COLUMNS, *LABEL_COLUMNS, f"{META}?*"),
        header=_HEADER,
        instead={"emotion": LABEL_COLUMNS},
        exact=(SPLIT,),
    )


class _Reader:
    """Converts lines to utterances, and collects problems of the lines."""

    def __init__(self, table: Table, allowed: Sequence[Path]) -> None:
        self.table = table
        self.problems: Problems = table.problems
        self.files = FileFinder(table.file.parent)
        self._folder = cache(Path.resolve)
        self.allowed = [folder.resolve() for folder in allowed]
        self.stretches = Stretches(table)
        self.labels = LabelColumns(table)
        self.outside: list[tuple[int, str, Path]] = []
        """Line, path as written, and file of the recordings that are in no allowed folder."""

    def utterance(self, line: Line) -> Utterance | None:
        """The utterance of a line; None where something is wrong with it."""
        cells, before = line.cells, len(self.problems) + len(self.outside)
        annotation, side = self.labels.annotation(line), self.labels.side(line)
        needless = {"emotion"} if self.labels or side.startswith("test") else set()
        for column in (*REQUIRED_COLUMNS, "session"):
            if column not in needless and cells.get(column) == "":
                sentence = f"the cell '{column}' is empty; expected a value in every row"
                self.problems.add(f"empty {column}", line.number, sentence)
        path = self._file(line) if cells.get("path") else None
        stretch = self.stretches.of(line)
        if path is None or stretch is None or len(self.problems) + len(self.outside) > before:
            return None
        if not set(REQUIRED_COLUMNS) - needless <= set(cells):
            return None
        as_written = path == self.table.file.parent / cells["path"]
        name = cells["path"] if as_written else posix_path(cells["path"])
        return Utterance(
            id=f"{name}{stretch.name}",
            path=path,
            speaker=cells["speaker"],
            emotion=cells.get("emotion", ""),
            group=cells.get("session", ""),
            start_s=stretch.start_s,
            end_s=stretch.end_s,
            text=normalised_text(cells.get("text", "")),
            attributes=tuple(
                (column.removeprefix(META), value)
                for column, value in cells.items()
                if value and (column == "gender" or column.startswith(META))
            ),
            annotation=annotation,
            split=side,
            language=cells.get("language", "").casefold(),
        )

    def _file(self, line: Line) -> Path | None:
        """The file of a line, where it is one and is in an allowed folder."""
        written = line.cells["path"]
        expected = f"expected a path relative to '{self.files.folder}'"
        if why := foreign_path(written):
            self.problems.add(why, line.number, f"'{written}' {why}")
            return None
        try:
            path = self.files.find(written)
            real = self._resolved(path)
            found = real.is_file()
        except OSError as error:  # a name that no file can have
            self.problems.add("path", line.number, f"'{written[:100]}…' is not a file: {error.strerror}")
            return None
        except (RuntimeError, ValueError):  # a loop of links, a null byte
            self.problems.add("path", line.number, f"'{written}' is not a file; {expected}")
            return None
        if not any(real.is_relative_to(folder) for folder in self.allowed):
            self.outside.append((line.number, written, real))
            return None
        if not found:
            self.problems.add("path", line.number, f"'{written}' is not a file; {expected}")
            return None
        return path

    def _resolved(self, path: Path) -> Path:
        """The path without symbolic links; the links of a folder are followed once for all of its files."""
        if path.name == ".." or path.is_symlink():
            return path.resolve()
        folder: Path = self._folder(path.parent)
        return folder / path.name

    def refuse(self) -> None:
        """Raise where anything is wrong.

        Raises:
            CorpusError: Names all problems.
        """
        if self.outside:
            folder = _common_folder([real.parent for _, _, real in self.outside])
            value = os.pathsep.join([*map(str, allowed_folders()), folder])
            hint = (
                "write the manifest there, or allow the recordings' folder with the environment variable "
                f"{ALLOWED_FOLDERS}={shlex.quote(value)}"
            )
            for number, written, _ in self.outside:
                sentence = f"'{written}' is outside the manifest's folder '{self.files.folder}'; {hint}"
                self.problems.add("outside", number, sentence)
        self.problems.refuse()


def _common_folder(folders: Sequence[Path]) -> str:
    """The folders' common root; where that is the root of the disk, the folders below it, separated as in PATH."""
    unique = sorted(set(folders))
    root = Path(os.path.commonpath(unique))
    if root != Path(root.anchor):
        return str(root)
    tops = defaultdict[str, list[Path]](list)
    for folder in unique:
        tops[folder.parts[1] if len(folder.parts) > 1 else ""].append(folder)
    return os.pathsep.join(os.path.commonpath(below) for below in tops.values())


CORPUS = CorpusSource(
    name="manifest",
    read=read,
    read_allowing=read,
    remarks=remarks,
    citation="the user's own data",
    licence="as its owner says",
    subsets={
        "all": Subset("every utterance"),
        "heard": Subset("the emotion with most votes, ties left out", by_plurality=True),
        "votes": Subset("votes of annotators", defaults={"task.name": "distribution"}),
        "dimensions": Subset("every dimension of the table", defaults={"task.name": "dimensions"}),
        "several": Subset(
            "several emotions, of the column `emotions` or of votes", defaults={"task.name": "multilabel"}
        ),
    },
)
