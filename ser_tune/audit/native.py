"""Rows of the JSON of EmoBox, s3prl and SpeechBrain."""

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from ..corpora.columns import COLUMNS
from ..corpora.stretches import WHOLE, Stretch
from ..corpora.times import seconds
from ..errors import CorpusError
from .files import SplitFile
from .row import Entry
from .split import side_named

__all__ = ["native_entries"]

_PLACEHOLDER = "{"
"""SpeechBrain's paths start with a placeholder, such as `{data_root}/`."""


def native_entries(file: SplitFile, base: Path) -> Iterator[Entry]:
    """The rows of a file.

    Raises:
        CorpusError: It is not JSON, or not in a known form.
    """
    for number, values in enumerate(_listed(file.path), 1):
        path, emotion = _text(values, "path"), _text(values, "emotion", int)
        if not (path and emotion):
            raise CorpusError(
                f"{file.path}, utterance {number}: expected 'wav' and 'emo', or 'path' and 'label', as text"
            )
        if path.startswith(_PLACEHOLDER):
            path = path.partition("}/")[2] or path
        yield Entry(
            path=path,
            base=base,
            emotion=emotion,
            speaker=_text(values, "speaker", int),
            dialogue=True,
            stretch=_stretch(values),
            text=_text(values, "text"),
            fold=_text(values, "fold", int),
            side=side_named(_text(values, "split")) or "",
            prediction=_text(values, "prediction"),
        )


def _listed(file: Path) -> list[Mapping[str, Any]]:
    """The utterances of a file, whatever form it has."""
    try:
        text = file.read_text(encoding="utf-8-sig")
    except (UnicodeDecodeError, OSError) as error:
        raise CorpusError(f"{file} cannot be read: {error}") from None
    try:
        if file.suffix.lower() == ".jsonl":
            listed: Any = [json.loads(line) for line in text.splitlines() if line.strip()]
        else:
            listed = json.loads(text)
    except (ValueError, RecursionError) as error:  # also a number of 5,000 digits
        raise CorpusError(f"{file} is not valid JSON: {error}") from None
    if isinstance(listed, dict):
        listed = listed["meta_data"] if "meta_data" in listed else list(listed.values())
    if not isinstance(listed, list) or not listed:
        raise CorpusError(f"{file} lists no utterances; expected the format of EmoBox, s3prl or SpeechBrain")
    return [one if isinstance(one, Mapping) else {} for one in listed]


def _text(values: Mapping[str, Any], column: str, *other: type) -> str:
    """The first text, or value of another type, under a usual name of a column; empty where there is none."""
    found = (values[name] for name in (column, *COLUMNS[column]) if isinstance(values.get(name), (str, *other)))
    return str(next(found, ""))


def _stretch(values: Mapping[str, Any]) -> Stretch:
    """The stretch between times in seconds; the whole recording where they are not given."""
    start_s, end_s = (
        next((seconds(str(values[name])) for name in (column, *COLUMNS[column]) if name in values), None)
        for column in ("start", "end")
    )
    if start_s is None or end_s is None or end_s <= start_s:
        return WHOLE
    return Stretch(start_s, end_s, f"[{start_s:g}-{end_s:g}]")
