"""`worst_condition_METRIC`: the validation score in the worst of the conditions of `stressed_METRIC`."""

import math
from dataclasses import replace

from ..metrics import Ranking
from .base import CompleteTrial, FindMetric, ObjectiveKind, StudyObjective
from .stressed import condition_scores

__all__ = ["OBJECTIVE"]

PREFIX = "worst_condition_"


def find(name: str, find_metric: FindMetric) -> StudyObjective | None:
    """The objective of a metric."""
    if not name.startswith(PREFIX) or (metric := find_metric(name.removeprefix(PREFIX))) is None:
        return None

    def value(trial: CompleteTrial) -> float:
        scores = condition_scores(trial, metric)
        return Ranking(metric).best_first(scores, lambda score: score)[-1] if scores else math.nan

    measure = replace(metric, name=name, title=f"{metric.title} in the worst recordings", part="", parts=None)
    return StudyObjective(measure, of_trial=value)


OBJECTIVE = ObjectiveKind("worst_condition_METRIC", find)
