"""Data sets of Hugging Face on disk: audio folders with `metadata.csv`, Parquet files, and saved data sets.

Read through the package datasets, without decoding and without the network. Recordings that a data set has inside its
tables are written beside the table that is made.
"""

import logging
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..errors import CorpusError, UnknownNameError, reason_in
from .columns import read_header
from .label_columns import DIMENSIONS, SEVERAL, side_of
from .layouts import COLUMNS, META, Layout, ratings_in
from .name_pattern import AUDIO_ENDINGS
from .utterance import Annotation, Utterance

if TYPE_CHECKING:
    from datasets import Features

__all__ = ["read_huggingface"]

BATCH = 64
"""Rows that are in memory at a time, with their recordings."""
SAVED = ("dataset_dict.json", "state.json")
"""Files of a data set that `save_to_disk` wrote."""


@dataclass(frozen=True, slots=True)
class _Part:
    """A split of a data set: its columns, and its rows a batch at a time."""

    name: str
    features: "Features"
    batches: Iterator[Any]


def read_huggingface(folder: Path, columns: Mapping[str, str], recordings: Path, *, overwrite: bool = False) -> Layout:
    """Read the rows of a data set.

    Args:
        folder: As a clone of its repository, or as `save_to_disk` wrote it.
        columns: Column of the table to the column of the data set, where it has another name than is usual.
        recordings: Folder for recordings that are inside the data set's tables.
        overwrite: Replace other recordings in that folder.

    Raises:
        CorpusError: It is no such data set, the package is not installed, no column has recordings, speakers or
            labels, or a recording cannot be written.
        UnknownNameError: There is no such column.
    """
    parts = _opened(folder)
    features = parts[0].features
    audio = next((name for name, feature in features.items() if type(feature).__name__ == "Audio"), None)
    if audio is None:
        raise CorpusError(f"no column of '{folder}' has recordings; it has {', '.join(features) or 'none'}")
    names = _names(folder, [name for name in features if name != audio], columns)
    utterances = []
    for part in parts:
        side = side_of(part.name) if len(parts) > 1 else ""
        place = recordings / part.name if part.name else recordings
        for number, row in enumerate(_rows(part, (audio, *names.values()))):
            if row[audio] is not None:
                path = _file(row[audio], place, number, overwrite=overwrite)
                utterances.append(_utterance({name: row[column] for name, column in names.items()}, path, side))
    origins = {"path": audio, **names} | ({"split": ""} if len(parts) > 1 else {})
    return Layout(
        utterances,
        {name: f"column '{column}'" if column else "the data set's splits" for name, column in origins.items()},
        tuple(name for name in features if name not in origins.values()),
    )


def _opened(folder: Path) -> Sequence[_Part]:
    """The splits of a data set, of which nothing is read but the columns."""
    try:
        import datasets
    except ImportError:
        raise CorpusError(
            "--from huggingface needs the package datasets; install it with pip install 'ser-tune[layouts]'"
        ) from None
    if not folder.is_dir():
        raise CorpusError(f"'{folder}' is not a folder; expected that of a data set")
    datasets.disable_progress_bars()
    datasets.logging.set_verbosity(logging.CRITICAL)  # it raises what it logs
    try:
        if any((folder / name).is_file() for name in SAVED):
            found = datasets.load_from_disk(str(folder))
        else:
            found = datasets.load_dataset(str(folder), streaming=True)
    except Exception as error:
        raise CorpusError(f"'{folder}' is no data set of Hugging Face: {reason_in(error)}") from None
    splits = found.items() if isinstance(found, dict) else [("", found)]
    if any(own.features is None for _, own in splits):
        raise CorpusError(f"no recordings are in '{folder}'; expected those that its metadata name")
    return [_Part(str(name), own.features, _read(folder, own)) for name, own in splits]


def _read(folder: Path, rows: Any) -> Iterator[Any]:  # noqa: ANN401 - a data set of the package
    """The rows of a split in batches.

    Raises:
        CorpusError: They cannot be read.
    """
    try:
        yield from rows.with_format("arrow").iter(BATCH)
    except Exception as error:  # of many kinds, by format
        raise CorpusError(f"'{folder}' cannot be read: {reason_in(error)}") from None


def _names(folder: Path, there: Sequence[str], written: Mapping[str, str]) -> Mapping[str, str]:
    """Column of the table to the column of the data set.

    Raises:
        CorpusError: There is no column of speakers or labels, or several may be it.
        UnknownNameError: `written` names a column that is not there.
    """
    for column in written.values():
        if column not in there:
            raise UnknownNameError("column of the data set", column, there)
    left = [name for name in there if name not in written.values()]
    header = read_header(left, required=(), optional=[name for name in COLUMNS if name not in written])
    if header.problems:
        name = header.problems[0].partition("'")[2].partition("'")[0]
        raise CorpusError(f"'{folder}' {header.problems[0].partition('; ')[0]}; pass --column {name}=COLUMN")
    names = dict(written) | {name: column for name, column in zip(header.columns, left, strict=True) if name}
    listed = ", ".join(there)
    if "speaker" not in names:
        raise CorpusError(
            f"no column of '{folder}' is called speaker; name it with --column speaker=COLUMN, one of "
            f"{listed or 'none'}; where the names of the recordings have the speaker, pass --pattern in place of --from"
        )
    if not {"emotion", SEVERAL, *DIMENSIONS} & set(names):
        raise CorpusError(
            f"no column of '{folder}' is called emotion; name it with --column emotion=COLUMN, one of {listed}"
        )
    return names


def _rows(part: _Part, columns: Sequence[str]) -> Iterator[Mapping[str, Any]]:
    """The rows of a split, with the names of its classes in place of their numbers."""
    for batch in part.batches:
        rows = batch.select(list(dict.fromkeys(columns))).to_pylist()
        for row in rows:
            yield {name: _named(value, part.features[name]) for name, value in row.items()}


def _named(value: Any, feature: Any) -> Any:  # noqa: ANN401 - of any column
    """A value with the names of classes in place of their numbers."""
    if isinstance(value, list):
        return [_named(own, getattr(feature, "feature", feature)) for own in value]
    if hasattr(feature, "int2str") and isinstance(value, int):
        return feature.int2str(value) if value >= 0 else None
    return value


def _file(audio: Mapping[str, Any], place: Path, number: int, *, overwrite: bool) -> Path:
    """The file of a recording, written where its bytes are in the table.

    Raises:
        CorpusError: It cannot be written, or another file has its name.
    """
    name, content = str(audio["path"] or ""), audio["bytes"]
    if content is None:
        return Path(name)
    known = Path(re.sub(r"[^\w.-]", "_", Path(name).name))
    ending = known.suffix if known.suffix.lower() in AUDIO_ENDINGS else AUDIO_ENDINGS[0]
    path = place / ("_".join(filter(None, [f"{number:06}", known.stem])) + ending)
    try:
        if path.exists() and not overwrite and path.read_bytes() != content:
            raise CorpusError(f"'{path}' exists with other content; pass --overwrite to replace it")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
    except OSError as error:
        raise CorpusError(f"'{path}' cannot be written: {error.strerror}") from None
    return path


def _utterance(cells: Mapping[str, Any], path: Path, side: str) -> Utterance:
    """The utterance of a row.

    Args:
        cells: Values of the row by column of the table.
        path: The recording.
        side: Of the row in the split.
    """
    several = cells.get(SEVERAL) or []
    texts = {name: str(value) for name, value in cells.items() if name != SEVERAL and value is not None}
    return Utterance(
        id=str(path),
        path=path,
        speaker=texts.get("speaker", ""),
        emotion=texts.get("emotion", ""),
        group=texts.get("session", ""),
        text=texts.get("text", ""),
        attributes=tuple(
            (name.removeprefix(META), value) for name, value in texts.items() if name == "gender" or name not in COLUMNS
        ),
        annotation=Annotation(
            emotions=tuple(sorted(map(str, [several] if isinstance(several, str) else several))),
            dimensions=ratings_in(texts, path),
        ),
        split=side,
        language=texts.get("language", ""),
    )
