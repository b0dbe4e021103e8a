"""Tasks, one a file: targets, network outputs, aggregation, predictions and their texts.

To add one: a module with a `TASK`, and its line here; an installed package adds one by an entry point.
"""

from ..components import Catalogue
from .base import Goal, Targets, Task, Traceable, View

__all__ = ["DEFAULT_TASK", "TASKS", "Goal", "Targets", "Task", "Traceable", "View"]

DEFAULT_TASK = "classification"
TASKS: Catalogue[Task] = Catalogue(
    kind="task",
    component=Task,
    package=__name__,
    modules={
        "classification": "classification",
        "dimensions": "dimensions",
        "distribution": "distribution",
        "multilabel": "multilabel",
    },
    attribute="TASK",
    group="ser_tune.tasks",
)
