"""A run as a version of a registered model: its tags, its card, its alias."""

import json
import logging
import shlex
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from statistics import median

from mlflow.entities import Run
from mlflow.entities.model_registry import ModelVersion
from mlflow.exceptions import MlflowException

from ..config import FeatureSettings, ModelSettings
from ..errors import RegistryError, StudyError
from ..features import TYPICAL_CONDITIONS
from ..folds import SIDES
from ..promotion_rules import PROMOTION_RULES
from ..protocol import Prepared
from ..search import Selection
from ..tracking import (
    FILES_TAG,
    MODEL_TAG,
    STUDY_TAG,
    Workspace,
    is_missing,
    link_study,
    log_self_contained,
    model_versions,
    read_predictions,
    reason_of,
    run_link,
    score_stressed,
)
from .card import model_card
from .champion import claim_alias, promotion_lock
from .evaluations import add_evaluations
from .files import has_files
from .networks import Networks
from .training_sounds import REFIT_TAG, log_training_sounds
from .verdict import TAGS, Confirmed, Verdict, decide
from .versions import CHAMPION, aliases_of, is_registered

__all__ = ["Promotion", "Registration"]

_log = logging.getLogger(__name__)
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
    selection: Selection | None = None
    """What it is worth without the choice among its study's trials; None where nothing chose it, or predictions of
    trials are gone."""


@dataclass(frozen=True, slots=True)
class Registration:
    """A run that has a model and all its scores, and the name that it is to be registered as."""

    workspace: Workspace
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
    selection: Selection | None = None
    """As of `Promotion`."""

    def register(self, rule: str, confirmed: Confirmed | None, refitted: Callable[[int], str] | None) -> Promotion:
        """Make it a version, or a champion of the version that it is already.

        Args:
            rule: When it becomes champion.
            confirmed: What fresh seeds came to.
            refitted: To register another model of the run: trains one network on all speakers for so many epochs, and
                returns its identifier.
        """
        workspace, name, of_folds = self.workspace, self.name, self.run.data.tags[MODEL_TAG]
        networks, kind, model_id = self.networks, MODEL_TAG, of_folds
        if refitted:
            networks, kind = self._refitted_networks(), REFIT_TAG
        contained, digests = "", ""
        if self._existing(kind, of_folds) is None:  # what takes long, before others wait
            if refitted:
                assert networks.refit_epochs is not None
                model_id = refitted(networks.refit_epochs)
            log_training_sounds(
                workspace, self.run.info.run_id, self.prepared, workspace.project.cache, refit=refitted is not None
            )
            try:
                made = log_self_contained(workspace, model_id, self.run.info.experiment_id, self.run.info.run_id)
            except (MlflowException, FileNotFoundError) as error:
                if not is_missing(error):
                    raise RegistryError(f"the model of {self._called} cannot be read: {reason_of(error)}") from None
                raise RegistryError(
                    f"the files of the model of {self._called} were deleted; put them back from a copy, or train the "
                    f"best configurations again in a new study with --warm-start {shlex.quote(self.study)}"
                ) from None
            contained, digests = made.model_id, json.dumps(made.digests)

        def stressed(run: Run) -> Mapping[str, float]:
            if MODEL_TAG not in run.data.tags:
                return {}
            try:
                return score_stressed(workspace, run, self.prepared)
            except (MlflowException, RegistryError, StudyError):  # its model was deleted, or is of an earlier ser-tune
                return {}

        def decided() -> Verdict:
            verdict = decide(workspace, name, self.run, rule, confirmed, stressed)
            if refitted:
                verdict = replace(verdict, reason=f"{verdict.reason}; scores are those of the folds' networks")
            return verdict

        if PROMOTION_RULES.get(rule).worse_recordings and is_registered(workspace, name):
            count = len(TYPICAL_CONDITIONS)
            _log.warning("note: rule %s scores the validation speakers in %d kinds of worse recordings", rule, count)
            decided()  # before others wait
        with promotion_lock(workspace.project):
            if not is_registered(workspace, name):
                workspace.client.create_registered_model(name)
            if (existing := self._existing(kind, of_folds)) is not None:
                return self._again(str(existing.version), networks, decided)
            verdict = decided()
            created = workspace.client.create_model_version(
                name,
                source=f"models:/{contained}",
                run_id=self.run.info.run_id,
                model_id=contained,
                tags={
                    MODEL_TAG: model_id,
                    kind: of_folds,
                    FILES_TAG: digests,
                    **self._tags(networks),
                    **_verdict_tags(verdict),
                },
                description=self._card(networks, verdict),
            )
            version = str(created.version)
            claimed = claim_alias(workspace, name, version, verdict, decided)
            if claimed != verdict:
                _write_verdict(workspace, name, version, claimed, self._card(networks, claimed))
            if STUDY_TAG in self.run.data.tags:
                link_study(workspace, self.run.info.experiment_id, self.run.data.tags[STUDY_TAG])
        return self._promotion(version, claimed.alias, claimed.reason, created=True)

    @property
    def _called(self) -> str:
        return self.study if self.trial is None else f"trial {self.trial} of study '{self.study}'"

    def _existing(self, kind: str, model_id: str) -> ModelVersion | None:
        """The version that the run is already, of the folds' networks or of one network for all speakers.

        One that an earlier ser-tune registered without digests, or whose files somebody deleted, does not count: it
        is never loaded.
        """
        found = model_versions(self.workspace, name=self.name, tags={kind: model_id})
        return next((one for one in found if FILES_TAG in one.tags and has_files(self.workspace, one)), None)

    def _tags(self, networks: Networks) -> dict[str, str]:
        """A new version's tags, but for its models and its verdict."""
        protocol = self.prepared.protocol
        refit = networks.refit_epochs is not None
        # Nobody tested a refit network; by the validation scores of its folds it is compared with other versions
        earned = [name for name in self._shown if name.startswith("validation") or not refit]
        return {
            **({SCORES_TAG: "folds"} if refit else {}),
            "fingerprint": protocol.fingerprint,
            "corpus": self.prepared.corpus.name,
            "study": self.study,
            **({} if self.trial is None else {"trial": str(self.trial)}),
            "networks": str(networks),
            protocol.task.answers: json.dumps(self.prepared.targets.names, ensure_ascii=False),
            "normalisation_scope": protocol.in_words["normalisation_scope"],
            **({"warnings": "; ".join(protocol.warnings)} if protocol.warnings else {}),
            **{key: f"{self.metrics[key]:.4f}" for key in earned if key in self.metrics},
            **self._selection_tags(),
        }

    @property
    def _shown(self) -> list[str]:
        """The metrics that a version has as tags, where its run has them."""
        objective, *others = (metric.name for metric in self.prepared.protocol.metrics)
        numbers = [f"{name}{end}" for name in (objective, *others) for end in ("", "_low", "_high")]
        numbers += [f"{objective}_fold_mean", f"{objective}_fold_std"]
        return [*(f"{side}_{number}" for side in SIDES for number in numbers), "optimism"]

    def _selection_tags(self) -> dict[str, str]:
        """What the version is worth without the choice; more trials change it."""
        return {} if self.selection is None else {key: f"{one:.4f}" for key, one in self.selection.metrics.items()}

    def _refitted_networks(self) -> Networks:
        """One network for all speakers, of as many epochs as the folds' networks have in the median."""
        kept = [value for key, value in self.run.data.metrics.items() if key.endswith("/kept_epoch")]
        holdout = bool(self.prepared.definition.config.protocol.holdout)
        return self.networks.refitted(round(median(kept)), holdout=holdout)

    def _again(self, version: str, networks: Networks, decided: Callable[[], Verdict]) -> Promotion:
        """What becomes of the version that it is already; as a challenger it keeps the aliases that it has."""
        aliases = _aliases(self.workspace, self.name, version)
        for key, value in self._selection_tags().items():
            self.workspace.client.set_model_version_tag(self.name, version, key, value)
        if CHAMPION in aliases:
            return self._promotion(version, CHAMPION, "it was registered before", created=False)
        verdict = decided()
        if verdict.alias == CHAMPION:
            verdict = claim_alias(self.workspace, self.name, version, verdict, decided)
        if verdict.alias == CHAMPION:
            _write_verdict(self.workspace, self.name, version, verdict, self._card(networks, verdict))
            for alias in aliases:  # it is no challenger any more
                self.workspace.client.delete_registered_model_alias(self.name, alias)
            return self._promotion(version, CHAMPION, verdict.reason, created=False)
        reason = f"it was registered before, and {verdict.reason}"
        return self._promotion(version, " ".join(_aliases(self.workspace, self.name, version)), reason, created=False)

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
            selection=self.selection,
        )

    def _card(self, networks: Networks, verdict: Verdict) -> str:
        found = {side: read_predictions(self.workspace, self.run, side) for side in SIDES}
        read = {side: one for side, one in found.items() if one is not None}
        what = self.study if self.trial is None else f"trial {self.trial} of {self.study}"
        origin = f"From {run_link(self.run.info.experiment_id, self.run.info.run_id, what)}."
        return model_card(
            self.prepared, self.metrics, read, self.parts, networks, verdict, origin=origin, selection=self.selection
        )


def _aliases(workspace: Workspace, name: str, version: str) -> list[str]:
    return [alias for alias, of in aliases_of(workspace, name).items() if of == version]


def _write_verdict(workspace: Workspace, name: str, version: str, verdict: Verdict, card: str) -> None:
    """Replace the tags and the card that another verdict left on a version."""
    tags = _verdict_tags(verdict)
    for key in set(workspace.client.get_model_version(name, version).tags) & set(TAGS) - set(tags):
        workspace.client.delete_model_version_tag(name, version, key)
    for key, value in tags.items():
        workspace.client.set_model_version_tag(name, version, key, value)
    workspace.client.update_model_version(name, version, description=card)
    add_evaluations(workspace, name, version)


def _verdict_tags(verdict: Verdict) -> dict[str, str]:
    return {**verdict.tags, "verdict": f"{verdict.alias}: {verdict.reason}"}
