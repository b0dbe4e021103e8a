"""The objective: what Optuna proposes is trained as a trial, and what came of it is told to Optuna."""

import numpy as np
import optuna
import torch

from ..config import SearchSettings
from ..errors import AudioError, ConfigError, NonFiniteLossError
from ..training import AnyTrial, EpochReport
from .fold_store import FoldStore
from .observer import StudyObserver
from .places import count_failure, place_of, take_place
from .pruning import RUNNING_DIGITS, RUNNING_SCORES, fold_end, median_rule
from .sampling import sample
from .storage import note_process
from .trainer import Trainer
from .trial import Proposal, run_trial

__all__ = ["FAILURES", "Objective"]

FAILURES = (NonFiniteLossError, ConfigError, AudioError, torch.OutOfMemoryError, MemoryError)
"""What fails a trial and lets the study go on: its own values are to blame, as when a recording is too short for the
window that it proposes. Any other exception ends the study."""


class Objective:
    """Asks Optuna for a trial's values, has it trained, and tells the pooled validation UAR."""

    def __init__(self, trainer: Trainer, store: FoldStore, observer: StudyObserver) -> None:
        """Make the objective of a study.

        Args:
            trainer: Of the study.
            store: Of trained folds.
            observer: Is told of everything.
        """
        self.trainer, self._store, self._observer = trainer, store, observer
        self._told: AnyTrial | None = None

    def __call__(self, trial: optuna.Trial) -> float:
        """Run a trial and return its pooled validation UAR.

        Raises:
            optuna.TrialPruned: It was given up.
        """
        note_process(trial)
        take_place(trial)
        definition = self.trainer.prepared.definition
        sampled = sample(trial, definition.search)
        judge = Pruning(trial, definition.config.study)
        try:
            # The ends of all ranges go together, but perhaps not all that lies between
            config = self.trainer.concrete(sampled, seed=definition.config.seed + place_of(trial))
            proposal = Proposal(trial.number, config, sampled)
            outcome = run_trial(proposal, self.trainer, store=self._store, judge=judge, observer=self._observer)
        except FAILURES as error:
            count_failure(trial, error)
            raise
        self._told = config
        if outcome.state == "PRUNED":
            raise optuna.TrialPruned(outcome.reason)
        trial.set_user_attr(RUNNING_SCORES, judge.running)
        assert outcome.scores is not None
        return outcome.scores.uar

    def forget_folds(self) -> None:
        """Remove the folds of the last trial from the store: the observer and Optuna have all that came of them.

        Those of a trial that failed are kept: a rerun trains it again.
        """
        if self._told is not None:
            self._store.remove(self.trainer.job(self._told, fold) for fold in self.trainer.prepared.folds)
        self._told = None


class Pruning:
    """A trial's judge: the median rule between epochs, Wilcoxon's test between folds."""

    def __init__(self, trial: optuna.Trial, settings: SearchSettings) -> None:
        """Compare with the complete trials that the study has now."""
        self._trial = trial
        self._gives_up = median_rule(settings, trial.study.get_trials(deepcopy=False))
        self._uars: list[float] = []
        self.running: list[list[float]] = []
        """Of every fold, the running score after every epoch."""

    def after_epoch(self, fold: int, report: EpochReport) -> str:
        """Compare the running score with those of complete trials at the same epoch of the same fold."""
        if len(self.running) == len(self._uars):
            self.running.append([])
        running = self.running[-1]
        running.append(round(float(np.mean([*self._uars, report.kept_uar])), RUNNING_DIGITS))
        if self._gives_up(len(self._uars), report.epoch, running[-1]):
            return f"median rule: running UAR {running[-1]:.3f} in fold {fold}, epoch {report.epoch}"
        return ""

    def after_fold(self, fold: int, uar: float) -> str:
        """Report the fold's UAR, and compare all of them with the best trial's."""
        self._uars.append(uar)
        self._trial.report(uar, fold_end(fold))
        if self._trial.should_prune():
            return f"Wilcoxon's test: worse than the best trial in {len(self._uars)} paired folds"
        return ""
