"""When to give a trial up: between folds by Wilcoxon's test, between epochs by the median rule.

A trial reports one number after every epoch, the running score (mean UAR of the finished folds and of the best epoch
of the current one), and one at the end of every fold, that fold's UAR. Both live in Optuna's one line of steps, so
`step_of` keeps them apart, and `FoldAndEpochPruner` shows each of Optuna's pruners only the steps it understands.
"""

import copy
import warnings
from typing import cast

import optuna
from optuna.pruners import BasePruner, MedianPruner, NopPruner, WilcoxonPruner
from optuna.trial import FrozenTrial

from ..config import SearchSettings

__all__ = ["FoldAndEpochPruner", "build_pruner", "step_of"]

STEPS_PER_FOLD = 1002
FOLD_END = 1001
"""Steps 1 to 1000 of a fold are its epochs (the bound of training.epochs); its end comes after all of them."""

WILCOXON_P = 0.1


def step_of(fold: int, epoch: int | None) -> int:
    """The step of an epoch's running score; with None, of the fold's final UAR.

    >>> step_of(2, 5), step_of(2, None)
    (2009, 3005)
    """
    return fold * STEPS_PER_FOLD + (FOLD_END if epoch is None else epoch)


class FoldAndEpochPruner(BasePruner):
    """Routes fold ends to one pruner and epochs to another."""

    def __init__(self, *, between_folds: BasePruner, between_epochs: BasePruner) -> None:
        """Combine two pruners.

        Args:
            between_folds: Sees the UARs of the finished folds only.
            between_epochs: Sees the current running score only, so an early lucky one does not shield a trial.
        """
        self.between_folds = between_folds
        self.between_epochs = between_epochs

    def prune(self, study: optuna.Study, trial: FrozenTrial) -> bool:
        """Whether to give the trial up after its last report."""
        step = trial.last_step
        if step is None:
            return False
        if step % STEPS_PER_FOLD == FOLD_END:
            return bool(self.between_folds.prune(cast("optuna.Study", _FoldEndsOnly(study)), _fold_ends(trial)))
        view = copy.copy(trial)
        view.intermediate_values = {step: trial.intermediate_values[step]}
        return bool(self.between_epochs.prune(study, view))


def _fold_ends(trial: FrozenTrial) -> FrozenTrial:
    """The trial without its epochs' reports."""
    view = copy.copy(trial)
    view.intermediate_values = {
        step: value for step, value in trial.intermediate_values.items() if step % STEPS_PER_FOLD == FOLD_END
    }
    return view


class _FoldEndsOnly:
    """What Wilcoxon's pruner reads of a study.

    It spares a trial whose mean is at least the best one's; the best trial's epochs, which begin low, must not lower
    that mean.
    """

    def __init__(self, study: optuna.Study) -> None:
        self._study = study

    @property
    def direction(self) -> optuna.study.StudyDirection:
        return self._study.direction

    @property
    def best_trial(self) -> FrozenTrial:
        return _fold_ends(self._study.best_trial)


def build_pruner(settings: SearchSettings) -> BasePruner:
    """The pruner that a study asks for."""
    if settings.pruner == "none":
        return NopPruner()
    warmup = settings.warmup_folds * STEPS_PER_FOLD
    median = MedianPruner(n_startup_trials=settings.median_trials, n_warmup_steps=warmup)
    if settings.pruner == "median":
        return FoldAndEpochPruner(between_folds=NopPruner(), between_epochs=median)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)  # Optuna marks this pruner so
        wilcoxon = WilcoxonPruner(p_threshold=WILCOXON_P)
    return FoldAndEpochPruner(between_folds=wilcoxon, between_epochs=median)
