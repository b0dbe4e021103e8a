"""Tasks, one a file: what is recognised, and all that follows from it.

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
