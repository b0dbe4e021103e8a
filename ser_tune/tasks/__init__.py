"""Tasks, one a file: targets, network outputs, aggregation, predictions and their texts.

To add one: a module with a `TASK`, and its line here; an installed package adds one by an entry point.
"""

from ..components import Catalogue
from .base import Goal, Targets, Task, Traceable

__all__ = ["DEFAULT_TASK", "TASKS", "Goal", "Targets", "Task", "Traceable"]

DEFAULT_TASK = "classification"
TASKS: Catalogue[Task] = Catalogue(
    kind="task",
    component=Task,
    package=__name__,
    modules={"classification": "classification"},
    attribute="TASK",
    group="ser_tune.tasks",
)
