"""Tasks, one a file: targets, network outputs, aggregation, predictions and their texts.

To add one: a module with a `TASK`, and its line here; an installed package adds one by an entry point.
"""

from ..components import Catalogue
from .base import Goal, Targets, Task, Traceable, View
from .prediction_sets import (
    SETS_FILE,
    UNCERTAIN,
    PredictionSets,
    StatedSets,
    calibrate_sets,
    read_prediction_sets,
)

__all__ = [
    "DEFAULT_TASK",
    "SETS_FILE",
    "TASKS",
    "UNCERTAIN",
    "Goal",
    "PredictionSets",
    "StatedSets",
    "Targets",
    "Task",
    "Traceable",
    "View",
    "calibrate_sets",
    "read_prediction_sets",
]

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
