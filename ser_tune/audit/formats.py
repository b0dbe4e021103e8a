"""Reading splits: a CSV, or the files of EmoBox, s3prl and SpeechBrain.

| format | files | one utterance |
|---|---|---|
| CSV | one | `path,speaker,emotion`, `fold` or `split` or both, perhaps `text` and `prediction` |
| EmoBox | `fold_1/emodb_train_fold_1.jsonl`, … | `{"key", "dataset", "wav", "emo", "length", …}`, one a line |
| SpeechBrain, and EmoBox's .json | `train.json`, `valid.json`, `test.json` | `{name: {"wav", "length", "emo"}, …}` |
| s3prl | `Session1/train_meta_data.json`, … | `{"labels": …, "meta_data": [{"path", "label", "speaker"}, …]}` |

A native file's side and fold come from its name and its folder's. EmoBox and SpeechBrain name no speakers, and s3prl
names a dialogue's instead: where a file's name follows the scheme of a known corpus, its speaker and its text count.
"""

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from ..corpora import Utterance
from ..corpora.base import normalised_text
from ..corpora.table import read_table
from ..errors import CorpusError
from .split import Row, Split, side_named

__all__ = ["read_split"]

HEADER = "path,speaker,emotion,fold|split[,text][,prediction]"
REQUIRED_COLUMNS = ("path", "speaker", "emotion")
OPTIONAL_COLUMNS = ("fold", "split", "text", "prediction")
_ROOT = re.compile(r"^\{\w+\}/")
"""SpeechBrain's paths start with a placeholder, such as `{data_root}/`."""
_SIDE = re.compile(r"(?:^|_)(train|valid|val|dev|test)(?:_|$)", re.IGNORECASE)
_FOLD = re.compile(r"(?:fold|session)_?(\d+)", re.IGNORECASE)
_KEYS = (("wav", "path", "audio"), ("emo", "label"))
"""Of an utterance's path and emotion; EmoBox's older files have `audio` and `label`."""
_SCHEMES = (
    re.compile(r"(?P<speaker>\d\d)(?P<text>[ab]\d\d)[WLEAFTN][a-z]?"),  # EmoDB
    re.compile(r"Ses0(?P<session>[1-5])[FM]_(?:impro|script)\w*_(?P<speaker>[FM])\d+"),  # IEMOCAP
    re.compile(r"psno(?P<session>[1-5])_\w+_s\d+_orgn"),  # IEMOCAP as SpeechBrain names it, which drops the speaker
    re.compile(r"(?P<speaker>10\d\d)_(?P<text>[A-Z]{3})_[A-Z]{3}_(?:LO|MD|HI|XX?)"),  # CREMA-D
    re.compile(r"0\d-0\d-0\d-0\d-(?P<text>0\d)-0\d-(?P<speaker>\d\d)"),  # RAVDESS
    re.compile(r"(?P<speaker>DC|JE|JK|KL)_(?:[a-z]+(?P<text>0[1-3])|(?P<own_text>[a-z]+\d\d))"),  # SAVEE
    re.compile(r"(?P<speaker>OA|YA)F?_(?P<text>[A-Za-z]+)_[a-z]+"),  # TESS
)


def read_split(paths: Sequence[Path], *, data: Path | None = None) -> Split:
    """Read a split.

    Args:
        paths: One CSV, or native files, or folders that hold them.
        data: The folder that relative paths of recordings start at; None is the current one.

    Raises:
        CorpusError: A file is missing or not in a known format, a fold lacks a side, or a row is not complete.
    """
    for path in paths:
        if not path.exists():
            raise CorpusError(f"'{path}' does not exist; expected a CSV ({HEADER}), or a native file or folder")
    tables = [path for path in paths if path.is_file() and path.suffix.lower() not in (".json", ".jsonl")]
    if tables and len(paths) > 1:
        raise CorpusError(f"'{tables[0]}' is one of {len(paths)} files; expected one CSV, or JSON files alone")
    root = data or Path()
    rows = list(_table_rows(tables[0], root)) if tables else list(_native_rows(_files(paths), root))
    more = f" and {len(paths) - 1} more" if len(paths) > 1 else ""
    return Split.of(f"{paths[0]}{more}", rows)


def _table_rows(file: Path, root: Path) -> Iterator[Row]:
    table = read_table(file, required=REQUIRED_COLUMNS, optional=OPTIONAL_COLUMNS, header=HEADER)
    columns = table[0][1]
    if "fold" not in columns and "split" not in columns:
        raise CorpusError(f"{file}: the header lacks 'fold' and 'split'; expected {HEADER}")
    for where, row in table:
        for column in (*REQUIRED_COLUMNS, *(one for one in ("fold", "split") if one in columns)):
            if not row[column]:
                raise CorpusError(f"{where}: the cell '{column}' is empty; expected a value in every row")
        side = side_named(row["split"]) if "split" in columns else ""
        if side is None:
            raise CorpusError(f"{where}: 'split' is '{row['split']}'; expected train, validation (val, dev) or test")
        utterance = _utterance(row["path"], root, row["emotion"], row["speaker"], row.get("text", ""))
        yield Row(utterance, row.get("fold", ""), side, row.get("prediction", ""))


def _files(paths: Sequence[Path]) -> list[Path]:
    """The native files among paths and in folders; of a folder that has both, those that end in .jsonl."""
    files = []
    for path in paths:
        if path.is_dir():
            found = [one for one in sorted(path.rglob("*.json*")) if _SIDE.search(one.stem)]
            lines = [one for one in found if one.suffix == ".jsonl"]
            if not found:
                raise CorpusError(f"'{path}' has no .json or .jsonl files named train, valid or test; name the files")
            files += lines or found
        else:
            files.append(path)
    return files


def _native_rows(files: Sequence[Path], root: Path) -> Iterator[Row]:
    place_of: dict[tuple[str, str], Path] = {}
    for file in files:
        side = _SIDE.search(file.stem)
        if side is None:
            raise CorpusError(f"the name of '{file}' tells no side; expected train, valid, dev or test in it")
        fold = _FOLD.search(file.stem) or _FOLD.search(file.parent.name)
        place = (fold[1] if fold else "", side_named(side[1]) or "")
        if (other := place_of.setdefault(place, file)) is not file:
            raise CorpusError(f"'{other}' and '{file}' are both {' '.join(place)}; name one file for each side")
        for path, emotion, speaker in _native_utterances(file):
            yield Row(_utterance(_ROOT.sub("", path), root, emotion, *_known(path, speaker)), *place)


def _native_utterances(file: Path) -> Iterator[tuple[str, str, str]]:
    """Path, emotion and speaker of every utterance; the speaker may be empty."""
    try:
        text = file.read_text(encoding="utf-8")
    except (UnicodeDecodeError, OSError) as error:
        raise CorpusError(f"{file} cannot be read: {error}") from None
    try:
        if file.suffix == ".jsonl":
            listed: Any = [json.loads(line) for line in text.splitlines() if line.strip()]
        else:
            listed = json.loads(text)
    except json.JSONDecodeError as error:
        raise CorpusError(f"{file} is not valid JSON: {error}") from None
    if isinstance(listed, dict):
        listed = listed["meta_data"] if "meta_data" in listed else list(listed.values())
    if not isinstance(listed, list) or not listed:
        raise CorpusError(f"{file} lists no utterances; expected the format of EmoBox, s3prl or SpeechBrain")
    for number, one in enumerate(listed, 1):
        values = one if isinstance(one, Mapping) else {}
        path, emotion = (next((values[key] for key in keys if key in values), None) for keys in _KEYS)
        if not (isinstance(path, str) and path and isinstance(emotion, str) and emotion):
            raise CorpusError(f"{file}, utterance {number}: expected 'wav' and 'emo', or 'path' and 'label', as text")
        yield path, emotion, str(values.get("speaker", values.get("spk", "")))


def _known(path: str, speaker: str) -> tuple[str, str]:
    """Speaker and text by a known corpus's scheme of names; else the speaker as the file has it, and no text."""
    for scheme in _SCHEMES:
        if name := scheme.fullmatch(Path(path).stem):
            parts = name.groupdict()
            who = parts.get("session", "") + parts["speaker"] if "speaker" in parts else f"session {parts['session']}"
            return who, parts.get("text") or parts.get("own_text") or ""
    return speaker, ""


def _utterance(path: str, root: Path, emotion: str, speaker: str, text: str) -> Utterance:
    name = Path(path).as_posix()
    return Utterance(id=name, path=root / name, speaker=speaker, emotion=emotion, text=normalised_text(text))
