"""Scores of stored trials: the objective that they are of, and which trial is better."""

import json
from collections.abc import Iterable

import numpy as np
import optuna
from optuna.study import StudyDirection
from optuna.trial import FrozenTrial

from ..errors import UnknownNameError
from ..metrics import DEFAULT_METRIC, METRICS, Metric, Ranking

__all__ = ["best_trials", "stored_objective", "value_of"]


def stored_objective(study: optuna.Study) -> Metric:
    """What a stored study ranks its trials by; of a metric that is not installed, its name and direction alone."""
    facts = json.loads(study.user_attrs.get("protocol", "{}"))
    name = str(next(iter(facts.get("objectives", ())), DEFAULT_METRIC))
    try:
        return METRICS.get(name)
    except UnknownNameError:
        higher = study.direction == StudyDirection.MAXIMIZE
        return Metric(name, name, "", _not_installed, _not_installed, higher_is_better=higher)


def _not_installed(*_: object) -> np.ndarray:
    raise NotImplementedError("the metric's package is not installed")


def value_of(trial: FrozenTrial) -> float:
    """The score of a complete trial by its study's primary objective."""
    return float(trial.values[0])


def best_trials(complete: Iterable[FrozenTrial], objective: Metric) -> list[FrozenTrial]:
    """Complete trials, the best first; of equal ones the earlier."""
    return Ranking(objective).best_first(complete, value_of, lambda one: one.number)
