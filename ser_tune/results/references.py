"""What a person calls a result, a registered model's version, a study, or a run; and what its run says of itself."""

import re
import tempfile
from collections.abc import Sequence
from pathlib import Path

import yaml
from mlflow.entities import Run
from mlflow.exceptions import MlflowException

from ..config import flatten
from ..definition import StudyDefinition
from ..errors import RegistryError, valid_names
from ..metrics import Ranking
from ..registry import find_version, is_registered
from ..tracking import (
    BEST_TAG,
    CONFIG_FILE,
    CONFIRMED_TAG,
    STUDY_FILE,
    STUDY_NAME_TAG,
    STUDY_TAG,
    TRIAL_TAG,
    Result,
    Workspace,
    find_runs,
    is_complete,
    objective_of,
    registered_models,
    results_of,
    search_runs,
    what_was_deleted,
    with_its_seeds,
)
from ..training import AnyTrial

__all__ = ["find_results", "find_run", "recorded"]


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
    """What a person means by a reference.

    Args:
        workspace: The project's stores.
        reference: As for `find_run`. A study's name means its best configuration, by the mean over its seeds; of a
            study with a confirmation, the confirmed one.
        top: Of a study's name, so many of its best configurations. Several are all searched ones: what a confirmation
            trained again is there once already.

    Returns:
        As many as asked for, or as there are; best first. One, where the reference is no study's name.

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
    searched = [one for one in found if CONFIRMED_TAG not in one.run.data.tags]
    return Ranking(objective_of(run)).best_first(searched, lambda one: one.mean)[:top]


def recorded(workspace: Workspace, run: Run) -> tuple[StudyDefinition, AnyTrial]:
    """A trial's study and its concrete configuration.

    Raises:
        RegistryError: The run does not hold them.
    """
    with tempfile.TemporaryDirectory(prefix="ser-tune-") as temporary:
        try:
            study, config = (
                Path(workspace.client.download_artifacts(run.info.run_id, name, temporary)).read_text(encoding="utf-8")
                for name in (STUDY_FILE, CONFIG_FILE)
            )
        except (MlflowException, OSError):
            raise RegistryError(
                f"run {run.info.run_id} has no {STUDY_FILE} and {CONFIG_FILE}; only trials of ser-tune have them"
            ) from None
    definition = StudyDefinition.from_json(study)
    return definition, definition.trial(flatten(yaml.safe_load(config)))


def _run(workspace: Workspace, reference: str) -> Run:
    if re.fullmatch(r"[^@/]+(@.+|/\d+)?", reference) and is_registered(workspace, re.split("[@/]", reference)[0]):
        return workspace.client.get_run(str(find_version(workspace, reference).run_id))
    if re.fullmatch("[0-9a-f]{32}", reference):
        try:
            return workspace.client.get_run(reference)
        except MlflowException:
            raise RegistryError(f"no run '{reference}' in {workspace.store}") from None
    study, runs = reference, list(search_runs(workspace, tags={STUDY_NAME_TAG: reference}))
    number = ""
    if not runs:
        study, _, number = reference.rpartition(":")
        runs = list(search_runs(workspace, tags={STUDY_NAME_TAG: study})) if number.isdecimal() else []
    if not runs:
        for name in filter(None, (reference, study if number.isdecimal() else "")):
            if deleted := what_was_deleted(workspace, name):
                raise RegistryError(deleted)
        models = sorted(model.name for model in registered_models(workspace))
        studies = {run.data.tags[STUDY_NAME_TAG] for run in search_runs(workspace, f"tags.`{STUDY_NAME_TAG}` != ''")}
        raise RegistryError(
            f"'{reference}' is no registered model, study or run; models: {valid_names(reference, models)}; "
            f"studies: {valid_names(reference, sorted(studies))}"
        )
    ours = [run for run in runs if STUDY_TAG in run.data.tags]
    # The newest study of that name, where there are several
    runs = [run for run in ours if run.data.tags[STUDY_TAG] == ours[0].data.tags[STUDY_TAG]]
    best = next((run.data.tags[BEST_TAG] for run in runs if BEST_TAG in run.data.tags), None)
    wanted = number or best
    for run in runs:
        if wanted is not None and run.data.tags.get(TRIAL_TAG) == wanted:
            return run
    missing = f"study '{study}' has no {f'trial {number}' if number else 'complete trial'}"
    deleted = what_was_deleted(workspace, study, ours[0].data.tags[STUDY_TAG])
    raise RegistryError(f"{missing}: {deleted}" if deleted else missing)
