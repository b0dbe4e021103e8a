"""Promoting a study's trial, or a combination of trials, to a registered model, as champion or challenger.

A version is compared with the present champion on the validation speakers, and only under the same protocol; test
speakers have no say. They are scored here, once for each that is promoted.
"""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from statistics import median

import optuna
from mlflow import MlflowClient
from mlflow.entities import Run
from mlflow.entities.model_registry import ModelVersion
from optuna.trial import TrialState

from ..config import FeatureSettings, ModelSettings, Project
from ..errors import RegistryError, UnknownNameError
from ..prediction import Committee, Predictor
from ..study import Prepared, refit, summarise
from ..tracking import (
    MODEL_TAG,
    SIDES,
    TRIAL_TAG,
    experiment_of,
    find_runs,
    log_predictor,
    log_self_contained,
    read_predictions,
    score_on_test,
    tracking_errors,
)
from .card import model_card
from .verdict import RULES, TAGS, Confirmed, Verdict, decide
from .versions import CHAMPION, aliases_of, registered_name

__all__ = ["Promotion", "promote", "promote_combination", "refuse_unusable"]

REFIT_TAG = "ser_tune.refit_of"
"""On a version with one network for all speakers: the model of the folds that it stems from."""
_NUMBERS = ("uar", "uar_low", "uar_high", "wa", "wa_low", "wa_high", "uar_fold_mean", "uar_fold_std")
VERSION_METRICS = (*(f"{side}_{number}" for side in SIDES for number in _NUMBERS), "optimism")
"""Those that a version has as tags, where its run has them."""


@dataclass(frozen=True, slots=True)
class Promotion:
    """What became of a trial, or of a combination."""

    name: str
    version: str
    alias: str
    """`champion` or `challenger`."""
    reason: str
    """Why it has this alias, in words."""
    trial: int | None
    """None for a combination."""
    metrics: Mapping[str, float]
    """Its validation and test metrics."""
    created: bool
    """False where it already had a version."""


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
    config = prepared.definition.config
    rule, name = rule or config.study.promotion, name or registered_name(config.corpus.name, config.model.name)
    refuse_unusable(rule, name)
    with tracking_errors(project.tracking_uri):
        number = _complete_trial(study, trial)
        experiment = experiment_of(client, project, prepared.corpus.name)
        run = find_runs(client, experiment, study.user_attrs["study_id"])[1].get(number)
        if run is None:
            raise RegistryError(f"trial {number} of study '{study.study_name}' has no run in {project.tracking_uri}")
        if MODEL_TAG not in run.data.tags:
            raise RegistryError(
                f"the model of trial {number} of study '{study.study_name}' was not kept; run the study with more "
                "--keep-models"
            )
        metrics = score_on_test(client, run, prepared, project)

        def refitted(epochs: int) -> str:
            return log_predictor(
                client,
                _refitted(run, prepared, study, number, epochs, project),
                experiment_id=experiment,
                run_id=run.info.run_id,
                name="refit",
                tags={TRIAL_TAG: str(number)},
            )

        networks = str(len(prepared.folds))
        if (members := run.data.params.get("model.networks", "1")) != "1":
            networks += f"; each is an ensemble of {members}"
        candidate = _Candidate(
            client=client,
            prepared=prepared,
            run=run,
            metrics=metrics,
            name=name,
            study=study.study_name,
            trial=number,
            networks=networks,
            parts=((config.model, config.features),),
        )
        return candidate.register(rule, confirmed, refitted if with_refit else None)


def promote_combination(
    client: MlflowClient,
    project: Project,
    prepared: Prepared,
    run: Run,
    committee: Committee,
    *,
    members: Sequence[str],
    name: str | None = None,
    rule: str | None = None,
) -> Promotion:
    """Make a combination of trials a version of a registered model.

    Args:
        client: MLflow.
        project: Where things are.
        prepared: The corpus and folds that all members share.
        run: The combination's; it has validation scores and a model.
        committee: That model.
        members: What each member is called, for people.
        name: What to register it as; None is `ser-<corpus>-<model>`, with `combined` for several architectures.
        rule: As for `promote`.

    Raises:
        UnknownNameError: There is no such rule.
        StorageError: The tracking store fails.
    """
    config = prepared.definition.config
    parts = tuple(dict.fromkeys((one.recipe.model, one.recipe.features) for one in committee.members))
    models = {model.name for model, _ in parts}
    name = name or registered_name(config.corpus.name, models.pop() if len(models) == 1 else "combined")
    rule = rule or config.study.promotion
    refuse_unusable(rule, name)
    with tracking_errors(project.tracking_uri):
        metrics = score_on_test(client, run, prepared, project, predictor=committee)
        networks = sum(one.recipe.model.ensemble_size for one in committee.members)
        candidate = _Candidate(
            client=client,
            prepared=prepared,
            run=run,
            metrics=metrics,
            name=name,
            study=" + ".join(members),
            trial=None,
            networks=f"{len(prepared.folds)}; each is an ensemble of {networks}, of {len(members)} configurations",
            parts=parts,
        )
        return candidate.register(rule, None, None)


def refuse_unusable(rule: str | None, name: str | None) -> None:
    """Refuse what a promotion would refuse, before anything else is done; None is a default.

    Raises:
        UnknownNameError: There is no such rule.
        RegistryError: No registered model can have such a name.
    """
    if rule is not None and rule not in RULES:
        raise UnknownNameError("promotion rule", rule, RULES)
    if name is not None and not re.fullmatch(r"\w[\w.-]*", name):
        raise RegistryError(
            f"'{name}' cannot be a registered model's name; expected a letter or digit, then letters, digits, '_', '-' "
            "and '.'"
        )


@dataclass(frozen=True, slots=True)
class _Candidate:
    """A run that has a model and all its scores, and the name that it is to be registered as."""

    client: MlflowClient
    prepared: Prepared
    run: Run
    metrics: Mapping[str, float]
    name: str
    study: str
    trial: int | None
    networks: str
    """What its model is made of, in words."""
    parts: Sequence[tuple[ModelSettings, FeatureSettings]]
    """Architectures, each with its features."""

    def register(self, rule: str, confirmed: Confirmed | None, refitted: Callable[[int], str] | None) -> Promotion:
        """Make it a version, or a champion of the version that it is already.

        Args:
            rule: When it becomes champion.
            confirmed: What fresh seeds came to.
            refitted: To register another model of the run: trains one network on all speakers for so many epochs, and
                returns its identifier.
        """
        client, name, model_id = self.client, self.name, self.run.data.tags[MODEL_TAG]
        kind = REFIT_TAG if refitted else MODEL_TAG
        existing = client.search_model_versions(f"name = '{name}' and tags.`{kind}` = '{model_id}'")
        if existing:
            return self._again(existing[0], decide(client, name, self.run, rule, confirmed))
        networks, origin = self.networks, {}
        if refitted:
            origin = {REFIT_TAG: model_id}
            kept = [value for key, value in self.run.data.metrics.items() if key.endswith("/kept_epoch")]
            epochs = round(median(kept))
            model_id = refitted(epochs)
            but = " but those held out" if self.prepared.definition.config.protocol.holdout else ""
            _, mark, members = networks.partition("; ")
            networks = f"1, trained on all speakers{but} for {epochs} epochs{mark}{members}"
        verdict = decide(client, name, self.run, rule, confirmed)
        tags = {
            MODEL_TAG: model_id,
            **origin,
            "fingerprint": self.prepared.protocol.fingerprint,
            "corpus": self.prepared.corpus.name,
            "study": self.study,
            **({} if self.trial is None else {"trial": str(self.trial)}),
            "networks": networks,
            "emotions": " ".join(self.prepared.corpus.emotions),
            "normalisation_scope": self.prepared.protocol.facts["normalisation_scope"],
            **({"warnings": "; ".join(warnings)} if (warnings := self.prepared.protocol.warnings) else {}),
            **_verdict_tags(verdict),
            **{key: f"{self.metrics[key]:.4f}" for key in VERSION_METRICS if key in self.metrics},
        }
        if not client.search_registered_models(f"name = '{name}'"):
            client.create_registered_model(name)
        contained = log_self_contained(client, model_id, self.run.info.experiment_id, self.run.info.run_id)
        made = client.create_model_version(
            name,
            source=f"models:/{contained}",
            run_id=self.run.info.run_id,
            model_id=contained,
            tags=tags,
            description=self._card(networks, verdict),
        )
        client.set_registered_model_alias(name, verdict.alias, str(made.version))
        return self._promotion(str(made.version), verdict.alias, verdict.reason, created=True)

    def _again(self, existing: ModelVersion, verdict: Verdict) -> Promotion:
        """What becomes of the version that it is already."""
        version = str(existing.version)
        aliases = _aliases(self.client, self.name, version)
        if CHAMPION in aliases:
            alias, reason = CHAMPION, "it was registered before"
        elif verdict.alias == CHAMPION:
            card = self._card(existing.tags.get("networks", ""), verdict)
            _make_champion(self.client, self.name, version, verdict, card)
            alias, reason = CHAMPION, verdict.reason
        else:
            alias, reason = " ".join(aliases), f"it was registered before, and {verdict.reason}"
        return self._promotion(version, alias, reason, created=False)

    def _promotion(self, version: str, alias: str, reason: str, *, created: bool) -> Promotion:
        return Promotion(
            name=self.name,
            version=version,
            alias=alias,
            reason=reason,
            trial=self.trial,
            metrics=self.metrics,
            created=created,
        )

    def _card(self, networks: str, verdict: Verdict) -> str:
        found = {side: read_predictions(self.client, self.run.info.run_id, side) for side in SIDES}
        read = {side: one for side, one in found.items() if one is not None}
        return model_card(self.prepared, self.metrics, read, self.parts, networks, verdict)


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
