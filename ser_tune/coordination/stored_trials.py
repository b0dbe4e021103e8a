"""Trials as Optuna's storage has them: their user attributes, places, values and scores."""

import json
from collections.abc import Iterable, Sequence

import numpy as np
import optuna
from optuna.study import StudyDirection
from optuna.trial import FrozenTrial, TrialState

from ..config import Value
from ..errors import UnknownNameError
from ..metrics import DEFAULT_METRIC, METRICS, Metric, Ranking
from .optuna_internals import enqueued_values

__all__ = [
    "CONFIRMS",
    "COSTS",
    "CURVES",
    "CURVE_DIGITS",
    "DIED",
    "DONE",
    "FAILURE",
    "FOLDS_ENDED",
    "OVERRIDES",
    "PLACE",
    "SECONDS",
    "SEED",
    "best_trials",
    "complete_trials",
    "confirms",
    "fold_scores",
    "folds_ended",
    "is_counted",
    "place_of",
    "searched_trials",
    "seconds_of",
    "stored_objective",
    "value_of",
    "values_of",
]

PLACE = "place"
"""User attribute of a trial: its place in the study. A trial that is run again has another number, but this place."""
FAILURE = "failure"
"""User attribute of a trial: why its own values made it fail."""
SECONDS = "seconds"
"""User attribute of a trial that ended: seconds of training all its folds, those before an interruption included."""
SEED = "seed"
"""User attribute of a trial: a number that is added to the study's seed, 0 in a search."""
CONFIRMS = "confirms"
"""User attribute of a trial: the number of the searched trial that it trains again."""
COSTS = "costs"
"""User attribute of a trial of a study with several objectives: values that are known before training, by name."""
OVERRIDES = "overrides"
"""User attribute of a trial: values that the search cannot propose, which replace proposed ones."""
FOLDS_ENDED = "folds_ended"
"""User attribute of a trial: how many of its folds have ended."""
DIED = "died"
"""User attribute of a trial whose process died."""
CURVES = "curves"
"""User attribute of a complete trial: for each fold, by number, the score that it would keep after each epoch."""
CURVE_DIGITS = 4
"""Digits of a stored score: a text column of MySQL holds 65 535 bytes, enough for 8000 epochs of all folds."""
DONE = (TrialState.COMPLETE, TrialState.PRUNED)


def place_of(trial: optuna.Trial | FrozenTrial) -> int:
    """The trial's place in its study, counted from 0; before it begins, its number."""
    return int(trial.user_attrs.get(PLACE, trial.number))


def values_of(trial: FrozenTrial) -> dict[str, Value]:
    """The values in which a trial differs, or will differ, from its study's configuration: dotted path to value.

    The only way from a stored trial to its configuration: `trial.params` lacks what the search could not propose.
    """
    return {**enqueued_values(trial), **trial.params, **trial.user_attrs.get(OVERRIDES, {})}


def confirms(trial: optuna.Trial | FrozenTrial) -> int | None:
    """The number of the searched trial that this one trains again; None for a searched one."""
    return trial.user_attrs.get(CONFIRMS)


def searched_trials(trials: Iterable[FrozenTrial]) -> list[FrozenTrial]:
    """Those of some trials that confirm no other."""
    return [trial for trial in trials if CONFIRMS not in trial.user_attrs]


def complete_trials(trials: Iterable[FrozenTrial]) -> list[FrozenTrial]:
    """Those of some trials that have a score."""
    return [trial for trial in trials if trial.state == TrialState.COMPLETE]


def seconds_of(trial: FrozenTrial) -> float | None:
    """Seconds that a trial took, as MLflow has them; of a failed or older trial from its start to its end."""
    if (stored := trial.user_attrs.get(SECONDS)) is not None:
        return float(stored)
    return None if trial.duration is None else trial.duration.total_seconds()


def is_counted(trial: FrozenTrial) -> bool:
    """Whether a trial counts towards the total: all that ended, unless an interruption or a crash ended them."""
    if trial.state == TrialState.FAIL:
        return FAILURE in trial.user_attrs
    return trial.state in DONE


def folds_ended(trial: FrozenTrial) -> int:
    """Number of a trial's folds that have ended."""
    return int(trial.user_attrs.get(FOLDS_ENDED, 0))


def fold_scores(trial: FrozenTrial) -> Sequence[float]:
    """The validation score that each fold of a complete trial kept, by fold number; empty where none is stored."""
    return [fold[-1] for fold in trial.user_attrs.get(CURVES, ())]


def value_of(trial: FrozenTrial) -> float:
    """The score of a complete trial by its study's primary objective."""
    return float(trial.values[0])


def best_trials(complete: Iterable[FrozenTrial], objective: Metric) -> list[FrozenTrial]:
    """Complete trials, the best first; of equal ones the earlier."""
    return Ranking(objective).best_first(complete, value_of, lambda trial: trial.number)


def stored_objective(study: optuna.Study) -> Metric:
    """The metric that ranks a stored study's trials; if it is not installed, its name and direction alone."""
    facts = json.loads(study.user_attrs.get("protocol", "{}"))
    name = str(next(iter(facts.get("objectives", ())), DEFAULT_METRIC))
    try:
        return METRICS.get(name)
    except UnknownNameError:
        higher = study.directions[0] == StudyDirection.MAXIMIZE
        return Metric(name, name, "", _not_installed, _not_installed, higher_is_better=higher)


def _not_installed(*_: object) -> np.ndarray:
    raise NotImplementedError("the metric's package is not installed")
