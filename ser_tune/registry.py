"""Champions: promoting a study's trial to a registered model, and finding registered models by name.

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
from mlflow.entities.model_registry import ModelVersion
from mlflow.exceptions import MlflowException
from optuna.trial import TrialState

from .config import Project
from .errors import RegistryError
from .prediction import Predictor
from .study import Prepared, refit, score_test_speakers, summarise
from .tracking import (
    MODEL_TAG,
    TRIAL_TAG,
    draw_confusion,
    experiment_of,
    find_runs,
    log_predictor,
    open_predictor,
    open_tracking,
    score_metrics,
    write_predictions,
)

__all__ = ["Promotion", "RegisteredVersion", "list_versions", "load_model", "promote", "registered_name", "resolve"]

CHAMPION, CHALLENGER = "champion", "challenger"
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


@dataclass(frozen=True, slots=True)
class RegisteredVersion:
    """One version of a registered model."""

    name: str
    version: str
    aliases: tuple[str, ...]
    tags: Mapping[str, str]


def registered_name(corpus: str, model: str) -> str:
    """The name that champions of an architecture on a corpus are registered under.

    >>> registered_name("emodb", "3d_acrnn")
    'ser-emodb-3d_acrnn'
    """
    return f"ser-{corpus}-{model}"


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
    """
    config = prepared.definition.config
    name = name or registered_name(config.corpus.name, config.model.name)
    if not re.fullmatch(r"[\w.-]+", name):
        raise RegistryError(f"'{name}' cannot be a registered model's name; expected letters, digits, '_', '-' and '.'")
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
    networks = str(len(prepared.folds))
    if with_refit:
        epochs = round(median(value for key, value in run.data.metrics.items() if key.endswith("/kept_epoch")))
        predictor = _refitted(run, prepared, study, number, epochs, project)
        model_id = log_predictor(
            client,
            predictor,
            experiment_id=experiment,
            run_id=run.info.run_id,
            name="refit",
            tags={TRIAL_TAG: str(number)},
        )
        networks = f"1, trained on all speakers for {epochs} epochs"
    existing = [] if with_refit else _versions_of(client, name, model_id)
    if existing:
        version = existing[0]
        aliases = [key for key, value in _aliases(client, name).items() if value == str(version.version)]
        return Promotion(
            name=name,
            version=str(version.version),
            alias=aliases[0] if aliases else "",
            reason="it was registered before",
            trial=number,
            metrics=metrics,
            created=False,
        )
    fingerprint = prepared.protocol.fingerprint
    alias, reason = _verdict(client, name, metrics["validation_uar"], fingerprint)
    tags = {
        MODEL_TAG: model_id,
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


def _versions_of(client: MlflowClient, name: str, model_id: str) -> list[ModelVersion]:
    return list(client.search_model_versions(f"name = '{name}' and tags.`{MODEL_TAG}` = '{model_id}'"))


def _aliases(client: MlflowClient, name: str) -> dict[str, str]:
    """Alias to version; the search for versions does not tell them."""
    try:
        return {alias: str(version) for alias, version in client.get_registered_model(name).aliases.items()}
    except MlflowException:
        return {}


def _verdict(client: MlflowClient, name: str, uar: float, fingerprint: str) -> tuple[str, str]:
    """The alias of a new version, and why."""
    aliases = _aliases(client, name)
    if CHAMPION not in aliases:
        return CHAMPION, "there was no champion before"
    present = client.get_model_version(name, aliases[CHAMPION])
    score = float(present.tags.get("validation_uar", "nan"))
    before = f"version {present.version}"
    if present.tags.get("fingerprint") != fingerprint:
        return CHALLENGER, f"the champion, {before}, was scored under another protocol; the two are not comparable"
    if uar > score:
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


def list_versions(client: MlflowClient) -> list[RegisteredVersion]:
    """Every version of every registered model, by name and then newest first."""
    versions = []
    for model in client.search_registered_models(max_results=1000):
        aliases = _aliases(client, model.name)
        found = client.search_model_versions(f"name = '{model.name}'", max_results=10_000)
        versions += [
            RegisteredVersion(
                name=model.name,
                version=str(one.version),
                aliases=tuple(sorted(alias for alias, version in aliases.items() if version == str(one.version))),
                tags=dict(one.tags),
            )
            for one in sorted(found, key=lambda one: -int(one.version))
        ]
    return sorted(versions, key=lambda one: one.name)


def resolve(client: MlflowClient, reference: str) -> str:
    """The MLflow URI of a registered model.

    Args:
        client: MLflow.
        reference: `name` (its champion), `name@alias` or `name/version`.

    Raises:
        RegistryError: There is no such model, alias or version; the message lists what there is.
    """
    name, at, alias = reference.partition("@")
    name, slash, number = name.partition("/")
    models = {model.name for model in client.search_registered_models(max_results=1000)}
    if name not in models:
        raise RegistryError(f"no registered model '{name}'; there are: {', '.join(sorted(models)) or 'none'}")
    aliases = _aliases(client, name)
    if slash:
        found = sorted(int(one.version) for one in client.search_model_versions(f"name = '{name}'", max_results=10_000))
        if number not in map(str, found):
            raise RegistryError(f"'{name}' has no version '{number}'; it has: {', '.join(map(str, found))}")
        return f"models:/{name}/{number}"
    wanted = alias if at else CHAMPION
    if wanted not in aliases:
        raise RegistryError(f"'{name}' has no alias '{wanted}'; it has: {', '.join(sorted(aliases)) or 'none'}")
    return f"models:/{name}@{wanted}"


def load_model(reference: str, *, tracking_uri: str | None = None) -> Predictor:
    """Load a registered model by name.

    Args:
        reference: `name` (its champion), `name@alias` or `name/version`.
        tracking_uri: MLflow's; None is `MLFLOW_TRACKING_URI`, or the project in `SER_TUNE_ROOT` or the current folder.

    Raises:
        RegistryError: There is no such model, alias or version.
    """
    client = open_tracking(Project.locate(tracking_uri=tracking_uri))
    return open_predictor(resolve(client, reference))
