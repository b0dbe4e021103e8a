"""Convergence: a search ends early where no configuration in its ranges is likely to be noticeably better.

A. Makarova et al., Automatic Termination for Hyperparameter Optimization, AutoML-Conf 2022: a search may end where an
upper bound of what is left to gain (of a Gaussian process, by Optuna) is below the standard error of the best score,
which comes from its folds.
"""

import math
import warnings
from collections.abc import Sequence
from dataclasses import asdict

import numpy as np
import optuna
from optuna.study import StudyDirection
from optuna.terminator import RegretBoundEvaluator
from optuna.trial import FrozenTrial, TrialState

from ..coordination import (
    CONVERGED,
    StorageLock,
    best_trials,
    complete_trials,
    fold_scores,
    is_counted,
    searched_trials,
    shown_trials,
)
from ..definition import Plan
from ..metrics import Metric, Ranking
from .stored_plan import Convergence

__all__ = ["note_convergence"]

NEEDED = 20
"""Complete trials that are looked at, at least; Optuna's number."""


def note_convergence(study: optuna.Study, lock: StorageLock, plan: Plan, objective: Metric, *, seed: int) -> None:
    """Look whether a search has converged, which takes a moment, and store it under the study's lock.

    Args:
        study: The study.
        lock: Its lock.
        plan: As it is without convergence.
        objective: The metric that ranks its trials.
        seed: Of the points at which the bound is looked for.
    """
    trials = searched_trials(shown_trials(study))
    complete = complete_trials(trials)
    if len(complete) < NEEDED or sum(map(is_counted, trials)) >= plan.searched:
        return
    best, direction = best_trials(complete, objective)[0], StudyDirection[Ranking(objective).direction.upper()]
    gain, error = _possible_gain(complete, direction, seed), _standard_error(fold_scores(best))
    if not gain < error:  # nor where a fold has no score, and the error is not known
        return

    def note() -> None:
        if study.user_attrs.get(CONVERGED) is None:
            now = searched_trials(shown_trials(study))
            under_way = (TrialState.RUNNING, TrialState.WAITING)
            kept = sum(is_counted(trial) or trial.state in under_way for trial in now)
            found = Convergence(kept, kept + plan.confirmed * plan.seeds, gain, error)
            study.set_user_attr(CONVERGED, asdict(found))

    lock.run(note)


def _possible_gain(complete: Sequence[FrozenTrial], direction: StudyDirection, seed: int) -> float:
    """Upper bound of the possible gain; infinite if no value varies over the trials."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
        warnings.simplefilter("ignore", FutureWarning)  # Optuna 6 is to remove its terminators; 5 is pinned
        try:
            return float(RegretBoundEvaluator(seed=seed).evaluate(list(complete), direction))
        except ValueError:
            return math.inf


def _standard_error(scores: Sequence[float]) -> float:
    """Standard error of the mean of folds, whose training sets overlap.

    The variance of K folds is scaled by 1/K + 1/(K - 1), of C. Nadeau and Y. Bengio, Inference for the Generalization
    Error, Machine Learning 52, 2003.

    >>> round(_standard_error([0.5, 0.6, 0.7]), 4)
    0.0745
    """
    folds = len(scores)
    return math.sqrt((1 / folds + 1 / (folds - 1)) * float(np.var(scores))) if folds > 1 else 0.0
