"""The objective: trains the values that Optuna proposes as a trial, and stores the result."""

from dataclasses import replace

import numpy as np
import optuna
import torch
from optuna.exceptions import UpdateFinishedTrialError

from ..config import SearchSettings
from ..coordination import (
    CURVE_DIGITS,
    CURVES,
    FAILURE,
    FOLDS_ENDED,
    OVERRIDES,
    SEED,
    FoldStore,
    confirms,
    searched_trials,
)
from ..errors import AudioError, ConfigError, ExecutionError, NonFiniteLossError, UndefinedScoreError
from ..metrics import Metric, Ranking
from ..training import AnyTrial, EpochReport
from .observer import StudyObserver, TrialOutcome
from .place_sampler import sample
from .pruners import PRUNERS, JudgedTrial, Unpruned
from .selection import note_sums
from .trainer import Trainer
from .trial import TAKEN, Judge, Proposal, TakenError, run_trial

__all__ = ["FAILURES", "Objective"]

FAILURES = (
    *(NonFiniteLossError, UndefinedScoreError, ConfigError, AudioError, ExecutionError),
    *(torch.OutOfMemoryError, MemoryError),
)
"""Errors of a trial's own values, after which the study goes on, as when a recording is too short for the proposed
window. Any other exception ends the study."""


class Objective:
    """Draws a trial's values, has it trained, and returns its pooled validation score."""

    def __init__(self, trainer: Trainer, store: FoldStore, observer: StudyObserver) -> None:
        """Make the objective of a study, whose observer receives every event."""
        self.trainer, self._store, self._observer = trainer, store, observer
        self._config: AnyTrial | None = None
        self._outcome: TrialOutcome | None = None

    def __call__(self, trial: optuna.Trial) -> float:
        """Run a claimed trial and return its pooled validation score.

        Raises:
            optuna.TrialPruned: It was given up.
        """
        definition = self.trainer.prepared.definition
        # All that varies is drawn, so that the sampler can learn from the trial; some of it may be replaced
        sampled = sample(trial, definition.search) | trial.user_attrs.get(OVERRIDES, {})
        self._outcome = None
        settings, folds = definition.config.study, len(self.trainer.prepared.folds)
        judge = Reporting(trial, judge_of(trial, settings, folds=folds, metric=definition.objective))
        try:
            # The ends of all ranges go together, but perhaps not all that lies between
            config = self.trainer.concrete(sampled, seed=definition.config.seed + trial.user_attrs.get(SEED, 0))
            proposal = Proposal(trial.number, config, sampled, confirms(trial))
            outcome = run_trial(proposal, self.trainer, store=self._store, judge=judge, observer=self._observer)
        except FAILURES as error:
            trial.set_user_attr(FAILURE, f"{type(error).__name__}: {error}")  # counts, and is not tried again
            raise
        self._config, self._outcome = config, outcome
        if outcome.state == "PRUNED":
            raise optuna.TrialPruned(outcome.reason)
        curves = [[round(report.kept, CURVE_DIGITS) for report in fold.fitted.history] for fold in outcome.folds]
        trial.set_user_attr(CURVES, curves)
        note_sums(trial, self.trainer.prepared, outcome.folds)
        assert outcome.scores is not None
        return outcome.scores[definition.objective.name].value

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


def judge_of(trial: optuna.Trial, settings: SearchSettings, *, folds: int, metric: Metric) -> Judge:
    """The judge of a trial by its study's pruner; a trial that confirms another one runs to the end.

    Raises:
        UnknownNameError: There is no such pruner.
    """
    if confirms(trial) is not None:
        return Unpruned(folds)
    searched = searched_trials(trial.study.get_trials(deepcopy=False))
    judged = JudgedTrial(trial, searched, folds, metric=metric, settings=settings)
    return PRUNERS.get(settings.pruner).judge(judged)


class Reporting:
    """A judge that stores the trial's progress and the mean of its folds, then calls another judge."""

    def __init__(self, trial: optuna.Trial, judge: Judge) -> None:
        """Wrap the judge of a trial."""
        self._trial, self._judge, self._scores = trial, judge, list[float]()
        self.order = judge.order

    def after_epoch(self, position: int, report: EpochReport) -> str:
        """Return the wrapped judge's decision."""
        return self._judge.after_epoch(position, report)

    def after_fold(self, position: int, score: float) -> str:
        """Report the mean of the folds' scores, without missing ones, and return the wrapped judge's decision."""
        self._scores.append(score)
        known = [found for found in self._scores if not Ranking.is_missing(found)]
        try:
            self._trial.set_user_attr(FOLDS_ENDED, len(self._scores))
            if known:
                self._trial.report(float(np.mean(known)), len(self._scores))
        except UpdateFinishedTrialError:
            raise TakenError from None
        return self._judge.after_fold(position, score)
