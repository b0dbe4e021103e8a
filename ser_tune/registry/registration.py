"""A run as a version of a registered model: its tags, its card, its alias."""

import json
import logging
import shlex
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from statistics import median

from mlflow.entities import Run
from mlflow.entities.model_registry import ModelVersion
from mlflow.exceptions import MlflowException

from ..config import SHIPPED_TESTS
from ..errors import RegistryError, StudyError
from ..features import TYPICAL_CONDITIONS
from ..folds import SIDES
from ..promotion_rules import PROMOTION_RULES
from ..protocol import Prepared
from ..search import Selection, shipped
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
from .checked_model import CheckedNumber, failed_in_words
from .gate import check_on_validation, digest_of_tests
from .model_card import Networks, add_evaluations, model_card
from .training_sounds import REFIT_TAG, log_training_sounds
from .verdict import TAGS, Confirmed, Verdict, claim_alias, decide, promotion_lock
from .version_files import has_files
from .versions import CHAMPION, aliases_of, challenger_alias, champion_alias, is_registered

__all__ = ["Promotion", "Registration"]

_log = logging.getLogger(__name__)
SCORES_TAG = "scores_of"
"""On a version with one network for all speakers, `folds`: its scores are those of the folds' networks."""


@dataclass(frozen=True, slots=True)
class Promotion:
    """The version and the alias of a trial, or of a combination."""

    name: str
    version: str
    alias: str
    """`champion` or `challenger`; of another task than one emotion of several its own, such as `votes`."""
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
    """Its score without the choice among its study's trials; None where nothing chose it, or predictions of trials are
    gone."""

    @property
    def reference(self) -> str:
        """The text by which it is loaded: its name alone, with its alias as a champion, or else with its number."""
        if self.alias == CHAMPION:
            return self.name
        is_champion = self.alias == champion_alias(self.prepared.definition)
        return f"{self.name}@{self.alias}" if is_champion else f"{self.name}/{self.version}"


@dataclass(frozen=True, slots=True)
class Registration:
    """A run that has a model and all its scores, and the name and rule that it is registered by."""

    workspace: Workspace
    prepared: Prepared
    run: Run
    metrics: Mapping[str, float]
    name: str
    study: str
    trial: int | None
    networks: Networks
    rule: str
    """When it becomes champion."""
    confirmed: Confirmed | None = None
    """Its score on fresh seeds."""
    refit: Callable[[int], str] | None = None
    """To register another model of the run: trains one network on all speakers for so many epochs, and returns its
    identifier."""
    selection: Selection | None = None
    """As of `Promotion`."""
    checked: list[CheckedNumber] = field(default_factory=list, compare=False, repr=False)
    """Results of tests, which are measured once for all verdicts."""

    def register(self) -> Promotion:
        """Make it a version, or a champion of the version that it is already."""
        workspace, name = self.workspace, self.name
        contents = self._contents()
        # What takes long comes before the lock, so that others need not wait
        existing, rule = self._existing(), PROMOTION_RULES.get(self.rule)
        stored = self._store_model(contents) if existing is None else None
        if rule.worse_recordings and is_registered(workspace, name):
            _log.warning(
                "note: rule %s scores the validation speakers in %d kinds of worse recordings",
                *(self.rule, len(TYPICAL_CONDITIONS)),
            )
            self._decide()
        if rule.tests:
            if existing is not None:
                self._keep_champion(str(existing.version))
            self._decide()
        with promotion_lock(workspace.project):
            if not is_registered(workspace, name):
                workspace.client.create_registered_model(name)
            if (existing := self._existing()) is not None:
                return self._again(str(existing.version), contents)
            return self._create(contents, *(stored or self._store_model(contents)))

    def _contents(self) -> Networks:
        """The networks of the version: the folds', or one of as many epochs as these have in the median."""
        if self.refit is None:
            return self.networks
        kept = [value for key, value in self.run.data.metrics.items() if key.endswith("/kept_epoch")]
        return replace(self.networks, refit_epochs=round(median(kept)), holdout=self.prepared.keeps_out)

    def _store_model(self, contents: Networks) -> tuple[str, dict[str, str]]:
        """Log a model that contains all it needs, and its training sounds; its identifier and the version's tags."""
        of_folds, info = self.run.data.tags[MODEL_TAG], self.run.info
        model_id = of_folds
        if self.refit is not None:
            assert contents.refit_epochs is not None
            model_id = self.refit(contents.refit_epochs)
        log_training_sounds(self.workspace, info.run_id, self.prepared, refit=self.refit is not None)
        try:
            made = log_self_contained(self.workspace, self.run, model_id)
        except (MlflowException, FileNotFoundError) as error:
            called = self.study if self.trial is None else f"trial {self.trial} of study '{self.study}'"
            if not is_missing(error):
                raise RegistryError(f"the model of {called} cannot be read: {reason_of(error)}") from None
            raise RegistryError(
                f"the files of the model of {called} were deleted; put them back from a copy, or train the best "
                f"configurations again in a new study with --warm-start {shlex.quote(self.study)}"
            ) from None
        return made.model_id, {MODEL_TAG: model_id, self._kind: of_folds, FILES_TAG: json.dumps(made.digests)}

    def _create(self, contents: Networks, model_id: str, tags: Mapping[str, str]) -> Promotion:
        """Create the version; its tags and card are those of the verdict that its alias is of."""
        workspace, name, info = self.workspace, self.name, self.run.info
        verdict = self._decide()
        created = workspace.client.create_model_version(
            name,
            source=f"models:/{model_id}",
            run_id=info.run_id,
            model_id=model_id,
            tags={**tags, **self._tags(contents), **_verdict_tags(verdict)},
            description=self._card(contents, verdict),
        )
        version = str(created.version)
        claimed = claim_alias(workspace, name, version, verdict, self._decide)
        if claimed != verdict:
            self._write_verdict(version, claimed, contents)
        if STUDY_TAG in self.run.data.tags:
            link_study(workspace, info.experiment_id, self.run.data.tags[STUDY_TAG])
        return self._promotion(version, claimed.alias, claimed.reason, created=True)

    def _again(self, version: str, contents: Networks) -> Promotion:
        """The promotion of a run that is a version already; as a challenger it keeps the aliases that it has."""
        client, name = self.workspace.client, self.name
        for key, value in self._selection_tags().items():
            client.set_model_version_tag(name, version, key, value)
        aliases = self._aliases(version)
        if self._contested in aliases:
            verdict = self._keep_champion(version)
            if verdict.tags:
                self._write_verdict(version, verdict, contents)
            if not verdict.wins:
                client.delete_registered_model_alias(name, self._contested)
                client.set_registered_model_alias(name, verdict.alias, version)
            return self._promotion(version, verdict.alias, verdict.reason, created=False)
        verdict = self._decide()
        if verdict.wins:
            verdict = claim_alias(self.workspace, name, version, verdict, self._decide)
        if verdict.wins:
            self._write_verdict(version, verdict, contents)
            for alias in aliases:  # it is no challenger any more
                client.delete_registered_model_alias(name, alias)
            return self._promotion(version, verdict.alias, verdict.reason, created=False)
        reason = f"it was registered before, and {verdict.reason}"
        return self._promotion(version, " ".join(self._aliases(version)), reason, created=False)

    @property
    def _contested(self) -> str:
        return champion_alias(self.prepared.definition)

    @property
    def _kind(self) -> str:
        """The tag of a version that has the model of the folds."""
        return MODEL_TAG if self.refit is None else REFIT_TAG

    def _existing(self) -> ModelVersion | None:
        """The version that the run is already. Versions without files or digests are never loaded, and do not count."""
        found = model_versions(self.workspace, name=self.name, tags={self._kind: self.run.data.tags[MODEL_TAG]})
        usable = (version for version in found if FILES_TAG in version.tags and has_files(self.workspace, version))
        return next(usable, None)

    def _aliases(self, version: str) -> list[str]:
        return [alias for alias, of in aliases_of(self.workspace, self.name).items() if of == version]

    def _decide(self) -> Verdict:
        verdict = decide(
            self.workspace, self.name, self.run, self.rule, self.confirmed, self._stressed, self._contested
        )
        if PROMOTION_RULES.get(self.rule).tests and verdict.wins:
            verdict = self._gated(verdict)
        if self.refit is None:
            return verdict
        return replace(verdict, reason=f"{verdict.reason}; scores are those of the folds' networks")

    def _keep_champion(self, version: str) -> Verdict:
        """The verdict on the present champion: a rule with tests takes the alias away where it fails them.

        It has tags where the tests were measured: tests that it has passed are not measured again, since the time of
        prediction is among them.
        """
        verdict = Verdict(self._contested, "it was registered before", champion=version, contested=self._contested)
        if not PROMOTION_RULES.get(self.rule).tests or self._contested not in self._aliases(version):
            return verdict
        known = self.workspace.client.get_model_version(self.name, version).tags
        if known.get("tests_file") == digest_of_tests(self._tests) and "tests" in known:
            return verdict
        tags = {key: value for key, value in known.items() if key in TAGS and key != "verdict"}
        gated = self._gated(replace(verdict, tags=tags | {"rule": self.rule}))
        if gated.wins:
            return gated
        return replace(gated, reason=f"{gated.reason}; it was {self._contested}, which {self.name} now lacks")

    @property
    def _tests(self) -> Path:
        """The file of the tests of a rule that has some."""
        return shipped(self.prepared.definition.config.study.tests or SHIPPED_TESTS)

    def _gated(self, verdict: Verdict) -> Verdict:
        """A verdict that would make the version champion, after its tests on the validation speakers."""
        tests = self._tests
        if not self.checked:
            _log.warning("note: rule %s measures the tests of %s on the validation speakers", self.rule, tests.name)
            self.checked.extend(check_on_validation(self.workspace, self.run, self.prepared, tests))
        passed = f"{sum(number.passed for number in self.checked)} of {len(self.checked)} tests"
        tags = {**verdict.tags, "tests": f"{passed} of {tests.name}", "tests_file": digest_of_tests(tests)}
        if not (failed := failed_in_words(self.checked)):
            return replace(verdict, reason=f"{verdict.reason}; it passes {passed} of {tests.name}", tags=tags)
        reason = f"{verdict.reason}, but it passes only {passed} of {tests.name}: {failed}"
        return replace(verdict, alias=challenger_alias(self._contested), reason=reason, tags=tags)

    def _stressed(self, run: Run) -> Mapping[str, float]:
        """A run's validation score in worse recordings, by condition; empty where its model cannot be loaded."""
        if MODEL_TAG not in run.data.tags:
            return {}
        try:
            return score_stressed(self.workspace, run, self.prepared)
        except (MlflowException, RegistryError, StudyError):
            return {}

    def _tags(self, contents: Networks) -> dict[str, str]:
        """A new version's tags, but for its models and its verdict."""
        protocol = self.prepared.protocol
        refit = contents.refit_epochs is not None
        # A refit network has no test scores; it is compared with other versions by its folds' validation scores
        earned = [name for name in self._shown if name.startswith("validation") or not refit]
        return {
            **({SCORES_TAG: "folds"} if refit else {}),
            "fingerprint": protocol.fingerprint,
            "corpus": self.prepared.corpus.name,
            "study": self.study,
            **({} if self.trial is None else {"trial": str(self.trial)}),
            "networks": str(contents),
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
        """The version's score without the choice; more trials change it."""
        return {} if self.selection is None else {key: f"{score:.4f}" for key, score in self.selection.metrics.items()}

    def _write_verdict(self, version: str, verdict: Verdict, contents: Networks) -> None:
        """Replace the tags and the card that another verdict left on a version."""
        client, name, tags = self.workspace.client, self.name, _verdict_tags(verdict)
        for key in set(client.get_model_version(name, version).tags) & set(TAGS) - set(tags):
            client.delete_model_version_tag(name, version, key)
        for key, value in tags.items():
            client.set_model_version_tag(name, version, key, value)
        client.update_model_version(name, version, description=self._card(contents, verdict))
        add_evaluations(self.workspace, name, version)

    def _card(self, contents: Networks, verdict: Verdict) -> str:
        found = {side: read_predictions(self.workspace, self.run, side) for side in SIDES}
        read = {side: predictions for side, predictions in found.items() if predictions is not None}
        called = self.study if self.trial is None else f"trial {self.trial} of {self.study}"
        origin = f"From {run_link(self.run.info.experiment_id, self.run.info.run_id, called)}."
        return model_card(self.prepared, self.metrics, read, contents, verdict, origin=origin, selection=self.selection)

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


def _verdict_tags(verdict: Verdict) -> dict[str, str]:
    return {**verdict.tags, "verdict": f"{verdict.alias}: {verdict.reason}"}
