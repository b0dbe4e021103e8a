"""Tables of corpora whose recordings nobody decodes."""

import csv
from collections.abc import Sequence
from pathlib import Path

SPEAKERS, EMOTIONS = ("ada", "bob", "cyd", "dan", "eve", "fay"), ("anger", "fear", "joy")
Row = dict[str, str]


def write_table(folder: Path, rows: Sequence[Row], name: str = "corpus.csv") -> Path:
    """Write a table into a folder, which is made where it is missing."""
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / name).open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)
    return folder / name
