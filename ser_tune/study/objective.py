"""The objective: what Optuna proposes is trained as a trial, and what came of it is told to Optuna."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import optuna
import torch
from optuna.exceptions import UpdateFinishedTrialError

from ..config import SearchSettings
from ..errors import AudioError, ConfigError, ExecutionError, NonFiniteLossError
from ..training import AnyTrial, EpochReport
from .confirmation import confirms
from .fold_store import FoldStore
from .observer import StudyObserver, TrialOutcome
from .places import OVERRIDES, SEED, count_failure
from .pruning import CURVE_DIGITS, CURVES, race_of
from .sampling import sample
from .selection import note_confusions
from .trainer import Trainer
from .trial import TAKEN, Proposal, TakenError, run_trial

__all__ = ["FAILURES", "Objective"]

FAILURES = (NonFiniteLossError, ConfigError, AudioError, ExecutionError, torch.OutOfMemoryError, MemoryError)
"""What fails a trial and lets the study go on: its own values are to blame, as when a recording is too short for the
window that it proposes. Any other exception ends the study."""


class Objective:
    """Asks Optuna for a trial's values, has it trained, and tells the pooled validation UAR."""

    def __init__(self, trainer: Trainer, store: FoldStore, observer: StudyObserver) -> None:
        """Make the objective of a study.

        Args:
            trainer: Of the study.
            store: Of trained folds.
            observer: Receives every event.
        """
        self.trainer, self._store, self._observer = trainer, store, observer
        self._told: AnyTrial | None = None
        self._outcome: TrialOutcome | None = None

    def __call__(self, trial: optuna.Trial) -> float:
        """Run a claimed trial and return its pooled validation UAR.

        Raises:
            optuna.TrialPruned: It was given up.
        """
        definition = self.trainer.prepared.definition
        # All that varies is drawn, so that the sampler can learn from the trial; some of it may be replaced
        sampled = sample(trial, definition.search) | trial.user_attrs.get(OVERRIDES, {})
        self._outcome = None
        judge = Racing(trial, definition.config.study, len(self.trainer.prepared.folds))
        try:
            # The ends of all ranges go together, but perhaps not all that lies between
            config = self.trainer.concrete(sampled, seed=definition.config.seed + trial.user_attrs.get(SEED, 0))
            proposal = Proposal(trial.number, config, sampled, confirms(trial))
            outcome = run_trial(proposal, self.trainer, store=self._store, judge=judge, observer=self._observer)
        except FAILURES as error:
            count_failure(trial, error)
            raise
        self._told, self._outcome = config, outcome
        if outcome.state == "PRUNED":
            raise optuna.TrialPruned(outcome.reason)
        curves = [[round(one.kept_uar, CURVE_DIGITS) for one in fold.fitted.history] for fold in outcome.folds]
        trial.set_user_attr(CURVES, curves)
        note_confusions(trial, self.trainer.prepared.corpus, outcome.folds)
        assert outcome.scores is not None
        return outcome.scores.uar

    def take_back(self) -> None:
        """Tell that the last trial failed after all, where another process has run it again."""
        if self._outcome is not None:
            self._observer.trial_finished(replace(self._outcome, state="FAIL", reason=TAKEN))

    def forget_folds(self) -> None:
        """Remove the folds of the last trial from the store: the observer and Optuna have all that came of them.

        Those of a trial that failed are kept: a rerun trains it again.
        """
        if self._told is not None:
            self._store.remove(self.trainer.job(self._told, fold) for fold in self.trainer.prepared.folds)
        self._told = None


class Racing:
    """A trial's judge: its race, where it has one."""

    def __init__(self, trial: optuna.Trial, settings: SearchSettings, folds: int) -> None:
        """Race against the complete trials that the study has now."""
        self._trial, self._uars = trial, list[float]()
        searched = [one for one in trial.study.get_trials(deepcopy=False) if confirms(one) is None]
        self._race = None if confirms(trial) is not None else race_of(settings, searched, folds)
        self.order: Sequence[int] = range(folds) if self._race is None else self._race.order

    def after_epoch(self, position: int, report: EpochReport) -> str:
        """Compare the UAR that the fold would keep with that of the best trials."""
        if self._race is None or not self._race.epoch_ended(position, report.epoch, report.kept_uar):
            return ""
        return f"racing: UAR {report.kept_uar:.3f} in fold {position}, epoch {report.epoch} is hopelessly low"

    def after_fold(self, position: int, uar: float) -> str:
        """Report the mean of the folds' UAR, and compare all of them with the best trials'."""
        self._uars.append(uar)
        try:
            self._trial.report(float(np.mean(self._uars)), len(self._uars))
        except UpdateFinishedTrialError:
            raise TakenError from None
        if self._race is None or not self._race.fold_ended(position, uar):
            return ""
        return f"racing: behind the best trials in {len(self._uars)} paired folds"
