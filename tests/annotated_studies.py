"""A project with registered models of tasks beyond classes, of the tiny corpus with ratings, votes and sets."""

import csv
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from tests.project_copies import copy_project

__all__ = ["LABELS", "NAME", "annotated", "run_studies"]

NAME = "ser-annotated-linear_probe"
LABELS = {"dimensions": ["arousal", "valence"], "votes": ["anger", "joy"], "several": ["anger", "joy", "tired"]}


def annotated(table: Path, columns: Mapping[str, str] | None = None) -> Path:
    """The tiny corpus with ratings that the loudest frequency gives away, votes and sets of emotions.

    `columns` are other names of columns.
    """
    with table.open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    for number, row in enumerate(rows):
        angry = row["emotion"] == "anger"
        row |= {"arousal": str((4 if angry else 2) + 0.1 * (number % 3)), "valence": str((1.5 if angry else 4) + 0.1)}
        row |= {"votes_anger": str(3 if angry else number % 2), "votes_joy": str(number % 2 if angry else 2)}
        row["emotions"] = row["emotion"] + ("|tired" if number % 4 == 0 else "")
    rows = [{(columns or {}).get(name, name): cell for name, cell in row.items()} for row in rows]
    path = table.with_name("annotated.csv")
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)
    return path


def run_studies(folder: Path, databases: Path, call: Callable[..., Any], make_corpus: Callable[..., Path]) -> None:
    """Run a study of each task, in `folder/project`, with the recordings in `folder/corpus`."""
    root = copy_project(databases, folder / "project")
    table = annotated(make_corpus(folder / "corpus"))
    for label in LABELS:
        task = ["--task", label, *(["--set", "task.scale=[1,5]"] if label == "dimensions" else [])]
        told = call(
            root,
            *("study", "--model", "linear_probe", "--features", "logmelspec", "--corpus", "manifest"),
            *("--data", table, *task, "--trials", "1", "--set", "features.n_mels=8"),
        )
        assert told.code == 0, told.err
        assert f"as {label} (" in told.out
        assert f"next: ser-tune predict {NAME}@{label} " in told.out
