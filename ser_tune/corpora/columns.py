"""Columns of tables: each by the name that this program documents, and the other names that are usual for it."""

import re
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from fnmatch import fnmatchcase
from functools import cache

__all__ = ["COLUMNS", "Header", "described", "read_header"]

COLUMNS: dict[str, tuple[str, ...]] = {
    "path": (
        *("file", "filename", "file_name", "filepath", "file_path", "fname", "wav", "wav_file", "wav_path", "audio"),
        *("audio_file", "audio_filename", "audio_filepath", "audio_path", "recording", "relative_path"),
    ),
    "speaker": (
        *("speaker_id", "speaker_name", "spk", "spk_id", "spkr", "spkr_id", "talker", "talker_id", "actor", "actor_id"),
        *("subject", "subject_id", "participant", "participant_id", "client_id"),
    ),
    "emotion": (
        *(
            "emotion_label",
            "emotion_name",
            "emotion_class",
            "emo",
            "emo_class",
            "emo_label",
            "label",
            "labels",
            "class",
        ),
        *("class_label", "class_name", "target", "category"),
    ),
    "session": ("session_id",),
    "start": ("start_time", "start_s", "start_sec", "start_seconds", "begin", "begin_time", "onset", "segment_start"),
    "end": ("end_time", "end_s", "end_sec", "end_seconds", "stop", "stop_time", "segment_end"),
    "duration": ("duration_s", "duration_sec", "duration_seconds"),
    "text": ("transcript", "transcription", "sentence"),
    "gender": ("sex", "speaker_gender"),
    "fold": ("fold_id", "cv_fold"),
    "split": ("split_set", "set", "subset", "partition"),
    "prediction": ("predicted", "pred", "predicted_label", "predicted_emotion", "y_pred"),
    "utterance": ("utterance_id", "utt", "utt_id"),
}
"""Name to other names; all are compared without case, and `FileName`, `file name` and `file-name` are `file_name`."""
_INDEX = re.compile(r"|index|idx|unnamed:_\d+")
"""Names that programs give to a column of row numbers."""
_MILLISECONDS = re.compile(r"_(?:ms|msec|millis|milliseconds)$")


@dataclass(frozen=True, slots=True)
class Header:
    """The meaning of a table's columns."""

    columns: tuple[str, ...]
    """The documented name of each column; empty for a column that is not read."""
    milliseconds: tuple[bool, ...]
    """Whether a column's numbers are milliseconds."""
    unread: tuple[int, ...] = ()
    """Numbers of the columns that are not read; without columns of row numbers."""
    problems: tuple[str, ...] = ()
    """Reasons why the columns are ambiguous or missing; each continues a sentence that begins with `the header`."""


def read_header(
    cells: Sequence[str],
    *,
    required: Sequence[str],
    optional: Sequence[str],
    either: Sequence[str] = (),
) -> Header:
    """Find out what the columns of a table are.

    A column with the documented name is that column. Else the one column with another usual name of it is.

    Args:
        cells: The names, as written.
        required: Columns that must be there.
        optional: Columns that may be there, or patterns of their names, such as `meta_?*`.
        either: Columns of which a header has at least one.

    >>> read_header(["", "Filename", "emotion", "label"], required=["path", "emotion"], optional=[]).columns
    ('', 'path', 'emotion', '')
    """
    written = _with_offsets([_key(cell) for cell in cells])
    keys = [_MILLISECONDS.sub("", key) for key in written]
    columns, problems = [""] * len(cells), []
    for name in (*required, *optional):
        exact = [number for number, key in enumerate(keys) if key == name or ("*" in name and fnmatchcase(key, name))]
        others = [number for number, key in enumerate(keys) if key in _aliases(name)]
        repeated = sorted({cells[number].strip() for number in exact if keys.count(keys[number]) > 1})
        if repeated:
            problems.append(f"repeats column(s) {_quoted(repeated)}")
        if not exact and len(others) > 1:
            listed = _quoted([cells[number].strip() for number in others])
            problems.append(f"has {len(others)} columns that may be '{name}': {listed}; call one of them '{name}'")
        for number in exact or others[:1]:
            columns[number] = cells[number].strip() if "*" in name else name
    present = set(columns)
    if missing := [name for name in required if name not in present and not _ambiguous(name, problems)]:
        problems.insert(0, f"lacks column(s) {_quoted(missing)}")
    if either and not present & set(either):
        problems.append(f"lacks {' and '.join(map(repr, either))}")
    times = present & {"start", "end", "duration"}
    if len(times & {"start", "end"}) == 1 and times != {"start", "duration"}:
        given, lacking = ("start", "end") if "start" in times else ("end", "start")
        problems.append(f"has '{given}' without '{lacking}'; expected both or neither")
    left = [number for number, name in enumerate(columns) if not name and not _INDEX.fullmatch(keys[number])]
    return Header(
        columns=tuple(columns),
        milliseconds=tuple(key != other for key, other in zip(keys, written, strict=True)),
        unread=tuple(left),
        problems=tuple(problems),
    )


def _with_offsets(keys: list[str]) -> list[str]:
    """Call an `offset` by what it is: the end beside `onset`, the start beside `duration`."""
    meaning = "end_time" if "onset" in keys else "start_time" if "duration" in keys else "offset"
    return [meaning if key == "offset" else key for key in keys]


def described(cell: str, present: Sequence[str]) -> str:
    """A column that is not read, and the column that it may be meant as.

    >>> described("texts", ["path"]), described("valence", ["path"])
    ("'texts' (did you mean 'text'?)", "'valence'")
    """
    near = get_close_matches(_key(cell), [name for name in COLUMNS if name not in present], n=1, cutoff=0.8)
    return f"'{cell.strip()}'" + (f" (did you mean '{near[0]}'?)" if near else "")


@cache
def _aliases(name: str) -> frozenset[str]:
    """Other keys of a column: `file_name` and `filename` are one."""
    names = COLUMNS.get(name, ())
    return frozenset(names) | {alias.replace("_", "") for alias in (name, *names)} - {name}


def _key(cell: str) -> str:
    """A name without case, and with `_` for whatever separates its words."""
    seen = "".join(letter for letter in unicodedata.normalize("NFKC", cell) if unicodedata.category(letter) != "Cf")
    return re.sub(r"[\s._()\[\]#-]+", "_", seen).strip("_").casefold()


def _ambiguous(name: str, problems: Sequence[str]) -> bool:
    return any(f"may be '{name}'" in problem for problem in problems)


def _quoted(names: Sequence[str]) -> str:
    return ", ".join(f"'{name}'" for name in names)
