"""Promoting a study's trial to a registered model, as champion or challenger.

A version is compared with the present champion by pooled validation UAR, and only under the same protocol; test
speakers have no say. They are scored here, once for each promoted trial.
"""

import re
import tempfile
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from statistics import median

import optuna
from mlflow import MlflowClient
from mlflow.entities import Metric, Run, RunTag
from optuna.trial import TrialState

from ..config import Project
from ..errors import RegistryError
from ..prediction import Predictor
from ..study import Prepared, refit, score_test_speakers, summarise
from ..tracking import (
    MODEL_TAG,
    TRIAL_TAG,
    draw_confusion,
    experiment_of,
    find_runs,
    log_predictor,
    open_predictor,
    score_metrics,
    tracking_errors,
    write_predictions,
)
from .versions import CHAMPION, aliases_of, registered_name

__all__ = ["Promotion", "promote"]

CHALLENGER = "challenger"
REFIT_TAG = "ser_tune.refit_of"
"""On a version with one network for all speakers: the model of the folds that it stems from."""
VERSION_METRICS = tuple(
    f"{side}_{metric}" for side in ("validation", "test") for metric in ("uar", "wa", "uar_fold_mean", "uar_fold_std")
)


@dataclass(frozen=True, slots=True)
class Promotion:
    """What became of a trial."""

    name: str
    version: str
    alias: str
    """`champion` or `challenger`."""
    reason: str
    """Why it has this alias, in words."""
    trial: int
    metrics: Mapping[str, float]
    """The trial's validation and test metrics."""
    created: bool
    """False where the trial already had a version."""


def promote(
    client: MlflowClient,
    project: Project,
    prepared: Prepared,
    study: optuna.Study,
    *,
    trial: int | None = None,
    name: str | None = None,
    with_refit: bool = False,
) -> Promotion:
    """Make a trial a version of a registered model.

    Args:
        client: MLflow.
        project: Where things are.
        prepared: The study's corpus and folds, as they were when it ran.
        study: Its record in Optuna.
        trial: Which trial; None is the best.
        name: What to register it as; None is `ser-<corpus>-<model>`.
        with_refit: Register one network trained on all speakers instead of the folds' networks.

    Raises:
        RegistryError: There is no such complete trial, or its model was not kept.
        StorageError: The tracking store fails.
    """
    with tracking_errors(project.tracking_uri):
        return _promote(client, project, prepared, study, trial=trial, name=name, with_refit=with_refit)


def _promote(
    client: MlflowClient,
    project: Project,
    prepared: Prepared,
    study: optuna.Study,
    *,
    trial: int | None,
    name: str | None,
    with_refit: bool,
) -> Promotion:
    config = prepared.definition.config
    name = name or registered_name(config.corpus.name, config.model.name)
    if not re.fullmatch(r"\w[\w.-]*", name):
        raise RegistryError(
            f"'{name}' cannot be a registered model's name; expected a letter or digit, then letters, digits, '_', '-' "
            "and '.'"
        )
    number = _complete_trial(study, trial)
    experiment = experiment_of(client, project, prepared.corpus.name)
    _, runs = find_runs(client, experiment, study.user_attrs["study_id"])
    run = runs.get(number)
    if run is None:
        raise RegistryError(f"trial {number} of study '{study.study_name}' has no run in {project.tracking_uri}")
    model_id = run.data.tags.get(MODEL_TAG)
    if model_id is None:
        raise RegistryError(
            f"the model of trial {number} of study '{study.study_name}' was not kept; run the study with more "
            "--keep-models"
        )
    metrics = _tested(client, run, model_id, prepared, project)
    kind = REFIT_TAG if with_refit else MODEL_TAG
    if existing := client.search_model_versions(f"name = '{name}' and tags.`{kind}` = '{model_id}'"):
        version = existing[0]
        aliases = [key for key, value in aliases_of(client, name).items() if value == str(version.version)]
        return Promotion(
            name=name,
            version=str(version.version),
            alias=aliases[0] if aliases else "",
            reason="it was registered before",
            trial=number,
            metrics=metrics,
            created=False,
        )
    networks, origin = str(len(prepared.folds)), {}
    if with_refit:
        origin = {REFIT_TAG: model_id}
        epochs = round(median(value for key, value in run.data.metrics.items() if key.endswith("/kept_epoch")))
        model_id = log_predictor(
            client,
            _refitted(run, prepared, study, number, epochs, project),
            experiment_id=experiment,
            run_id=run.info.run_id,
            name="refit",
            tags={TRIAL_TAG: str(number)},
        )
        networks = f"1, trained on all speakers for {epochs} epochs"
    fingerprint = prepared.protocol.fingerprint
    alias, reason = _verdict(client, name, metrics["validation_uar"], fingerprint)
    tags = {
        MODEL_TAG: model_id,
        **origin,
        "fingerprint": fingerprint,
        "corpus": prepared.corpus.name,
        "study": study.study_name,
        "trial": str(number),
        "networks": networks,
        "emotions": " ".join(prepared.corpus.emotions),
        "normalisation_scope": prepared.protocol.facts["normalisation_scope"],
        "verdict": reason,
        **{key: f"{metrics[key]:.4f}" for key in VERSION_METRICS},
    }
    if not client.search_registered_models(f"name = '{name}'"):
        client.create_registered_model(name)
    version = client.create_model_version(
        name,
        source=f"models:/{model_id}",
        run_id=run.info.run_id,
        model_id=model_id,
        tags=tags,
        description=_card(prepared, metrics, networks),
    )
    client.set_registered_model_alias(name, alias, str(version.version))
    return Promotion(
        name=name,
        version=str(version.version),
        alias=alias,
        reason=reason,
        trial=number,
        metrics=metrics,
        created=True,
    )


def _complete_trial(study: optuna.Study, wanted: int | None) -> int:
    """The number of the trial to promote, which must have completed."""
    if wanted is None:
        best = summarise(study).best
        if best is None:
            raise RegistryError(f"study '{study.study_name}' has no complete trial to promote")
        return best[0]
    complete = [one.number for one in study.get_trials(deepcopy=False) if one.state == TrialState.COMPLETE]
    if wanted not in complete:
        shown = ", ".join(map(str, complete[:20])) or "none"
        raise RegistryError(f"study '{study.study_name}' has no complete trial {wanted}; complete are: {shown}")
    return wanted


def _tested(client: MlflowClient, run: Run, model_id: str, prepared: Prepared, project: Project) -> dict[str, float]:
    """The run's metrics with the test speakers' scores, which are computed where they are not there yet."""
    if "test_uar" not in run.data.metrics:
        held_out = score_test_speakers(prepared, open_predictor(f"models:/{model_id}"), project.cache)
        emotions = prepared.corpus.emotions
        now = int(time.time() * 1000)
        with tempfile.TemporaryDirectory(prefix="ser-tune-") as temporary:
            folder = Path(temporary)
            write_predictions(folder / "test_predictions.csv", held_out, prepared.corpus)
            draw_confusion(folder / "test_confusion.png", held_out, emotions, f"test, UAR {held_out.scores.uar:.3f}")
            client.log_artifacts(run.info.run_id, str(folder))
        metrics = [
            Metric(key, value, now, 0) for key, value in score_metrics(held_out.scores, emotions, "test").items()
        ]
        client.log_batch(run.info.run_id, metrics=metrics, tags=[RunTag("ser_tune.promoted", "true")])
        run = client.get_run(run.info.run_id)
    return {key: value for key, value in run.data.metrics.items() if key.startswith(("validation_", "test_"))}


def _refitted(
    run: Run, prepared: Prepared, study: optuna.Study, number: int, epochs: int, project: Project
) -> Predictor:
    """One network of the trial's configuration, trained on all speakers."""
    decided = {key: run.data.params[key] for key in ("training.device", "training.precision")}
    sampled = next(one.params for one in study.get_trials(deepcopy=False) if one.number == number)
    config = prepared.definition.trial(sampled | decided, seed=int(run.data.params["seed"]))
    return refit(prepared, config, epochs, project)


def _verdict(client: MlflowClient, name: str, uar: float, fingerprint: str) -> tuple[str, str]:
    """The alias of a new version, and why."""
    aliases = aliases_of(client, name)
    if CHAMPION not in aliases:
        return CHAMPION, "there was no champion before"
    present = client.get_model_version(name, aliases[CHAMPION])
    score = float(present.tags.get("validation_uar", "nan"))
    before = f"version {present.version}"
    if present.tags.get("fingerprint") != fingerprint:
        return CHALLENGER, f"the champion, {before}, was scored under another protocol; the two are not comparable"
    if float(f"{uar:.4f}") > score:  # as tags have it: a score must not beat itself by what rounding took
        return CHAMPION, f"its validation UAR {uar:.4f} beats the {score:.4f} of {before}"
    return CHALLENGER, f"its validation UAR {uar:.4f} does not beat the {score:.4f} of the champion, {before}"


def _card(prepared: Prepared, metrics: Mapping[str, float], networks: str) -> str:
    """A version's description, Markdown."""
    facts = "\n".join(f"- {name.replace('_', ' ')}: {value}" for name, value in prepared.protocol.facts.items())
    return (
        f"Networks: {networks}\n\n"
        "| side | UAR | WA | UAR over folds |\n|---|---|---|---|\n"
        + "".join(
            f"| {side} | {metrics[f'{side}_uar']:.4f} | {metrics[f'{side}_wa']:.4f} "
            f"| {metrics[f'{side}_uar_fold_mean']:.4f} ± {metrics[f'{side}_uar_fold_std']:.4f} |\n"
            for side in ("validation", "test")
        )
        + f"\nValidation chose the epoch and the trial; test speakers were scored after that.\n\nProtocol:\n\n{facts}\n"
    )
