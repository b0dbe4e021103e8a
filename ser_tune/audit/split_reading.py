"""Reading splits: tables, the JSON of EmoBox, s3prl and SpeechBrain, and folders of recordings.

| format | files | a row |
|---|---|---|
| manifest | one | `path,emotion`, `fold` or `split` or both, perhaps `speaker`, `start`, `end`, `text`, `prediction` |
| autrainer | `train.csv`, `dev.csv`, `test.csv` | `filename` or `path`, and the label |
| audformat | `db.emotion.train.csv`, … | `file,start,end,emotion`, times such as `0 days 00:00:01.5` |
| Hugging Face | `train/metadata.csv`, or `metadata.csv` | `file_name,emotion`; or recordings in `train/anger/` |
| EmoBox | `fold_1/emodb_train_fold_1.jsonl`, … | `{"key", "dataset", "wav", "emo", "length", …}`, one a line |
| SpeechBrain, and EmoBox's .json | `train.json`, `valid.json`, `test.json` | `{name: {"wav", "length", "emo"}, …}` |
| s3prl | `Session1/train_meta_data.json`, … | `{"labels": …, "meta_data": [{"path", "label", "speaker"}, …]}` |

Where a row has no side, the name of its file has it, or of the file's folder, or a folder in the recording's path.
Columns may have the other usual names of `corpora.columns`. Where no speaker is named, and where s3prl names a
dialogue's instead, a file's name that follows the scheme of a known corpus has the speaker and the text.
"""

import os
import re
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import replace
from functools import cache
from pathlib import Path

from ..corpora import Annotation, Utterance
from ..corpora.paths import FileFinder, posix_path
from ..corpora.utterance import normalised_text
from ..errors import ConfigError, CorpusError
from .speaker_patterns import by_scheme, compiled, speaker_in
from .split import Row, Split
from .split_files import JSON, SplitFile, base_of, files_of, is_further_part, recordings_in, side_in_path
from .split_rows import json_rows, table_rows

__all__ = ["read_split"]


def read_split(paths: Sequence[Path], *, data: Path | None = None, speaker_from: str | None = None) -> Split:
    """Read a split.

    Args:
        paths: Files, folders that hold them, or patterns of their names.
        data: The folder that relative paths of recordings start at; None is the folder that all files are in.
        speaker_from: A regular expression whose group takes the speaker from a recording's path; it wins over the
            files' speakers.

    Raises:
        CorpusError: A file is missing or not in a known format, a fold lacks a side, or a row is not complete.
        ConfigError: The expression is not valid, or matches no path.
    """
    pattern = None if speaker_from is None else compiled(speaker_from)
    files = files_of(paths)
    source = f"{paths[0]} and {len(paths) - 1} more" if len(paths) > 1 else str(paths[0])
    rows, ignored = _of_files(files, data or base_of(paths, files)) if files else (list(_of_folders(paths)), ())
    locate = _Locator(with_files=data is not None)
    utterances = [_utterance(row, locate, pattern) for row in rows]
    if pattern is not None and not any(utterance.speaker for utterance in utterances):
        raise ConfigError(
            f"--speaker-from '{speaker_from}' finds a speaker in none of {len(rows)} paths, such as "
            f"'{posix_path(rows[0].path)}'"
        )
    return Split.of(source, rows, utterances, ignored=ignored)


def _of_files(files: Sequence[SplitFile], base: Path) -> tuple[list[Row], tuple[str, ...]]:
    """The rows of all files, each with a side or a fold, and the columns that are not read."""
    first_of: dict[tuple[str, str], Path] = {}
    entries: list[Row] = []
    ignored: dict[str, None] = {}
    for file in files:
        start = file.path.parent if file.own_base and file.path.absolute().is_relative_to(base.absolute()) else base
        if file.path.suffix.lower() in JSON:
            rows = json_rows(file.path, start)
        else:
            rows, unread = table_rows(file.path, start)
            ignored |= dict.fromkeys(unread)
        own_fold = bool(rows[0].fold)
        if not own_fold and len(files) > 1:
            rows = [replace(row, fold=file.fold) for row in rows]
        if not rows[0].side and (not own_fold or len(files) > 1):
            rows = _with_side(file, rows)
            other = file.path if own_fold or not file.side else first_of.setdefault((file.fold, file.side), file.path)
            if other is not file.path and not is_further_part(other, file.path, f"{file.fold} {file.side}".strip()):
                continue
        entries += rows
    if len({bool(entry.side) for entry in entries}) > 1:
        raise CorpusError(f"{files[0].path}: some of the files name sides and others do not; name those of one kind")
    return entries, tuple(ignored)


def _with_side(file: SplitFile, rows: Sequence[Row]) -> list[Row]:
    """The rows of a file that names no side in a column, with the side of its name or of their paths."""
    placed = [replace(row, side=file.side or side_in_path(posix_path(row.path))) for row in rows]
    if not all(row.side for row in placed):
        raise CorpusError(
            f"{file.path} tells no side; expected train, valid, dev or test in its name or in the paths, or a CSV "
            "column 'split' or 'fold'"
        )
    return placed


def _of_folders(folders: Sequence[Path]) -> Iterator[Row]:
    """The recordings of folders such as `train/anger`."""
    for folder in folders:
        for file in recordings_in(folder):
            path = file.relative_to(folder).as_posix()
            side, emotion = side_in_path(path), file.parent.name
            if not side or side_in_path(f"{emotion}/"):
                raise CorpusError(
                    f"'{file}' is in no folder of a side and an emotion; expected folders such as "
                    f"'{folder}/train/anger'"
                )
            yield Row(path=path, base=folder, emotion=emotion, side=side)


class _Locator:
    """Finds the file of a row: paths that differ in writing alone are of one file."""

    def __init__(self, *, with_files: bool) -> None:
        self.with_files = with_files
        self._finder, self._real = cache(FileFinder), cache(os.path.realpath)

    def __call__(self, base: Path, written: str) -> Path:
        path = os.path.join(base, posix_path(written))  # noqa: PTH118 - a hundred thousand times
        if self.with_files:
            with suppress(OSError, ValueError):  # the check of the sound reports it
                path = str(self._finder(base).find(written))
        folder, name = os.path.split(path)
        with suppress(OSError, ValueError):  # a name that no folder can have
            folder = self._real(folder)
        return Path(folder, name)


def _utterance(row: Row, locate: _Locator, pattern: re.Pattern[str] | None) -> Utterance:
    name = posix_path(row.path)
    speaker, text = by_scheme(name)
    if pattern is not None:
        speaker = speaker_in(name, pattern)
    elif not speaker or (row.speaker and not row.dialogue):
        speaker = row.speaker
    return Utterance(
        id=f"{name}{row.stretch.name}",
        path=locate(row.base, row.path),
        speaker=speaker,
        emotion=row.emotion,
        start_s=row.stretch.start_s,
        end_s=row.stretch.end_s,
        text=normalised_text(row.text or text),
        annotation=Annotation(dimensions=row.rated),
    )
