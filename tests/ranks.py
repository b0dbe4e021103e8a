"""A task and metrics from outside, for tests of what trains and predicts: one of three ranks.

The decision is the rank nearest to the expected one, not the most probable. Ranks 0 and 1 are one stratum. Networks are
averaged by their raw outputs, and functions are lambdas, which cannot be pickled. Of the metrics, `distance` is better
where it is lower, `agreement` is never positive, and `spread` is not defined where all predictions are equal.
"""

from collections.abc import Sequence
from dataclasses import replace
from typing import Literal

import numpy as np

from ser_tune.config import TaskSettings
from ser_tune.corpora import Utterance
from ser_tune.metrics import Metric
from ser_tune.tasks import TASKS, Goal, Targets

NAMES = ("low", "middle", "high")
GOAL = Goal(task="ranks", aggregation="mean_probability", metrics=("distance", "agreement", "spread"))


class RanksSettings(TaskSettings):
    """Three ranks."""

    name: Literal["ranks"] = "ranks"
    """What is recognised."""


def ranks(values: np.ndarray) -> Targets:
    """Targets of ranks (U,)."""
    return Targets(names=NAMES, values=values, strata=values // 2, stratum_names=("not high", "high"))


def _of(_: RanksSettings, utterances: Sequence[Utterance]) -> Targets:
    return ranks(np.array([len(one.emotion) % 3 for one in utterances]))


def _sums(truth: np.ndarray, told: np.ndarray, groups: np.ndarray, n_groups: int, _: int) -> np.ndarray:
    """Of each group: utterances, the sum of distances, and the sums of predictions and of their squares."""
    columns = (np.ones(len(truth)), np.abs(told - truth), told, told**2)
    return np.stack([np.bincount(groups, one, n_groups) for one in columns], axis=-1)


def _spread(sums: np.ndarray) -> np.ndarray:
    variance = sums[..., 3] / sums[..., 0] - (sums[..., 2] / sums[..., 0]) ** 2
    return np.where(variance > 1e-12, np.sqrt(np.maximum(variance, 0)), np.nan)


def _distance(sums: np.ndarray) -> np.ndarray:
    distance: np.ndarray = sums[..., 1] / sums[..., 0]
    return distance


DISTANCE = Metric(
    name="distance",
    title="distance",
    description="the mean distance of ranks",
    sums=_sums,
    value=_distance,
    predictions="ranks",
    higher_is_better=False,
    high=2.0,
)
AGREEMENT = replace(
    DISTANCE,
    name="agreement",
    title="agreement",
    value=lambda sums: -_distance(sums),
    higher_is_better=True,
    low=-2.0,
    high=0.0,
)
SPREAD = replace(DISTANCE, name="spread", title="spread", value=_spread, scale="linear")
RANKS = replace(
    TASKS.get("classification"),
    name="ranks",
    settings=RanksSettings,
    title="one of three ranks",
    answer="rank",
    targets=_of,
    predictions="ranks",
    metrics=GOAL.metrics,
    members=lambda raw: raw.mean(dim=0),
    decide=lambda outputs: np.rint(np.exp(outputs) @ np.arange(3)).astype(np.int64),
)
POINTS = {
    "ser_tune.tasks": {"ranks": "RANKS"},
    "ser_tune.metrics": {one.name: one.name.upper() for one in (DISTANCE, AGREEMENT, SPREAD)},
}
