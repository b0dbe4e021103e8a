"""A table of a user's recordings, made from the names of files and folders."""

from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path

from ..errors import CorpusError
from .folder import recordings_in
from .made_table import MadeTable, absolute, folder_of, is_nameable, other_files
from .manifest import META, OPTIONAL_COLUMNS
from .name_pattern import AUDIO_ENDINGS, NamePattern

__all__ = ["first_names", "make_table", "recordings_of"]

LISTED = 3
"""File names that a message lists."""
NEEDED = ("speaker", "emotion")
FILLED = (*NEEDED, "session", "split")
"""Columns that have a value in every row."""
_COLUMNS = frozenset((*NEEDED, *OPTIONAL_COLUMNS)) - {"start", "end", "duration"}
"""Fields of a pattern that are columns of a table."""


def recordings_of(folder: Path) -> list[Path]:
    """The recordings in a folder, however deep, sorted.

    Raises:
        CorpusError: There is no such folder, it cannot be read, or has no recordings.
    """
    if not folder.is_dir():
        raise CorpusError(f"'{folder}' is not a folder; expected the folder of the recordings")
    paths = sorted(recordings_in(folder, AUDIO_ENDINGS))
    if not paths:
        raise CorpusError(f"no recordings in '{folder}'; expected files that end in {', '.join(AUDIO_ENDINGS)}")
    return paths


def first_names(folder: Path, paths: Sequence[Path]) -> str:
    """The names of the first recordings, as a message lists them."""
    return ", ".join(path.relative_to(folder).as_posix() for path in paths[:LISTED])


def make_table(folder: Path, pattern: str, table: Path, *, mapping: Mapping[str, str] | None = None) -> MadeTable:
    """Read speakers, emotions and what else a pattern names from the paths of recordings.

    Args:
        folder: With the recordings, however deep.
        pattern: As `NamePattern` takes it; it has the fields `speaker` and `emotion`.
        table: The file to be written; paths are relative to its folder.
        mapping: Emotion, as in the names, to the emotion to write; an empty text leaves its recordings out.

    Raises:
        CorpusError: The folder cannot be read, the pattern is wrong or describes no recording, the table would be
            outside all folders above the recordings or be called like a recording, or the mapping names an emotion that
            no recording has, or leaves none.
    """
    paths, place, start = recordings_of(folder), absolute(folder), folder_of(table, folder)
    names = NamePattern(pattern)
    if lacks := [name for name in NEEDED if name not in names.fields]:
        raise CorpusError(
            f"pattern '{pattern}' lacks {' and '.join(f'{{{name}}}' for name in lacks)}; expected such as "
            "{speaker}_{emotion}_*.wav, or {emotion}/{speaker}_*.wav where folders have the emotions"
        )
    unusable = [path for path in paths if not (path.is_file() and is_nameable(path.relative_to(folder).as_posix()))]
    usable = sorted(set(paths) - set(unusable))
    found = {path: fields for path in usable if (fields := _fields(names, path.relative_to(folder)))}
    if not found:
        raise _nothing_found(folder, names, paths)
    written = mapping or {}
    if unknown := sorted(set(written) - {fields["emotion"] for fields in found.values()}):
        there = ", ".join(sorted({fields["emotion"] for fields in found.values()}))
        raise CorpusError(f"--map names '{unknown[0]}', which no file name has as its emotion; expected one of {there}")
    columns = [name for name in names.fields if name in _COLUMNS or name.startswith(META)]
    kept = {path: fields for path, fields in found.items() if written.get(fields["emotion"], "-")}
    if not kept:
        raise CorpusError("--map leaves all recordings out; expected an emotion to keep")
    left = [path for path in usable if path not in found]
    ambiguous = [path for path in left if names.is_ambiguous(path.relative_to(folder))]
    return MadeTable(
        columns=("path", *columns),
        rows=tuple(
            (
                (place / path.relative_to(folder)).relative_to(start).as_posix(),
                *(written.get(fields[name], fields[name]) if name == "emotion" else fields[name] for name in columns),
            )
            for path, fields in kept.items()
        ),
        unread=tuple(name for name in names.fields if name not in columns),
        dropped=dict(sorted(Counter(fields["emotion"] for path, fields in found.items() if path not in kept).items())),
        unlike=tuple(path.relative_to(folder) for path in left if path not in ambiguous),
        ambiguous=tuple(path.relative_to(folder) for path in ambiguous),
        unusable=tuple(path.relative_to(folder) for path in unusable),
        others=other_files(folder, table),
    )


def _fields(names: NamePattern, path: Path) -> Mapping[str, str]:
    """The fields of a path, without blanks around them; none where it does not match, or a needed field is empty."""
    fields = {name: value.strip() for name, value in (names.parse(path) or {}).items()}
    return fields if all(fields.get(name, "-") for name in FILLED) else {}


def _nothing_found(folder: Path, names: NamePattern, paths: Sequence[Path]) -> CorpusError:
    """The error of a pattern that describes no recording."""
    listed = first_names(folder, paths)
    ways = sum(names.is_ambiguous(path.relative_to(folder)) for path in paths)
    if ways:
        return CorpusError(
            f"pattern '{names.text}' can be read in several ways in all of the {ways} names that it describes, such as "
            f"{listed}; write what a field may be, such as {{emotion:[a-z]+}}"
        )
    return CorpusError(
        f"pattern '{names.text}' describes none of {len(paths)} recordings in '{folder}'; the first are {listed}"
    )
