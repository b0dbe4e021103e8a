"""Rows of a split's table."""

from pathlib import Path

from ..corpora.stretches import Stretches
from ..corpora.table import read_table
from .files import SplitFile
from .row import HEADER, Entry
from .split import side_named

__all__ = ["table_entries"]

REQUIRED_COLUMNS = ("path", "emotion")
OPTIONAL_COLUMNS = (
    *("fold", "split", "speaker", "start", "end", "duration", "text", "prediction", "session", "gender", "meta_?*"),
)
"""Those of a manifest, too."""


def table_entries(file: SplitFile, base: Path) -> tuple[list[Entry], tuple[str, ...]]:
    """The rows of a table, and the columns that are not read.

    Raises:
        CorpusError: The file or lines of it are not as described; the message has all problems.
    """
    table = read_table(file.path, required=REQUIRED_COLUMNS, optional=OPTIONAL_COLUMNS, header=HEADER)
    columns, problems = set(table.columns), table.problems
    stretches, entries = Stretches(table), []
    for line in table.lines:
        cells, before = line.cells, len(problems)
        for column in ("path", "emotion", "fold", "split"):
            if cells.get(column) == "":
                problems.add(
                    f"empty {column}", line.number, f"the cell '{column}' is empty; expected a value in every row"
                )
        side = side_named(cells["split"]) if cells.get("split") else ""
        if side is None:
            sentence = f"'split' is '{cells['split']}'; expected train, validation (val, dev) or test"
            problems.add("split", line.number, sentence)
        stretch = stretches.of(line)
        if len(problems) > before or stretch is None or not set(REQUIRED_COLUMNS) <= columns:
            continue
        entries.append(
            Entry(
                path=cells["path"],
                base=base,
                emotion=cells["emotion"],
                speaker=cells.get("speaker", ""),
                stretch=stretch,
                text=cells.get("text", ""),
                fold=cells.get("fold", ""),
                side=side or "",
                prediction=cells.get("prediction", ""),
            )
        )
    problems.refuse()
    return entries, table.ignored
