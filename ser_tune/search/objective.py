"""The objective: trains the values that Optuna proposes as a trial, and stores the result."""

import math
import time
from collections.abc import Mapping, Sequence
from contextlib import nullcontext, suppress
from dataclasses import replace

import numpy as np
import optuna
import torch
from optuna.exceptions import UpdateFinishedTrialError

from ..config import SearchSettings
from ..coordination import (
    COSTS,
    CURVE_DIGITS,
    CURVES,
    FAILURE,
    FOLDS_ENDED,
    OVERRIDES,
    SECONDS,
    SEED,
    FoldStore,
    confirms,
    joined,
    number_of,
    searched_trials,
    shown_trials,
)
from ..definition import StudyDefinition
from ..errors import AudioError, ConfigError, ExecutionError, NonFiniteLossError, UndefinedScoreError
from ..metrics import Metric, Ranking
from ..objectives import StudyObjective
from ..training import AnyTrial, EpochReport, recipe_of
from .observer import TAKEN, StudyObserver, TrialOutcome
from .place_sampler import sample
from .pruners import PRUNERS, JudgedTrial, Unpruned
from .samplers import SAMPLERS
from .selection import note_sums
from .trainer import Trainer
from .trial import Judge, Proposal, TakenError, run_trial

__all__ = ["FAILURES", "Objective"]

FAILURES = (
    *(NonFiniteLossError, UndefinedScoreError, ConfigError, AudioError, ExecutionError),
    *(torch.OutOfMemoryError, MemoryError),
)
"""Errors of a trial's own values, after which the study goes on, as when a recording is too short for the proposed
window. Any other exception ends the study."""
NOTED_S = 1.0
"""Seconds between two commits of a trial's progress, at least."""


class Objective:
    """Draws a trial's values, has it trained, and returns its pooled validation score and further objectives."""

    def __init__(self, trainer: Trainer, store: FoldStore, observer: StudyObserver) -> None:
        """Make the objective of a study, whose observer receives every event."""
        self.trainer, self._store, self._observer = trainer, store, observer
        self._config: AnyTrial | None = None
        self._outcome: TrialOutcome | None = None

    def __call__(self, trial: optuna.Trial) -> Sequence[float]:
        """Run a claimed trial and return its value by each objective, first the pooled validation score.

        Raises:
            optuna.TrialPruned: It was given up.
        """
        definition = self.trainer.prepared.definition
        # All that varies is drawn, so that the sampler can learn from the trial; some of it may be replaced
        own = definition.config.study.sampler in SAMPLERS.modules  # a plug-in may take minutes, or write from threads
        with joined(trial.study) if own else nullcontext():
            drawn = sample(trial, definition.search)
        sampled = drawn | trial.user_attrs.get(OVERRIDES, {})
        self._outcome = None
        try:
            # The ends of all ranges go together, but perhaps not all that lies between
            config = self.trainer.concrete(sampled, seed=definition.config.seed + trial.user_attrs.get(SEED, 0))
            note_costs(trial, config, definition, self.trainer.prepared.targets.names)
            judge = Reporting(trial, self._judge(trial), at_once=definition.config.study.pruner not in PRUNERS.modules)
            proposal = Proposal(number_of(trial), config, sampled, confirms(trial), attempt=trial.number)
            outcome = self._run(proposal, judge)
        except FAILURES as error:
            trial.set_user_attr(FAILURE, f"{type(error).__name__}: {error}")  # counts, and is not tried again
            raise
        self._config, self._outcome = config, outcome
        with joined(trial.study):
            judge.note()
            trial.set_user_attr(SECONDS, outcome.seconds)
            if outcome.state == "COMPLETE":
                curves = [
                    [round(report.kept, CURVE_DIGITS) for report in fold.fitted.history] for fold in outcome.folds
                ]
                trial.set_user_attr(CURVES, curves)
                note_sums(trial, self.trainer.prepared, outcome.folds)
        if outcome.state == "PRUNED":
            raise optuna.TrialPruned(outcome.reason)
        return list(outcome.values.values())

    def _run(self, proposal: Proposal, judge: "Reporting") -> TrialOutcome:
        try:
            return run_trial(proposal, self.trainer, store=self._store, judge=judge, observer=self._observer)
        except (Exception, KeyboardInterrupt):
            with suppress(TakenError):  # the other error ends it
                judge.note()
            raise

    def _judge(self, trial: optuna.Trial) -> Judge:
        definition, folds = self.trainer.prepared.definition, len(self.trainer.prepared.folds)
        settings, metric = definition.config.study, definition.objective
        return judge_of(trial, settings, folds=folds, metric=metric, further=definition.further)

    def take_back(self) -> None:
        """Report the last trial as failed, where another process has run it again."""
        if self._outcome is not None:
            self._observer.trial_finished(replace(self._outcome, state="FAIL", reason=TAKEN))

    def forget_folds(self) -> None:
        """Remove the folds of the last trial from the store: the observer and Optuna have their results.

        Those of a trial that failed are kept: a rerun trains it again.
        """
        if self._config is not None:
            self._store.remove(self.trainer.job(self._config, fold) for fold in self.trainer.prepared.folds)
        self._config = None


def note_costs(trial: optuna.Trial, config: AnyTrial, definition: StudyDefinition, names: tuple[str, ...]) -> None:
    """Store the trial's values by those objectives that are known before training; none with a single objective.

    Args:
        trial: The trial.
        config: Its concrete configuration.
        definition: The study's.
        names: The names of a network's outputs.
    """
    known = [objective for objective in definition.further if objective.of_recipe is not None]
    if known:
        recipe = recipe_of(config, names, definition.goal)
        trial.set_user_attr(COSTS, {cost.name: cost.of_recipe(recipe) for cost in known if cost.of_recipe is not None})


def judge_of(
    trial: optuna.Trial,
    settings: SearchSettings,
    *,
    folds: int,
    metric: Metric,
    further: Sequence[StudyObjective] = (),
) -> Judge:
    """The judge of a trial by its study's pruner; a trial that confirms another one runs to the end.

    With several objectives a trial is judged by the primary one, against the trials that are no worse in all others: a
    trial that cannot beat these is hopeless in all. Where a value is not known before training, no trial is given up.

    Raises:
        UnknownNameError: There is no such pruner.
    """
    unknown = any(objective.of_recipe is None for objective in further)
    if confirms(trial) is not None or unknown or settings.pruner == "none":  # and other trials need not be read
        return Unpruned(folds)
    searched = searched_trials(shown_trials(trial.study))
    if further:
        own = trial.user_attrs[COSTS]
        searched = [other for other in searched if is_no_worse(other.user_attrs.get(COSTS), own, further)]
    judged = JudgedTrial(trial, searched, folds, metric=metric, settings=settings)
    return PRUNERS.get(settings.pruner).judge(judged)


def is_no_worse(
    costs: Mapping[str, float] | None, than: Mapping[str, float], objectives: Sequence[StudyObjective]
) -> bool:
    """Whether values by these objectives are as good as others, or better; not where they are not known."""
    if costs is None:
        return False
    return not any(
        Ranking(objective.measure).is_better(than[objective.name], costs[objective.name]) for objective in objectives
    )


class Reporting:
    """A judge that stores the trial's progress and the mean of its folds, then calls another judge.

    A fold is stored with those that end within the same second: a resumed trial takes its folds from the fold store.
    """

    def __init__(self, trial: optuna.Trial, judge: Judge, *, at_once: bool = False) -> None:
        """Wrap the judge of a trial; `at_once`: it reads from Optuna what is stored of every fold."""
        self._trial, self._judge, self._scores = trial, judge, list[float]()
        self._at_once, self._noted, self._noted_at = at_once, 0, -math.inf
        self.order = judge.order

    def after_epoch(self, position: int, report: EpochReport) -> str:
        """Return the wrapped judge's decision."""
        return self._judge.after_epoch(position, report)

    def after_fold(self, position: int, score: float) -> str:
        """Report the mean of the folds' scores, without missing ones, and return the wrapped judge's decision."""
        self._scores.append(score)
        if self._at_once or time.monotonic() - self._noted_at > NOTED_S:
            self.note()
        return self._judge.after_fold(position, score)

    def note(self) -> None:
        """Store the folds that are not stored yet, in one commit.

        Raises:
            TakenError: The trial is no longer this process's.
        """
        if self._noted == len(self._scores):
            return
        single = len(self._trial.study.directions) == 1  # Optuna refuses reports where there are several objectives
        try:
            with joined(self._trial.study):
                self._trial.set_user_attr(FOLDS_ENDED, len(self._scores))
                for ended in range(self._noted + 1, len(self._scores) + 1):
                    known = [found for found in self._scores[:ended] if not Ranking.is_missing(found)]
                    if known and single:
                        self._trial.report(float(np.mean(known)), ended)
        except UpdateFinishedTrialError:
            raise TakenError from None
        self._noted, self._noted_at = len(self._scores), time.monotonic()
