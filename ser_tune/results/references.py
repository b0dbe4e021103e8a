"""What a person calls a result, a registered model's version, a study, or a run; and what its run says of itself."""

import re
import tempfile
from pathlib import Path

import yaml
from mlflow import MlflowClient
from mlflow.entities import Run
from mlflow.exceptions import MlflowException

from ..config import flatten
from ..errors import RegistryError
from ..registry import find_version
from ..study import StudyDefinition
from ..tracking import BEST_TAG, CONFIG_FILE, STUDY_FILE, STUDY_NAME_TAG, STUDY_TAG, TRIAL_TAG, search_runs
from ..training import AnyTrial

__all__ = ["find_run", "is_complete", "recorded"]


def find_run(client: MlflowClient, reference: str) -> Run:
    """The run of a complete trial.

    Args:
        client: MLflow.
        reference: A registered model (`name`, `name@alias`, `name/version`), a study's name (its best trial) with
            `:NUMBER` (that trial), or a run's identifier.

    Raises:
        RegistryError: There is no such result, or its trial did not complete.
    """
    run = _run(client, reference)
    if not is_complete(run):
        raise RegistryError(f"'{reference}' is run {run.info.run_id}, which has no complete trial's scores")
    return run


def is_complete(run: Run) -> bool:
    """Whether a run has all its scores, and was stored to its end."""
    return "validation_uar" in run.data.metrics and run.info.status == "FINISHED"


def recorded(client: MlflowClient, run: Run) -> tuple[StudyDefinition, AnyTrial]:
    """A trial's study and its concrete configuration.

    Raises:
        RegistryError: The run does not hold them.
    """
    with tempfile.TemporaryDirectory(prefix="ser-tune-") as temporary:
        try:
            study, config = (
                Path(client.download_artifacts(run.info.run_id, name, temporary)).read_text(encoding="utf-8")
                for name in (STUDY_FILE, CONFIG_FILE)
            )
        except (MlflowException, OSError):
            raise RegistryError(
                f"run {run.info.run_id} has no {STUDY_FILE} and {CONFIG_FILE}; only trials of ser-tune have them"
            ) from None
    definition = StudyDefinition.from_json(study)
    return definition, definition.trial(flatten(yaml.safe_load(config)))


def _run(client: MlflowClient, reference: str) -> Run:
    name = re.split("[@/]", reference)[0]
    models = {model.name for model in client.search_registered_models(max_results=1000)}
    if name in models:
        return client.get_run(str(find_version(client, reference).run_id))
    study, _, number = reference.partition(":")
    if re.fullmatch("[0-9a-f]{32}", reference):
        try:
            return client.get_run(reference)
        except MlflowException:
            raise RegistryError(f"no run '{reference}' in {client.tracking_uri}") from None
    runs = list(search_runs(client, f"tags.`{STUDY_NAME_TAG}` = '{study}'")) if "'" not in study else []
    if not runs:
        studies = {run.data.tags[STUDY_NAME_TAG] for run in search_runs(client, f"tags.`{STUDY_NAME_TAG}` != ''")}
        raise RegistryError(
            f"'{reference}' is no registered model, study or run; models: {', '.join(sorted(models)) or 'none'}; "
            f"studies: {', '.join(sorted(studies)) or 'none'}"
        )
    ours = [run for run in runs if STUDY_TAG in run.data.tags]
    # The newest study of that name, where there are several
    runs = [run for run in ours if run.data.tags[STUDY_TAG] == ours[0].data.tags[STUDY_TAG]]
    best = next((run.data.tags[BEST_TAG] for run in runs if BEST_TAG in run.data.tags), None)
    wanted = number or best
    for run in runs:
        if wanted is not None and run.data.tags.get(TRIAL_TAG) == wanted:
            return run
    raise RegistryError(f"study '{study}' has no {f'trial {number}' if number else 'complete trial'}")
