"""Tiny studies of one epoch: to be run, to be stopped by a leak, or not to be.

A plugin of all tests: it imports no library that takes seconds to load.
"""

from __future__ import annotations

import csv
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from ser_tune import coordination, protocol, search, tracking
from ser_tune.errors import LeakError

if TYPE_CHECKING:
    from ser_tune.project import Project
    from ser_tune.protocol import Prepared
    from ser_tune.search import StudyObserver, StudySummary


TASKS = ("classification", "dimensions", "distribution")
"""What tests of a stage of a study are run for."""
OTHER_TASKS = TASKS[1:]


def annotate(table: Path) -> Path:
    """Write the table of a tiny corpus again, with annotators' votes and ratings in place of the emotions."""
    annotated = table.with_name("annotated.csv")
    with table.open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    with annotated.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["path", "speaker", "votes_anger", "votes_joy", "arousal", "valence"])
        for number, row in enumerate(rows):
            anger, doubt = row["emotion"] == "anger", number % 3
            votes = (5 - doubt, doubt) if anger else (doubt, 5 - doubt)
            ratings = (4.0 - doubt / 2, 1.5 + doubt / 4) if anger else (3.0 + doubt / 4, 4.5 - doubt / 2)
            writer.writerow([row["path"], row["speaker"], *votes, *ratings])
    return annotated


@pytest.fixture(scope="session")
def annotated_csv(once: Callable[..., Path], make_corpus: Callable[..., Path]) -> Path:
    """The tiny corpus with votes and ratings; do not change it."""
    return once("annotated", lambda folder: annotate(make_corpus(folder))) / "annotated.csv"


@pytest.fixture(scope="session")
def data_of(corpus_csv: Path, annotated_csv: Path) -> Callable[[str], Path]:
    """The table that a task of `TASKS` trains on."""
    return lambda task: corpus_csv if task == "classification" else annotated_csv


@pytest.fixture(scope="session")
def file_of(study_file: Path) -> Callable[[str], Path]:
    """The tiny study's file without what a task of `TASKS` has no use for: dimensions have no classes to weigh."""

    def _file_of(task: str) -> Path:
        if task != "dimensions":
            return study_file
        lines = study_file.read_text(encoding="utf-8").splitlines(keepends=True)
        written = study_file.with_name(f"{task}.yaml")
        written.write_text("".join(line for line in lines if "class_weighting" not in line), encoding="utf-8")
        return written

    return _file_of


@pytest.fixture(scope="session")
def tiny_of(
    tiny: Callable[..., Any], file_of: Callable[[str], Path], data_of: Callable[[str], Path]
) -> Callable[..., Any]:
    """Define a tiny study of a task: `tiny_of("dimensions", name="a", **{"study.trials": 3})`."""

    def _tiny_of(task: str, **settings: object) -> Any:
        return tiny(file_of(task), **{"corpus.data": data_of(task), "task.name": task, **settings})

    return _tiny_of


@pytest.fixture
def run(tiny_of: Callable[..., Any], project: Project, recorder: Any) -> Callable[..., StudySummary]:
    """Run a tiny study of one epoch a fold: `run(3)` is `--trials 3`."""

    def _run(
        trials: int = 2, *, observer: StudyObserver = recorder, task: str = "classification", **settings: object
    ) -> StudySummary:
        quick = {
            "training.epochs": 1,
            "training.batch_size": 4,
            "study.trials": trials,
            "study.pruner": "none",
            "name": "one",
        }
        return search.run_study(protocol.prepare(tiny_of(task, **(quick | settings)), project), project, observer)

    return _run


@pytest.fixture
def study(
    tiny: Callable[..., Any], project: Project, make_corpus: Callable[..., Path], tmp_path: Path
) -> Callable[..., Prepared]:
    """Prepare a tiny study of one epoch, on the usual corpus or on one that is edited: its folder, and its rows."""

    def _study(edit: Callable[[Path, list[dict[str, str]]], None] | None = None, **flags: object) -> Prepared:
        quick: dict[str, object] = {"study.trials": 1, "training.epochs": 1, "training.batch_size": 4, "name": "one"}
        if edit is not None:
            table = make_corpus(tmp_path / "edited", ("ada", "bob", "cyd", "dan"))
            with table.open(encoding="utf-8", newline="") as file:
                rows = list(csv.DictReader(file))
            edit(table.parent, rows)
            columns = list(dict.fromkeys(name for row in rows for name in row))
            with table.open("w", encoding="utf-8", newline="") as file:
                writer = csv.DictWriter(file, columns, restval="")
                writer.writeheader()
                writer.writerows(rows)
            quick["corpus.data"] = table
        return protocol.prepare(tiny(**(quick | flags)), project)

    return _study


@pytest.fixture(scope="module")
def refusal(new_project: Callable[[str], Project]) -> Callable[[Prepared], str]:
    """Run a study that a leak stops; returns why, after a look at what was stored: nothing."""
    project = new_project("refused")
    workspace = tracking.Workspace(project)

    def _refusal(prepared: Prepared) -> str:
        with pytest.raises(LeakError) as caught:
            search.run_study(prepared, project, tracking.TrackingObserver(workspace))
        assert coordination.open_storage(project).get_all_studies() == []
        experiments = workspace.client.search_experiments()
        assert [experiment.name for experiment in experiments] == ["Default"]
        assert not workspace.client.search_runs([experiment.experiment_id for experiment in experiments])
        assert "\n" not in str(caught.value)
        return str(caught.value)

    return _refusal


@pytest.fixture
def passes(project: Project) -> Callable[[Prepared], None]:
    """Run a study that no leak stops."""

    def _passes(prepared: Prepared) -> None:
        assert search.run_study(prepared, project, search.StudyObserver()).complete == 1

    return _passes
