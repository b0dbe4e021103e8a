"""`METRIC`: the pooled validation score by a metric of the task's predictions."""

from .base import CompleteTrial, FindMetric, ObjectiveKind, StudyObjective

__all__ = ["OBJECTIVE"]


def find(name: str, find_metric: FindMetric) -> StudyObjective | None:
    """The objective of a metric."""

    def value(trial: CompleteTrial) -> float:
        return trial.scores[name].value

    metric = find_metric(name)
    return None if metric is None else StudyObjective(metric, of_trial=value, is_metric=True)


OBJECTIVE = ObjectiveKind("METRIC", find)
