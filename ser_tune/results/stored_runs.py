"""Runs of stored results: found by a user's reference or a trial's number, with their definitions and predictions."""

import re
import shlex
from collections.abc import Sequence

import optuna
import yaml
from mlflow.entities import Run
from mlflow.exceptions import MlflowException

from ..definition import StudyDefinition
from ..errors import RegistryError, StudyError
from ..metrics import Ranking
from ..registry import find_version, is_registered
from ..stored_names import inner_name, model_of_result, unknown_result, unknown_run
from ..tracking import (
    BEST_TAG,
    CONFIG_FILE,
    CONFIRMED_TAG,
    STUDY_FILE,
    STUDY_NAME_TAG,
    STUDY_TAG,
    TRIAL_TAG,
    Predictions,
    Result,
    Workspace,
    deliver_waiting,
    find_runs,
    is_complete,
    name_of,
    objective_of,
    read_predictions,
    registered_models,
    results_of,
    search_runs,
    what_was_deleted,
    with_its_seeds,
)
from ..training import AnyTrial

__all__ = ["find_results", "find_run", "predictions_of", "recorded", "runs_of"]


def find_run(workspace: Workspace, reference: str) -> Run:
    """The run of a complete trial.

    Args:
        workspace: The project's stores.
        reference: A registered model (`name`, `name@alias`, `name/version`), a study's name (its best trial) with
            `:NUMBER` (that trial), or a run's identifier.

    Raises:
        RegistryError: There is no such result, or its trial did not complete.
    """
    run = _run(workspace, reference)
    if not is_complete(run):
        raise RegistryError(f"'{reference}' is run {run.info.run_id}, which has no complete trial's scores")
    return run


def find_results(workspace: Workspace, reference: str, top: int = 1) -> Sequence[Result]:
    """The results that a reference names.

    Args:
        workspace: The project's stores.
        reference: As for `find_run`. A study's name means its best configuration, by the mean over its seeds; of a
            study with a confirmation, the confirmed configuration.
        top: Number of the best configurations of a study's name. Several are all searched ones, so that a
            configuration that a confirmation trained again is not there twice.

    Returns:
        `top` results or fewer, the best first; a single one where the reference is no study's name.

    Raises:
        RegistryError: There is no such result, or its trial did not complete.
    """
    run = find_run(workspace, reference)
    if run.data.tags.get(STUDY_NAME_TAG) != reference:
        return [Result((run,))]
    _, trials = find_runs(workspace, run.info.experiment_id, run.data.tags[STUDY_TAG])
    if top == 1 and CONFIRMED_TAG in run.data.tags:
        return [with_its_seeds(workspace, run)]
    found = results_of(filter(is_complete, trials.values()))
    searched = [result for result in found if CONFIRMED_TAG not in result.run.data.tags]
    return Ranking(objective_of(run)).best_first(searched, lambda result: result.mean)[:top]


def recorded(workspace: Workspace, run: Run) -> tuple[StudyDefinition, AnyTrial]:
    """A trial's study and its concrete configuration.

    Raises:
        RegistryError: The run does not hold them.
    """
    study, config = (workspace.artifact(run.info.run_id, name) for name in (STUDY_FILE, CONFIG_FILE))
    if study is None or config is None:
        raise RegistryError(
            f"run {run.info.run_id} has no {STUDY_FILE} and {CONFIG_FILE}; only trials of ser-tune have them"
        )
    definition = StudyDefinition.from_json(study.decode())
    return definition, definition.stored_trial(yaml.safe_load(config))


def runs_of(workspace: Workspace, study: optuna.Study, numbers: Sequence[int], corpus: str) -> Sequence[Run]:
    """The runs of some of a study's trials, after events that wait for delivery are delivered.

    Raises:
        StudyError: MLflow has no such run, because it was deleted.
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
    """The predictions of each run for one side.

    Raises:
        StudyError: A run has lost them.
    """
    with workspace.errors():
        read = [read_predictions(workspace, run, side) for run in runs]
    for run, predictions in zip(runs, read, strict=True):
        if predictions is None:
            raise StudyError(
                f"run {run.info.run_id} ({name_of(run)}): its {side} predictions are gone from {workspace.store}"
            )
    return [predictions for predictions in read if predictions is not None]


def _run(workspace: Workspace, reference: str) -> Run:
    """The run of a registered model, of an identifier, of a study's best trial, or of a trial of a study."""
    if (model := model_of_result(reference)) and is_registered(workspace, model):
        return workspace.client.get_run(str(find_version(workspace, reference).run_id))
    if re.fullmatch("[0-9a-f]{32}", reference):
        try:
            return workspace.client.get_run(reference)
        except MlflowException:
            raise unknown_run(reference, workspace.store) from None
    candidates = [(reference, "")]
    study, _, number = reference.rpartition(":")
    if number.isdecimal():
        candidates.append((study, number))
    for name, wanted in candidates:
        if runs := list(search_runs(workspace, tags={STUDY_NAME_TAG: name})):
            return _trial(workspace, runs, name, wanted)
    for name, _ in candidates:
        if name and (deleted := what_was_deleted(workspace, name)):
            raise RegistryError(deleted)
    models = sorted(model.name for model in registered_models(workspace))
    studies = {run.data.tags[STUDY_NAME_TAG] for run in search_runs(workspace, having=[STUDY_NAME_TAG])}
    raise unknown_result(reference, models, sorted(studies))


def _trial(workspace: Workspace, runs: Sequence[Run], study: str, number: str) -> Run:
    """The run of a trial of the newest study among runs of a name; no number is its best trial."""
    trials = [run for run in runs if STUDY_TAG in run.data.tags]
    if not trials:
        raise RegistryError(
            f"'{study}' is a nested study, which has scores but no trials; name a search of it, such as "
            f"'{inner_name(study, 0)}'"
        )
    newest = [run for run in trials if run.data.tags[STUDY_TAG] == trials[0].data.tags[STUDY_TAG]]
    wanted = number or next((run.data.tags[BEST_TAG] for run in newest if BEST_TAG in run.data.tags), None)
    for run in newest:
        if wanted is not None and run.data.tags.get(TRIAL_TAG) == wanted:
            return run
    missing = f"study '{study}' has no {f'trial {number}' if number else 'complete trial'}"
    deleted = what_was_deleted(workspace, study, trials[0].data.tags[STUDY_TAG])
    raise RegistryError(f"{missing}: {deleted}" if deleted else missing)
