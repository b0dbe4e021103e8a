"""The runs of a project's only study."""

from collections.abc import Callable

import pytest
from mlflow.entities import Run

from ser_tune.project import Project
from ser_tune.tracking import Workspace, find_runs


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
