"""The runs and predictions of stored trials, read from MLflow."""

import shlex
from collections.abc import Sequence

import optuna
from mlflow import MlflowClient
from mlflow.entities import Run

from ..config import Project
from ..errors import StudyError
from ..tracking import (
    Predictions,
    deliver_waiting,
    experiment_of,
    find_runs,
    name_of,
    named,
    read_predictions,
    tracking_errors,
    what_was_deleted,
)

__all__ = ["predictions_of", "runs_of"]


def runs_of(
    study: optuna.Study, numbers: Sequence[int], client: MlflowClient, project: Project, corpus: str
) -> Sequence[Run]:
    """The runs of some of a study's trials, after what waits of it is delivered.

    Raises:
        StudyError: MLflow has no such run: somebody deleted it.
        StorageError: The tracking store fails.
    """
    deliver_waiting(client, project, study.user_attrs["study_id"])
    with tracking_errors(project.tracking_uri):
        experiment = experiment_of(client, project, corpus)
        _, runs = find_runs(client, experiment, study.user_attrs["study_id"])
    for number in numbers:
        if number not in runs:
            gone = f"study '{study.study_name}': the run of trial {number} is gone from {named(project.tracking_uri)}"
            if deleted := what_was_deleted(client, study.study_name, study.user_attrs["study_id"]):
                raise StudyError(f"{gone}: {deleted}")
            raise StudyError(
                f"{gone}; restore it there, or start the study anew after `optuna delete-study --study-name "
                f"{shlex.quote(study.study_name)} --storage {project.storage_url}`"
            )
    return [runs[number] for number in numbers]


def predictions_of(client: MlflowClient, runs: Sequence[Run], side: str) -> Sequence[Predictions]:
    """What each run said of one side.

    Raises:
        StudyError: A run has lost it.
    """
    with tracking_errors(client.tracking_uri):
        read = [read_predictions(client, run, side) for run in runs]
    for run, one in zip(runs, read, strict=True):
        if one is None:
            raise StudyError(
                f"run {run.info.run_id} ({name_of(run)}): its {side} predictions are gone from {client.tracking_uri}"
            )
    return [one for one in read if one is not None]
