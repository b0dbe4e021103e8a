"""Find, report and restore runs and experiments that somebody deleted in MLflow.

MLflow marks deleted runs and keeps them until `mlflow gc` removes them.
"""

import shlex
from collections.abc import Sequence

from mlflow.entities import Run

from .queries import experiments_of, search_runs
from .runs import STUDY_NAME_TAG, STUDY_TAG, TRIAL_TAG
from .workspace import Workspace

__all__ = ["deleted_of", "restore_study", "restoring", "what_was_deleted"]


def deleted_of(workspace: Workspace, study: str, study_id: str | None = None) -> list[Run]:
    """The deleted runs of a study that can be restored, newest first.

    Without `study_id`, the runs of the newest study with this name and a deleted run.
    """
    everywhere = experiments_of(workspace, deleted=True)
    found = list(search_runs(workspace, "", everywhere, tags={STUDY_NAME_TAG: study}, deleted=True))
    ours = [run for run in found if STUDY_TAG in run.data.tags]
    wanted = study_id or (ours[0].data.tags[STUDY_TAG] if ours else "")
    return [run for run in ours if run.data.tags[STUDY_TAG] == wanted]


def what_was_deleted(workspace: Workspace, study: str, study_id: str | None = None) -> str:
    """A sentence that lists the deleted runs of a study and the command to restore them; empty if there are none."""
    if not (runs := deleted_of(workspace, study, study_id)):
        return ""
    numbers = sorted({int(text) for run in runs if (text := run.data.tags.get(TRIAL_TAG, "")).isdecimal()})
    shown = ", ".join(map(str, numbers[:10])) + (f" and {len(numbers) - 10} more" if len(numbers) > 10 else "")
    trials = f"of {'trial' if len(numbers) == 1 else 'trials'} {shown}" if numbers else ""
    own = "of the study itself" if len(runs) > len(numbers) else ""
    what = " and ".join(filter(None, (own, trials)))
    return f"somebody deleted the runs {what} of '{study}' in MLflow; {restoring(study)} restores them"


def restoring(study: str) -> str:
    """The command that restores the deleted runs of a study, quoted for a message."""
    return f"`ser-tune sync --restore {shlex.quote(study)}`"


def restore_study(workspace: Workspace, study: str) -> Sequence[Run]:
    """Restore a study's deleted runs and their experiment.

    Returns:
        The restored runs.
    """
    runs = deleted_of(workspace, study)
    for experiment in {run.info.experiment_id for run in runs}:
        if workspace.client.get_experiment(experiment).lifecycle_stage == "deleted":
            workspace.client.restore_experiment(experiment)
    for run in runs:
        if workspace.client.get_run(run.info.run_id).info.lifecycle_stage == "deleted":
            workspace.client.restore_run(run.info.run_id)
    return runs
