"""When to give a trial up: between folds by Wilcoxon's test, between epochs by the median rule.

A trial reports each finished fold's UAR to Optuna. Its running scores, one an epoch (mean UAR of the finished folds and
of what the current one would keep), are compared in memory, and stored once, when the trial is complete: a report of
every epoch to the database took as long as a small network's training.
"""

import warnings
from collections.abc import Callable, Sequence

import optuna
from optuna.pruners import BasePruner, MedianPruner, NopPruner, WilcoxonPruner
from optuna.trial import FrozenTrial, TrialState, create_trial

from ..config import SearchSettings

__all__ = ["RUNNING_DIGITS", "RUNNING_SCORES", "GivesUp", "build_pruner", "fold_end", "median_rule"]

RUNNING_SCORES = "running_scores"
"""The user attribute of a complete trial that holds its running scores, a list for each fold."""

RUNNING_DIGITS = 4
"""Of a running score: Optuna's text column in MySQL holds 65 535 bytes, so that 8000 epochs, of all folds, go in."""

STEPS_PER_FOLD = 1002
"""More than training.epochs can be, and one for the fold's end."""

WILCOXON_P = 0.1

GivesUp = Callable[[int, int, float], bool]
"""From a fold's position among those that are trained, an epoch counted from 1, and the running score."""


def fold_end(fold: int) -> int:
    """The step of a fold's UAR.

    Trials of earlier versions reported their epochs too, and their folds' ends at these very steps: Wilcoxon's test
    finds no other step in common with them.
    """
    return (fold + 1) * STEPS_PER_FOLD - 1


def build_pruner(settings: SearchSettings) -> BasePruner:
    """What judges a trial between folds."""
    if settings.pruner != "wilcoxon":
        return NopPruner()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)  # Optuna marks this pruner so
        return WilcoxonPruner(p_threshold=WILCOXON_P)


def median_rule(settings: SearchSettings, trials: Sequence[FrozenTrial]) -> GivesUp:
    """What judges a trial between epochs.

    Args:
        settings: Whether there is such a rule, how many complete trials it waits for, and from which fold on it judges.
        trials: The study's; complete ones are compared with.
    """
    if settings.pruner == "none":
        return lambda *_: False
    pruner = MedianPruner(
        n_startup_trials=settings.median_trials, n_warmup_steps=settings.warmup_folds * STEPS_PER_FOLD
    )
    earlier = optuna.create_study(storage=optuna.storages.InMemoryStorage(), direction="maximize")
    for one in trials:
        if one.state == TrialState.COMPLETE and RUNNING_SCORES in one.user_attrs:
            scores = {
                _step(fold, epoch): round(score, RUNNING_DIGITS)  # earlier versions stored all digits
                for fold, epochs in enumerate(one.user_attrs[RUNNING_SCORES])
                for epoch, score in enumerate(epochs, start=1)
            }
            earlier.add_trial(create_trial(value=one.value, intermediate_values=scores))

    def gives_up(fold: int, epoch: int, running: float) -> bool:
        # Only the present score is shown: an early lucky one must not shield a trial
        now = create_trial(state=TrialState.RUNNING, intermediate_values={_step(fold, epoch): running})
        return pruner.prune(earlier, now)

    return gives_up


def _step(fold: int, epoch: int) -> int:
    """Folds and epochs in the one line of steps that Optuna's pruners know."""
    return fold * STEPS_PER_FOLD + epoch
