"""Rows of a split's file: of a table, or of the JSON of EmoBox, s3prl and SpeechBrain."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ..corpora.columns import COLUMNS
from ..corpora.label_columns import DIMENSIONS, PREDICTION, TARGET, LabelColumns
from ..corpora.stretches import WHOLE, Stretch, Stretches
from ..corpora.table import read_table
from ..corpora.times import seconds
from ..errors import CorpusError
from .split import Row, side_named

__all__ = ["json_rows", "table_rows"]

HEADER = (
    "path,emotion,fold|split[,speaker][,start,end][,text][,prediction][,arousal][,target_NAME][,prediction_arousal]"
    "[,prediction_NAME]"
)
RATED = (*DIMENSIONS, f"{TARGET}?*")
"""Columns of dimensions, of which any may be there in place of `emotion`."""
FILLED = ("path", "emotion", "fold", "split")
"""Columns without empty cells."""
OPTIONAL_COLUMNS = (
    *("fold", "split", "speaker", "start", "end", "duration", "text", "prediction", "session", "gender", "meta_?*"),
    *RATED,
    f"{PREDICTION}?*",
)
"""Those of a manifest, too."""
_PLACEHOLDER = "{"
"""SpeechBrain's paths start with a placeholder, such as `{data_root}/`."""


def table_rows(file: Path, base: Path) -> tuple[list[Row], tuple[str, ...]]:
    """The rows of a table, and the columns that are not read.

    Raises:
        CorpusError: The file or lines of it are not as described; the message has all problems.
    """
    table = read_table(
        file, required=("path", "emotion"), optional=OPTIONAL_COLUMNS, header=HEADER, instead={"emotion": RATED}
    )
    problems, stretches, labels, rows = table.problems, Stretches(table), LabelColumns(table), []
    for line in table.lines:
        cells, before = line.cells, len(problems)
        for column in FILLED:
            if cells.get(column) == "":
                sentence = f"the cell '{column}' is empty; expected a value in every row"
                problems.add(f"empty {column}", line.number, sentence)
        side = side_named(cells["split"]) if cells.get("split") else ""
        if side is None:
            sentence = f"'split' is '{cells['split']}'; expected train, validation (val, dev) or test"
            problems.add("split", line.number, sentence)
        stretch = stretches.of(line)
        rated, predicted = labels.annotation(line).dimensions, labels.predictions(line)
        labelled = "emotion" in cells or labels.dimensions
        if len(problems) > before or stretch is None or side is None or not labelled or "path" not in cells:
            continue
        rows.append(
            Row(
                path=cells["path"],
                base=base,
                emotion=cells.get("emotion", ""),
                speaker=cells.get("speaker", ""),
                stretch=stretch,
                text=cells.get("text", ""),
                fold=cells.get("fold", ""),
                side=side,
                prediction=cells.get("prediction", ""),
                rated=rated,
                predicted=predicted,
            )
        )
    problems.refuse()
    return rows, table.ignored


def json_rows(file: Path, base: Path) -> list[Row]:
    """The rows of a file of JSON.

    Raises:
        CorpusError: It is not JSON, or not in a known form.
    """
    rows = []
    for number, values in enumerate(_listed(file), 1):
        path, emotion = _text(values, "path"), _text(values, "emotion", int)
        if not (path and emotion):
            raise CorpusError(f"{file}, utterance {number}: expected 'wav' and 'emo', or 'path' and 'label', as text")
        if path.startswith(_PLACEHOLDER):
            path = path.partition("}/")[2] or path
        rows.append(
            Row(
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
        )
    return rows


def _listed(file: Path) -> list[Mapping[str, Any]]:
    """The utterances of a file in any of the known forms."""
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
    return [values if isinstance(values, Mapping) else {} for values in listed]


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
