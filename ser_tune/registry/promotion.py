"""Promoting a study's trial to a registered model, as champion or challenger.

A version is compared with the present champion on the validation speakers, and only under the same protocol; test
speakers have no say. They are scored here, once for each promoted trial.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from statistics import median

import optuna
from mlflow import MlflowClient
from mlflow.entities import Run
from optuna.trial import TrialState

from ..config import Project
from ..errors import RegistryError, UnknownNameError
from ..prediction import Predictor
from ..study import Prepared, refit, summarise
from ..tracking import (
    MODEL_TAG,
    SIDES,
    TRIAL_TAG,
    experiment_of,
    find_runs,
    log_predictor,
    read_predictions,
    score_on_test,
    tracking_errors,
)
from .card import model_card
from .verdict import RULES, TAGS, Confirmed, Verdict, decide
from .versions import CHAMPION, aliases_of, registered_name

__all__ = ["Promotion", "promote"]

REFIT_TAG = "ser_tune.refit_of"
"""On a version with one network for all speakers: the model of the folds that it stems from."""
_NUMBERS = ("uar", "uar_low", "uar_high", "wa", "wa_low", "wa_high", "uar_fold_mean", "uar_fold_std")
VERSION_METRICS = (*(f"{side}_{number}" for side in SIDES for number in _NUMBERS), "optimism")
"""Those that a version has as tags, where its run has them."""


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
    rule: str | None = None,
    confirmed: Confirmed | None = None,
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
        rule: When it becomes champion: `better`, `confident` or `always`; None is the study's `study.promotion`.
        confirmed: What fresh seeds came to; the rule is then to have the highest lower bound.

    Raises:
        RegistryError: There is no such complete trial, or its model was not kept.
        UnknownNameError: There is no such rule.
        StorageError: The tracking store fails.
    """
    rule = rule or prepared.definition.config.study.promotion
    if rule not in RULES:
        raise UnknownNameError("promotion rule", rule, RULES)
    with tracking_errors(project.tracking_uri):
        return _promote(
            client,
            project,
            prepared,
            study,
            trial=trial,
            name=name,
            with_refit=with_refit,
            rule=rule,
            confirmed=confirmed,
        )


def _promote(
    client: MlflowClient,
    project: Project,
    prepared: Prepared,
    study: optuna.Study,
    *,
    trial: int | None,
    name: str | None,
    with_refit: bool,
    rule: str,
    confirmed: Confirmed | None,
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
    metrics = score_on_test(client, run, prepared, project)
    found = {side: read_predictions(client, run.info.run_id, side) for side in SIDES}
    read = {side: one for side, one in found.items() if one is not None}
    kind = REFIT_TAG if with_refit else MODEL_TAG
    if existing := client.search_model_versions(f"name = '{name}' and tags.`{kind}` = '{model_id}'"):
        version = str(existing[0].version)
        verdict, aliases = decide(client, name, run, rule, confirmed), _aliases(client, name, version)
        if CHAMPION in aliases:
            alias, reason = CHAMPION, "it was registered before"
        elif verdict.alias == CHAMPION:
            networks = existing[0].tags.get("networks", "")
            _make_champion(client, name, version, verdict, model_card(prepared, metrics, read, networks, verdict))
            alias, reason = CHAMPION, verdict.reason
        else:
            alias, reason = " ".join(aliases), f"it was registered before, and {verdict.reason}"
        return Promotion(
            name=name, version=version, alias=alias, reason=reason, trial=number, metrics=metrics, created=False
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
        but = " but those held out" if prepared.definition.config.protocol.holdout else ""
        networks = f"1, trained on all speakers{but} for {epochs} epochs"
    if (members := run.data.params.get("model.networks", "1")) != "1":
        networks += f"; each is an ensemble of {members}"
    verdict = decide(client, name, run, rule, confirmed)
    tags = {
        MODEL_TAG: model_id,
        **origin,
        "fingerprint": prepared.protocol.fingerprint,
        "corpus": prepared.corpus.name,
        "study": study.study_name,
        "trial": str(number),
        "networks": networks,
        "emotions": " ".join(prepared.corpus.emotions),
        "normalisation_scope": prepared.protocol.facts["normalisation_scope"],
        **_verdict_tags(verdict),
        **{key: f"{metrics[key]:.4f}" for key in VERSION_METRICS if key in metrics},
    }
    if not client.search_registered_models(f"name = '{name}'"):
        client.create_registered_model(name)
    made = client.create_model_version(
        name,
        source=f"models:/{model_id}",
        run_id=run.info.run_id,
        model_id=model_id,
        tags=tags,
        description=model_card(prepared, metrics, read, networks, verdict),
    )
    client.set_registered_model_alias(name, verdict.alias, str(made.version))
    return Promotion(
        name=name,
        version=str(made.version),
        alias=verdict.alias,
        reason=verdict.reason,
        trial=number,
        metrics=metrics,
        created=True,
    )


def _aliases(client: MlflowClient, name: str, version: str) -> list[str]:
    return [alias for alias, of in aliases_of(client, name).items() if of == version]


def _make_champion(client: MlflowClient, name: str, version: str, verdict: Verdict, card: str) -> None:
    """Give a version that was registered before the champion's alias, with the tags and the card of this verdict."""
    tags = _verdict_tags(verdict)
    for key in set(client.get_model_version(name, version).tags) & set(TAGS) - set(tags):
        client.delete_model_version_tag(name, version, key)
    for key, value in tags.items():
        client.set_model_version_tag(name, version, key, value)
    client.update_model_version(name, version, description=card)
    for alias in _aliases(client, name, version):  # it is no challenger any more
        client.delete_registered_model_alias(name, alias)
    client.set_registered_model_alias(name, CHAMPION, version)


def _verdict_tags(verdict: Verdict) -> dict[str, str]:
    return {**verdict.tags, "verdict": f"{verdict.alias}: {verdict.reason}"}


def _complete_trial(study: optuna.Study, wanted: int | None) -> int:
    """The number of the trial to promote, which must have completed."""
    if wanted is None and "queue" in study.user_attrs:
        raise RegistryError(
            f"study '{study.study_name}' trains configurations of another study again, and its best seed would be "
            "optimistic; use `ser-tune confirm`, or name a trial with --trial"
        )
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


def _refitted(
    run: Run, prepared: Prepared, study: optuna.Study, number: int, epochs: int, project: Project
) -> Predictor:
    """One network of the trial's configuration, trained on all speakers."""
    decided = {key: run.data.params[key] for key in ("training.device", "training.precision")}
    sampled = next(one.params for one in study.get_trials(deepcopy=False) if one.number == number)
    config = prepared.definition.trial(sampled | decided, seed=int(run.data.params["seed"]))
    return refit(prepared, config, epochs, project)
