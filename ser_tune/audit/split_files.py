"""The files of a split: named by the user, matched by a pattern, or contained in a folder."""

import glob
import os
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path

from ..errors import CorpusError
from .split import side_named

__all__ = ["JSON", "SplitFile", "base_of", "files_of", "is_further_part", "recordings_in", "side_in_path"]

JSON, TABLES = (".jsonl", ".json"), (".csv", ".tsv")
SOUND = (".wav", ".flac", ".mp3", ".ogg", ".opus", ".aiff", ".aif")
_SIDES = "training|train|validation|valid|val|development|devel|dev|testing|test|evaluation|eval"
_SIDE = re.compile(rf"(?:^|[^A-Za-z])({_SIDES})\d*(?=[^A-Za-z]|$)", re.IGNORECASE)
_FOLD = re.compile(r"(?:fold|session)[_-]?(\d+)", re.IGNORECASE)
_SHARD = re.compile(r"-\d+-of-\d+$")
_HUB = "metadata"
"""Name of Hugging Face's tables, whose paths start at their own folder."""


@dataclass(frozen=True, slots=True)
class SplitFile:
    """A file with rows of a split."""

    path: Path
    fold: str
    """As its name or its folder's has it; empty where they have none. So is the side."""
    side: str
    own_base: bool
    """Whether paths start at its own folder, wherever the other recordings are."""

    @classmethod
    def of(cls, path: Path) -> "SplitFile":
        """Read the names of a file and its folder."""
        fold = _FOLD.search(path.stem) or _FOLD.search(path.parent.name)
        hub = path.stem.casefold() == _HUB
        sides = {side_named(found) or "" for found in _SIDE.findall(path.stem)}
        side = sides.pop() if len(sides) == 1 else ""  # a name of several sides names none
        return cls(path, fold[1] if fold else "", side or (side_named(path.parent.name) or "" if hub else ""), hub)


def files_of(paths: Sequence[Path]) -> list[SplitFile]:
    """The files that arguments name.

    Args:
        paths: Files, folders, or patterns such as `splits/*.csv`.

    Returns:
        Empty where folders hold recordings alone, in folders named train and test.

    Raises:
        CorpusError: There is no such file, or a folder has none.
    """
    files: list[Path] = []
    for path in paths:
        if path.is_dir():
            files += _in_folder(path)
        elif path.exists():
            files.append(path)
        elif glob.has_magic(str(path)):
            if not (found := sorted(glob.glob(str(path), recursive=True))):  # noqa: PTH207 - may start anywhere
                raise CorpusError(f"no file matches '{path}'")
            files += [Path(name) for name in found if Path(name).is_file()]
        else:
            raise CorpusError(f"'{path}' does not exist; expected a CSV, a file of JSON, a folder or a pattern")
    return [SplitFile.of(file) for file in dict.fromkeys(files)]


def _in_folder(folder: Path) -> list[Path]:
    """The files of a folder that are of sides; without any, those of folds, or its one table."""
    visible = [
        path for path in sorted(folder.rglob("*")) if not any(part[0] == "." for part in path.relative_to(folder).parts)
    ]
    known = [path for path in visible if path.suffix.lower() in (*JSON, *TABLES) and path.is_file()]
    sided = [path for path in known if SplitFile.of(path).side]
    lines, tables = ([path for path in sided if path.suffix.lower() in kinds] for kinds in (JSON[:1], TABLES))
    if lines:  # EmoBox has every file in both forms of JSON
        return lines + tables
    if sided:
        return sided
    tables = [path for path in known if path.suffix.lower() in TABLES or path.stem.casefold() == _HUB]
    if len(tables) == 1 or (tables and all(SplitFile.of(path).fold for path in tables)):
        return tables
    if any(side_in_path(path.relative_to(folder).as_posix()) for path in visible if path.suffix.lower() in SOUND):
        return []
    raise CorpusError(
        f"'{folder}' has no .json, .jsonl or .csv files named train, valid or test, and no recordings in folders of "
        "these names; name the files"
    )


def is_further_part(first: Path, second: Path, place: str) -> bool:
    """Whether a second file of one side and fold is a further part of it, such as a shard, not an exact copy.

    Raises:
        CorpusError: It is neither; `place` is fold and side in words.
    """
    if _SHARD.search(first.stem) and _SHARD.search(second.stem):
        return True
    if first.read_bytes() == second.read_bytes():
        return False
    raise CorpusError(
        f"'{first}' and '{second}' are both {place}; name one file for each side, or a pattern that matches one of "
        f"them, such as '{_pattern(first, second)}'"
    )


def _pattern(first: Path, second: Path) -> Path:
    """The pattern that matches only one of two files, and the most files of other sides and folds."""
    found = []
    for path, other in ((first, second), (second, first)):
        letters = "a-z" if path.name[0].islower() else "A-Z"
        # EmoBox has `emodb_test_fold_1.jsonl` and `emodb_test_fold1.jsonl`
        without_side = re.sub(rf"(?<![A-Za-z])(?:{_SIDES})(?![A-Za-z])", "*", path.stem)
        general = re.sub(r"\d+", "*", without_side) + path.suffix
        folder = path.parent
        if _FOLD.search(folder.name):
            folder = folder.parent / re.sub(r"\d+", "*", folder.name)
        patterns = (f"*{path.suffix}", f"[{letters}]*{path.suffix}", general, path.name)
        apart = [pattern for pattern in patterns if fnmatchcase(path.name, pattern) > fnmatchcase(other.name, pattern)]
        found += [folder / pattern for pattern in apart]
    return max(found, key=lambda pattern: len(glob.glob(str(pattern))), default=first)  # noqa: PTH207


def base_of(paths: Sequence[Path], files: Sequence[SplitFile]) -> Path:
    """The default base folder of recordings' paths: the folder that contains all files."""
    folders = [*(path for path in paths if path.is_dir()), *(file.path.parent for file in files)]
    return Path(os.path.commonpath([str(folder.absolute()) for folder in folders]))


def side_in_path(path: str) -> str:
    """The side that a folder of a path names, such as Hugging Face's `train/anger/a.wav`; empty where none does."""
    return next((side for folder in path.split("/")[:-1] if (side := side_named(folder))), "")


def recordings_in(folder: Path) -> Iterator[Path]:
    """The recordings below a folder, sorted."""
    return (path for path in sorted(folder.rglob("*")) if path.suffix.lower() in SOUND and path.is_file())
