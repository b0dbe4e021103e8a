"""A run as a version of a registered model: its tags, its card, its alias."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from statistics import median

from mlflow import MlflowClient
from mlflow.entities import Run
from mlflow.entities.model_registry import ModelVersion

from ..config import FeatureSettings, ModelSettings
from ..folds import SIDES
from ..study import Prepared
from ..tracking import MODEL_TAG, log_self_contained, read_predictions
from .card import model_card
from .evaluations import add_evaluations
from .networks import Networks
from .training_sounds import REFIT_TAG, log_training_sounds
from .verdict import TAGS, Confirmed, Verdict, decide
from .versions import CHAMPION, aliases_of

__all__ = ["Promotion", "Registration"]

_NUMBERS = ("uar", "uar_low", "uar_high", "wa", "wa_low", "wa_high", "uar_fold_mean", "uar_fold_std")
VERSION_METRICS = (*(f"{side}_{number}" for side in SIDES for number in _NUMBERS), "optimism")
"""Those that a version has as tags, where its run has them."""
SCORES_TAG = "scores_of"
"""On a version with one network for all speakers, `folds`: its scores are those of the folds' networks."""


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
    prepared: Prepared = field(repr=False)
    """The corpus and folds that it was scored on."""


@dataclass(frozen=True, slots=True)
class Registration:
    """A run that has a model and all its scores, and the name that it is to be registered as."""

    client: MlflowClient
    prepared: Prepared
    run: Run
    metrics: Mapping[str, float]
    name: str
    study: str
    trial: int | None
    networks: Networks
    """What its model is made of."""
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
            networks = self._refitted_networks() if refitted else self.networks
            return self._again(existing[0], networks, decide(client, name, self.run, rule, confirmed))
        networks, origin, earned = self.networks, {}, VERSION_METRICS
        if refitted:
            networks, origin = self._refitted_networks(), {REFIT_TAG: model_id, SCORES_TAG: "folds"}
            # Nobody tested this network; by the validation scores of its folds it is compared with other versions
            earned = tuple(key for key in VERSION_METRICS if key.startswith("validation"))
            assert networks.refit_epochs is not None
            model_id = refitted(networks.refit_epochs)
        log_training_sounds(client, self.run.info.run_id, self.prepared, refit=refitted is not None)
        verdict = decide(client, name, self.run, rule, confirmed)
        if refitted:
            verdict = replace(verdict, reason=f"{verdict.reason}; scores are those of the folds' networks")
        tags = {
            MODEL_TAG: model_id,
            **origin,
            "fingerprint": self.prepared.protocol.fingerprint,
            "corpus": self.prepared.corpus.name,
            "study": self.study,
            **({} if self.trial is None else {"trial": str(self.trial)}),
            "networks": str(networks),
            "emotions": " ".join(self.prepared.corpus.emotions),
            "normalisation_scope": self.prepared.protocol.facts["normalisation_scope"],
            **({"warnings": "; ".join(warnings)} if (warnings := self.prepared.protocol.warnings) else {}),
            **_verdict_tags(verdict),
            **{key: f"{self.metrics[key]:.4f}" for key in earned if key in self.metrics},
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

    def _refitted_networks(self) -> Networks:
        """One network for all speakers, of as many epochs as the folds' networks have in the median."""
        kept = [value for key, value in self.run.data.metrics.items() if key.endswith("/kept_epoch")]
        holdout = bool(self.prepared.definition.config.protocol.holdout)
        return self.networks.refitted(round(median(kept)), holdout=holdout)

    def _again(self, existing: ModelVersion, networks: Networks, verdict: Verdict) -> Promotion:
        """What becomes of the version that it is already."""
        version = str(existing.version)
        aliases = _aliases(self.client, self.name, version)
        if CHAMPION in aliases:
            alias, reason = CHAMPION, "it was registered before"
        elif verdict.alias == CHAMPION:
            card = self._card(networks, verdict)
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
            prepared=self.prepared,
        )

    def _card(self, networks: Networks, verdict: Verdict) -> str:
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
    add_evaluations(client, name, version)
    for alias in _aliases(client, name, version):  # it is no challenger any more
        client.delete_registered_model_alias(name, alias)
    client.set_registered_model_alias(name, CHAMPION, version)


def _verdict_tags(verdict: Verdict) -> dict[str, str]:
    return {**verdict.tags, "verdict": f"{verdict.alias}: {verdict.reason}"}
