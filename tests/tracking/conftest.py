"""Projects with a tracking store, and the runs of their one study."""

from collections.abc import Callable
from pathlib import Path

import pytest
from mlflow.entities import Run

from ser_tune.config import Project
from ser_tune.tracking import Workspace, find_runs


@pytest.fixture(scope="session")
def project_in(shared_cache: Path) -> Callable[[Path], Project]:
    """A project of a folder with databases."""

    def _project(root: Path) -> Project:
        return Project(root, f"sqlite:///{root}/mlruns/mlflow.db", f"sqlite:///{root}/studies/optuna.db", shared_cache)

    return _project


@pytest.fixture(scope="session")
def study_runs() -> Callable[[Project, Workspace], tuple[Run, dict[int, Run]]]:
    """The run of a project's one study, and those of its trials by number."""

    def _runs(project: Project, workspace: Workspace) -> tuple[Run, dict[int, Run]]:
        experiment = workspace.client.get_experiment_by_name("manifest")
        assert experiment is not None
        studies = {
            run.data.tags["ser_tune.study_id"] for run in workspace.client.search_runs([experiment.experiment_id])
        }
        parent, trials = find_runs(workspace, experiment.experiment_id, studies.pop())
        assert parent is not None
        assert not studies
        return parent, trials

    return _runs
