"""Which files a split is in: those that were named, that a pattern matches, or that a folder holds."""

import glob
import os
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path

from ..errors import CorpusError
from .split import side_named

__all__ = ["JSON", "SplitFile", "base_of", "files_of", "place_in_path", "recordings_in", "refuse_two"]

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
    """As its name or its folder's has it; empty where they have none."""
    side: str
    """Likewise."""
    own_base: bool
    """Whether paths start at its own folder, wherever the other recordings are."""

    @classmethod
    def of(cls, path: Path) -> "SplitFile":
        """Read the names of a file and its folder."""
        fold = _FOLD.search(path.stem) or _FOLD.search(path.parent.name)
        hub = path.stem.casefold() == _HUB
        side = _side_in(path.stem) or (side_named(path.parent.name) if hub else "")
        return cls(path, fold[1] if fold else "", side or "", hub)


def files_of(paths: Sequence[Path]) -> list[SplitFile]:
    """The files that arguments name.

    Args:
        paths: Files, folders, or patterns such as `splits/*.csv`.

    Returns:
        Empty where folders hold recordings alone, in folders named train and test.

    Raises:
        CorpusError: There is no such file, a folder has none, or two are of one side.
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
            files += [Path(one) for one in found if Path(one).is_file()]
        else:
            raise CorpusError(f"'{path}' does not exist; expected a CSV, a file of JSON, a folder or a pattern")
    return [SplitFile.of(file) for file in dict.fromkeys(files)]


def _in_folder(folder: Path) -> list[Path]:
    """The files of a folder that are of sides; without any, those of folds, or its one table."""
    there = [
        one for one in sorted(folder.rglob("*")) if not any(part[0] == "." for part in one.relative_to(folder).parts)
    ]
    known = [one for one in there if one.suffix.lower() in (*JSON, *TABLES) and one.is_file()]
    sided = [one for one in known if SplitFile.of(one).side]
    lines, tables = ([one for one in sided if one.suffix.lower() in kinds] for kinds in (JSON[:1], TABLES))
    if lines:  # EmoBox has every file in both forms of JSON
        return lines + tables
    if sided:
        return sided
    tables = [one for one in known if one.suffix.lower() in TABLES or one.stem.casefold() == _HUB]
    if len(tables) == 1 or (tables and all(SplitFile.of(one).fold for one in tables)):
        return tables
    if any(place_in_path(one.relative_to(folder).as_posix()) for one in there if one.suffix.lower() in SOUND):
        return []
    raise CorpusError(
        f"'{folder}' has no .json, .jsonl or .csv files named train, valid or test, and no recordings in folders of "
        "these names; name the files"
    )


def refuse_two(first: Path, second: Path, place: str) -> bool:
    """Tell whether a second file of one side is a further part of it, or the same again.

    Args:
        first: The side's first file.
        second: Another file of it.
        place: Fold and side, in words.

    Returns:
        Whether its rows count: those of a shard do, those of an exact copy do not.

    Raises:
        CorpusError: It is neither.
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
    """The pattern that matches one of two files, and the most files of other sides and folds."""
    found = []
    for one, other in ((first, second), (second, first)):
        sign = "a-z" if one.name[0].islower() else "A-Z"
        # EmoBox has `emodb_test_fold_1.jsonl` and `emodb_test_fold1.jsonl`
        general = re.sub(r"\d+", "*", re.sub(rf"(?<![A-Za-z])(?:{_SIDES})(?![A-Za-z])", "*", one.stem)) + one.suffix
        patterns = (f"*{one.suffix}", f"[{sign}]*{one.suffix}", general, one.name)
        apart = [pattern for pattern in patterns if fnmatchcase(one.name, pattern) > fnmatchcase(other.name, pattern)]
        folder = (
            one.parent.parent / re.sub(r"\d+", "*", one.parent.name) if _FOLD.search(one.parent.name) else one.parent
        )
        found += [folder / pattern for pattern in apart]
    return max(found, key=lambda pattern: len(glob.glob(str(pattern))), default=first)  # noqa: PTH207


def base_of(paths: Sequence[Path], files: Sequence[SplitFile]) -> Path:
    """The folder that paths of recordings start at where the user names none: that which all files are in."""
    folders = [*(path for path in paths if path.is_dir()), *(file.path.parent for file in files)]
    return Path(os.path.commonpath([str(folder.absolute()) for folder in folders]))


def place_in_path(path: str) -> str:
    """The side that a folder of a path names, such as Hugging Face's `train/anger/a.wav`; empty where none does."""
    return next(filter(None, map(_whole_side, path.split("/")[:-1])), "")


def _side_in(name: str) -> str:
    """The one side in a name; empty where there is none, or several."""
    sides = {side_named(found) or "" for found in _SIDE.findall(name)}
    return sides.pop() if len(sides) == 1 else ""


def _whole_side(name: str) -> str:
    return side_named(name) or ""


def recordings_in(folder: Path) -> Iterator[Path]:
    """The recordings below a folder, sorted."""
    return (one for one in sorted(folder.rglob("*")) if one.suffix.lower() in SOUND and one.is_file())
