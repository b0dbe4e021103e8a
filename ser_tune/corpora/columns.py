"""Columns of tables: each by the name that this program documents, and the other names that are usual for it."""

import re
import unicodedata
from collections.abc import Collection, Mapping, Sequence
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
    "emotions": ("all_emotions", "emotion_set"),
    "arousal": ("activation", "emo_act", "emo_activation", "emo_arousal"),
    "valence": ("emo_val", "emo_valence"),
    "dominance": ("emo_dom", "emo_dominance"),
    "session": ("session_id",),
    "start": ("start_time", "start_s", "start_sec", "start_seconds", "begin", "begin_time", "onset", "segment_start"),
    "end": ("end_time", "end_s", "end_sec", "end_seconds", "stop", "stop_time", "segment_end"),
    "duration": ("duration_s", "duration_sec", "duration_seconds"),
    "text": ("transcript", "transcription", "sentence"),
    "gender": ("sex", "speaker_gender"),
    "language": ("lang",),
    "fold": ("fold_id", "cv_fold"),
    "split": ("split_set", "set", "subset", "partition"),
    "prediction": ("predicted", "pred", "predicted_label", "predicted_emotion", "y_pred"),
    "utterance": ("utterance_id", "utt", "utt_id"),
}
"""Name to other names; all are compared without case, and `FileName`, `file name` and `file-name` are `file_name`."""
TIMES = frozenset({"start", "end", "duration"})
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
    complete: bool = True
    """Whether every required column, or another in its place, is there."""
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
    instead: Mapping[str, Sequence[str]] | None = None,
    exact: Collection[str] = (),
) -> Header:
    """Find out what the columns of a table are.

    A column with the documented name is that column. Else the one column with another usual name of it is.

    Args:
        cells: The names, as written.
        required: Columns that must be there.
        optional: Columns that may be there, or patterns of their names, such as `meta_?*`.
        either: Columns of which a header has at least one.
        instead: Required column to columns, or patterns, any of which may be there in its place.
        exact: Columns that are read under their documented name alone.

    >>> read_header(["", "Filename", "emotion", "label"], required=["path", "emotion"], optional=[]).columns
    ('', 'path', 'emotion', '')
    """
    written = _with_offsets([_key(cell) for cell in cells])
    keys = [_MILLISECONDS.sub("", key) for key in written]
    columns, problems = [""] * len(cells), []
    for name in (*required, *optional):
        same = [number for number, key in enumerate(keys) if name == key or _matches(written[number], name)]
        others = [number for number, key in enumerate(keys) if name not in exact and key in _aliases(name)]
        repeated = sorted({cells[number].strip() for number in same if keys.count(keys[number]) > 1})
        if repeated:
            problems.append(f"repeats column(s) {_quoted(repeated)}")
        if not same and len(others) > 1:
            listed = _quoted([cells[number].strip() for number in others])
            problems.append(f"has {len(others)} columns that may be '{name}': {listed}; call one of them '{name}'")
        for number in same or others[:1]:
            columns[number] = _named(cells[number], name) if "*" in name else name
    present = set(columns)
    lacking = [name for name in required if not _there(name, (instead or {}).get(name, ()), present)]
    if missing := [name for name in lacking if not _ambiguous(name, problems)]:
        problems.insert(0, f"lacks column(s) {_quoted(missing)}")
    if either and not present & set(either):
        problems.append(f"lacks {' and '.join(map(repr, either))}")
    problems += _half_a_stretch(present & TIMES)
    left = [number for number, name in enumerate(columns) if not name and not _INDEX.fullmatch(keys[number])]
    return Header(
        columns=tuple(columns),
        milliseconds=tuple(
            key != other and name in TIMES for name, key, other in zip(columns, keys, written, strict=True)
        ),
        complete=not lacking,
        unread=tuple(left),
        problems=tuple(problems),
    )


def _named(cell: str, pattern: str) -> str:
    """The name of a column of a pattern such as `meta_?*`: the pattern's start, and the rest as written."""
    start = pattern.partition("?")[0]
    return re.sub(rf"^\W*{start.strip('_')}[\s._()\[\]#-]+", start, cell.strip(), flags=re.IGNORECASE)


def _half_a_stretch(times: Collection[str]) -> list[str]:
    """The problem of a start without an end, or an end without a start."""
    if len({"start", "end"}.intersection(times)) != 1 or set(times) == {"start", "duration"}:
        return []
    given, other = ("start", "end") if "start" in times else ("end", "start")
    return [f"has '{given}' without '{other}'; expected both or neither"]


def _matches(key: str, pattern: str) -> bool:
    return "*" in pattern and fnmatchcase(key, pattern)


def _there(name: str, instead: Sequence[str], present: Collection[str]) -> bool:
    """Whether a column, or another in its place, is there."""
    return name in present or any(fnmatchcase(column, pattern) for pattern in instead for column in present)


def _with_offsets(keys: list[str]) -> list[str]:
    """Call an `offset` by what it is: the end beside `onset`, the start beside `duration`."""
    meaning = "end_time" if "onset" in keys else "start_time" if "duration" in keys else "offset"
    return [meaning if key == "offset" else key for key in keys]


def described(cell: str, present: Collection[str], known: Collection[str] = tuple(COLUMNS)) -> str:
    """A column that is not read, and the column that it may be meant as.

    Args:
        cell: Its name, as written.
        present: Columns that are read.
        known: Columns that could be read.

    >>> described("texts", ["path"]), described("valence", ["path"], ["path", "text"])
    ("'texts' (did you mean 'text'?)", "'valence'")
    """
    left, key = [name for name in known if name not in present], _key(cell)
    near = [name for name in left if key in _aliases(name)] or get_close_matches(key, left, n=1, cutoff=0.8)
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
