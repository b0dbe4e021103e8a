"""The kinds of objectives, and the objectives of a study by their names."""

from collections.abc import Sequence
from functools import partial

from ..errors import ConfigError, brief, valid_names
from ..metrics import METRICS, Metric
from ..tasks import Task
from . import macs, metric, seconds_per_second, size_mb, stressed, worst_condition, worst_group
from .base import ObjectiveKind, StudyObjective

__all__ = ["KINDS", "objectives_of"]

KINDS: tuple[ObjectiveKind, ...] = tuple(
    module.OBJECTIVE for module in (metric, worst_group, stressed, worst_condition, size_mb, macs, seconds_per_second)
)
"""To add a kind: a module with an `OBJECTIVE`, and its name here."""


def objectives_of(names: Sequence[str], task: Task) -> tuple[StudyObjective, ...]:
    """The objectives of a study, in their order.

    Args:
        names: As users type them; at least one.
        task: The study's.

    Raises:
        ConfigError: There is no such objective for the task, or the first is no metric of its predictions.
    """
    found = tuple(_objective(name, task) for name in names)
    if not found[0].is_metric:
        raise ConfigError(
            f"study.objectives begins with {names[0]}; expected a metric of predictions first, such as "
            f"{task.metrics[0]}: it ranks trials, ends hopeless ones early, selects epochs and promotes"
        )
    return found


def _objective(name: str, task: Task) -> StudyObjective:
    for kind in KINDS:
        if (found := kind.find(name, partial(_metric, task))) is not None:
            return found
    fitting = valid_names(name, [*_fitting(task), *(kind.form for kind in KINDS[1:])])
    raise ConfigError(f"study.objectives has {brief(name)}; task {task.name} has {fitting}")


def _metric(task: Task, name: str) -> Metric | None:
    """A metric of the task's predictions; raises `ConfigError` where it is of other predictions."""
    if name not in METRICS.names():
        return None
    if (found := METRICS.get(name)).predictions not in task.kinds:
        raise ConfigError(
            f"study.objectives has {name}, which is of {found.predictions}; task {task.name} predicts "
            f"{task.predictions}: choose from {', '.join(_fitting(task))}"
        )
    return task.metric(name)


def _fitting(task: Task) -> list[str]:
    return [name for name in METRICS.names() if METRICS.get(name).predictions in task.kinds]
