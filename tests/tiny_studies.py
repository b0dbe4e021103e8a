"""Tiny studies of one epoch: to be run, to be stopped by a leak, or not to be.

A plugin of all tests: it imports no library that takes seconds to load.
"""

from __future__ import annotations

import csv
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from ser_tune import config, coordination, protocol, search, tracking
from ser_tune.errors import LeakError

if TYPE_CHECKING:
    from ser_tune.config import Project
    from ser_tune.protocol import Prepared
    from ser_tune.search import StudyObserver, StudySummary


@pytest.fixture
def run(tiny: Callable[..., Any], project: Project, recorder: Any) -> Callable[..., StudySummary]:
    """Run a tiny study of one epoch a fold: `run(3)` is `--trials 3`."""

    def _run(trials: int = 2, *, observer: StudyObserver = recorder, **settings: object) -> StudySummary:
        quick = {
            "training.epochs": 1,
            "training.batch_size": 4,
            "study.trials": trials,
            "study.pruner": "none",
            "name": "one",
        }
        return search.run_study(protocol.prepare(tiny(**(quick | settings)), project), project, observer)

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
def refusal(databases: Path, shared_cache: Path, tmp_path_factory: pytest.TempPathFactory) -> Callable[[Prepared], str]:
    """Run a study that a leak stops; returns why, after a look at what was stored: nothing."""
    root = Path(shutil.copytree(databases, tmp_path_factory.mktemp("refused") / "project"))
    project = config.Project(
        root, f"sqlite:///{root}/mlruns/mlflow.db", f"sqlite:///{root}/studies/optuna.db", shared_cache
    )
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
