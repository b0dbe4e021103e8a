"""The runs and predictions of stored trials, read from MLflow."""

import shlex
from collections.abc import Sequence

import optuna
from mlflow.entities import Run

from ..errors import StudyError
from ..tracking import (
    Predictions,
    Workspace,
    deliver_waiting,
    find_runs,
    name_of,
    read_predictions,
    what_was_deleted,
)

__all__ = ["predictions_of", "runs_of"]


def runs_of(workspace: Workspace, study: optuna.Study, numbers: Sequence[int], corpus: str) -> Sequence[Run]:
    """The runs of some of a study's trials, after what waits of it is delivered.

    Raises:
        StudyError: MLflow has no such run: somebody deleted it.
        StorageError: The tracking store fails.
    """
    deliver_waiting(workspace, study.user_attrs["study_id"])
    with workspace.errors():
        experiment = workspace.experiment(corpus)
        _, runs = find_runs(workspace, experiment, study.user_attrs["study_id"])
    for number in numbers:
        if number not in runs:
            gone = f"study '{study.study_name}': the run of trial {number} is gone from {workspace.store}"
            if deleted := what_was_deleted(workspace, study.study_name, study.user_attrs["study_id"]):
                raise StudyError(f"{gone}: {deleted}")
            raise StudyError(
                f"{gone}; restore it there, or start the study anew after `optuna delete-study --study-name "
                f"{shlex.quote(study.study_name)} --storage {workspace.project.storage_url}`"
            )
    return [runs[number] for number in numbers]


def predictions_of(workspace: Workspace, runs: Sequence[Run], side: str) -> Sequence[Predictions]:
    """What each run said of one side.

    Raises:
        StudyError: A run has lost it.
    """
    with workspace.errors():
        read = [read_predictions(workspace, run, side) for run in runs]
    for run, one in zip(runs, read, strict=True):
        if one is None:
            raise StudyError(
                f"run {run.info.run_id} ({name_of(run)}): its {side} predictions are gone from {workspace.store}"
            )
    return [one for one in read if one is not None]
