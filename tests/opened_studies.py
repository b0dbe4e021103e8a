"""Projects with databases, and the finished study, opened where it lies or in a copy.

A plugin of all tests: it imports no library that takes seconds to load.
"""

from __future__ import annotations

import csv
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import pytest

from ser_tune import coordination, protocol, tracking
from ser_tune.project import Project
from tests.project_copies import copy_project

if TYPE_CHECKING:
    import optuna
    from mlflow.entities import Run


class Opened(NamedTuple):
    """A study of a project, and what there is of it in every store."""

    project: Project
    workspace: tracking.Workspace
    study: optuna.Study
    prepared: Any
    runs: dict[int, Run]

    @property
    def best(self) -> int:
        """The number of the best trial."""
        return int(self.study.best_trial.number)

    def predictions(self, number: int, side: str = "validation") -> list[dict[str, str]]:
        """The rows of a trial's table, as they lie in the artifact folder, sorted by utterance."""
        uri = self.runs[number].info.artifact_uri
        with Path(uri.removeprefix("file://"), f"{side}_predictions.csv").open(encoding="utf-8", newline="") as file:
            return sorted(csv.DictReader(file), key=lambda row: row["utterance"])


@pytest.fixture(scope="session")
def project_in(shared_cache: Path) -> Callable[[Path], Project]:
    """The project of a folder with databases."""

    def _project(root: Path) -> Project:
        urls = f"sqlite:///{root}/mlruns/mlflow.db", f"sqlite:///{root}/studies/optuna.db"
        return Project(root, *urls, shared_cache)

    return _project


@pytest.fixture(scope="session")
def new_project(
    databases: Path, project_in: Callable[[Path], Project], tmp_path_factory: pytest.TempPathFactory
) -> Callable[[str], Project]:
    """A project in which nothing ran yet, in a folder of its own: `new_project("nested")`."""

    def _new(name: str) -> Project:
        return project_in(copy_project(databases, tmp_path_factory.mktemp(name) / "project"))

    return _new


@pytest.fixture(scope="session")
def open_study(project_in: Callable[[Path], Project]) -> Callable[..., Opened]:
    """Open a study: `open_study(root, "first")`."""

    def _open(root: Path, name: str = "first") -> Opened:
        project = project_in(root)
        workspace = tracking.Workspace(project)
        study, definition = coordination.load_study(name, project)
        experiment = workspace.client.get_experiment_by_name(definition.config.corpus.shown)
        assert experiment is not None
        _, runs = tracking.find_runs(workspace, experiment.experiment_id, study.user_attrs["study_id"])
        return Opened(project, workspace, study, protocol.prepare(definition, project), runs)

    return _open


@pytest.fixture
def first(finished: Any, open_study: Callable[..., Opened]) -> Opened:
    """The finished study; do not change it."""
    return open_study(finished.root)


@pytest.fixture
def first_of(
    finish: Callable[..., Any],
    file_of: Callable[[str], Path],
    data_of: Callable[[str], Path],
    open_study: Callable[..., Opened],
) -> Callable[[str], Opened]:
    """The finished study of a task; do not change it."""

    def _first_of(task: str) -> Opened:
        if task == "classification":
            return open_study(finish("finished").root)
        settings = ("--set", f"task.name={task}")
        return open_study(finish(f"finished-{task}", file_of(task), data_of(task), *settings).root)

    return _first_of


@pytest.fixture
def copied(finished_copy: Any, open_study: Callable[..., Opened]) -> Opened:
    """The finished study in a project that may be changed."""
    return open_study(finished_copy.root)


@pytest.fixture
def located(copied: Opened, monkeypatch: pytest.MonkeyPatch) -> Opened:
    """The same; functions that open a project themselves find it by the environment."""
    monkeypatch.setenv("SER_TUNE_ROOT", str(copied.project.root))
    monkeypatch.setenv("SER_TUNE_CACHE", str(copied.project.cache))
    return copied


@pytest.fixture
def _no_pictures(monkeypatch: pytest.MonkeyPatch) -> None:
    """Pictures take time."""
    monkeypatch.setattr("ser_tune.tracking.run_metrics.draw_confusion", lambda *_: None)
