"""A task and metrics from outside: levels instead of emotions, and scores that are low or negative where they are good.

`drift`, `error` and `shortfall` rank predictions as WA does, so a study by one of them must end as a study by WA.
"""

from collections.abc import Sequence
from dataclasses import replace
from typing import Literal

import numpy as np

from ser_tune.config import TaskSettings
from ser_tune.corpora import Utterance
from ser_tune.metrics import METRICS
from ser_tune.tasks import TASKS, Targets

__all__ = ["DRIFT", "ERROR", "LEVELS", "OF_MANY", "SHORTFALL"]

_WA = METRICS.get("wa")


MANY = 12
"""Utterances: more than a fold of the tiny corpus has."""


class LevelsSettings(TaskSettings):
    """High or low arousal."""

    name: Literal["levels"] = "levels"
    """What is recognised."""
    high: tuple[str, ...] = ("anger", "joy")
    """Emotions of high arousal."""


def _error(counts: np.ndarray) -> np.ndarray:
    wrong: np.ndarray = 1 - _WA.value(counts)
    return wrong


def _shortfall(counts: np.ndarray) -> np.ndarray:
    below: np.ndarray = _WA.value(counts) - 1
    return below


def _drift(counts: np.ndarray) -> np.ndarray:
    below: np.ndarray = -_WA.value(counts)
    return below


def _of_many(counts: np.ndarray) -> np.ndarray:
    wa: np.ndarray = np.where(counts.sum(axis=(-2, -1)) >= MANY, _WA.value(counts), np.nan)
    return wa


def _levels(settings: LevelsSettings, utterances: Sequence[Utterance]) -> Targets:
    """Emotions that are not high are low."""
    values = np.array([int(one.emotion in settings.high) for one in utterances], dtype=np.int64)
    return Targets(names=("low", "high"), values=values, strata=values, stratum_names=("low", "high"))


DRIFT = replace(_WA, name="drift", title="drift", value=_drift, low=-1.0, high=0.0, higher_is_better=False)
ERROR = replace(_WA, name="error", title="error rate", value=_error, higher_is_better=False)
SHORTFALL = replace(_WA, name="shortfall", title="shortfall", value=_shortfall, low=-1.0, high=0.0)
OF_MANY = replace(_WA, name="of_many", title="WA of many", value=_of_many)
"""It is not defined for few utterances."""
LEVELS = replace(
    TASKS.get("classification"),
    name="levels",
    settings=LevelsSettings,
    title="high or low arousal",
    answer="level",
    targets=_levels,
    metrics=("error", "uar"),
)
