"""Projects with a tracking store, and the runs of their one study."""

from collections.abc import Callable
from pathlib import Path

import pytest
from mlflow import MlflowClient
from mlflow.entities import Run

from ser_tune.config import Project
from ser_tune.tracking import find_runs


@pytest.fixture(scope="session")
def project_in(shared_cache: Path) -> Callable[[Path], Project]:
    """A project of a folder with databases."""

    def _project(root: Path) -> Project:
        return Project(root, f"sqlite:///{root}/mlruns/mlflow.db", f"sqlite:///{root}/studies/optuna.db", shared_cache)

    return _project


@pytest.fixture(scope="session")
def study_runs() -> Callable[[Project, MlflowClient], tuple[Run, dict[int, Run]]]:
    """The run of a project's one study, and those of its trials by number."""

    def _runs(project: Project, client: MlflowClient) -> tuple[Run, dict[int, Run]]:
        experiment = client.get_experiment_by_name("manifest")
        assert experiment is not None
        studies = {run.data.tags["ser_tune.study_id"] for run in client.search_runs([experiment.experiment_id])}
        parent, trials = find_runs(client, experiment.experiment_id, studies.pop())
        assert parent is not None
        assert not studies
        return parent, trials

    return _runs
