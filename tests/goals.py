"""What tests train for: classes, scored as a study of emotions scores them."""

from collections.abc import Sequence

import numpy as np

from ser_tune.tasks import Goal, Targets

GOAL = Goal(task="classification", aggregation="mean_log_softmax", metrics=("uar", "wa"))


def classes(numbers: np.ndarray, names: Sequence[str]) -> Targets:
    """Targets of class numbers (U,), each class a stratum."""
    return Targets(names=tuple(names), values=numbers, strata=numbers, stratum_names=tuple(names))
