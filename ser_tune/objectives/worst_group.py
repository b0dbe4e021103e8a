"""`worst_group_METRIC:ATTRIBUTE`: the pooled validation score of the group of utterances with the worst score.

S. Sagawa et al.: Distributionally Robust Neural Networks for Group Shifts, ICLR 2020, arXiv 1911.08731, report it as
worst-group accuracy.
"""

import math
from dataclasses import replace

import numpy as np

from ..corpora import Corpus, group_names, grouped_by
from ..errors import ConfigError
from ..metrics import Ranking
from ..row_groups import rows_by
from .base import CompleteTrial, FindMetric, ObjectiveKind, StudyObjective

__all__ = ["OBJECTIVE"]

PREFIX = "worst_group_"


def find(name: str, find_metric: FindMetric) -> StudyObjective | None:
    """The objective of a metric and an attribute."""
    named, _, attribute = name.removeprefix(PREFIX).partition(":")
    if not name.startswith(PREFIX) or not attribute or (metric := find_metric(named)) is None:
        return None

    def value(trial: CompleteTrial) -> float:
        numbers, truth, predicted = trial.pooled
        names = np.array(grouped_by(trial.corpus.utterances, attribute))[numbers]
        width = len(trial.targets.names)
        scores = []
        for name, own in rows_by(names).items():
            score = metric.score(truth[own], predicted[own], width)
            # A group without a score for its own truth, such as a single recording's CCC, is no fault of the trial
            undefined = math.isnan(score) and math.isnan(metric.score(truth[own], truth[own], width))
            if name and not undefined:  # utterances without a name are in no group
                scores.append(score)
        return Ranking(metric).best_first(scores, lambda score: score)[-1] if scores else math.nan

    def check(corpus: Corpus) -> None:
        known = group_names(corpus.utterances)
        if attribute not in known:
            raise ConfigError(
                f"study.objectives has {name}, but no utterance of corpus {corpus.name} has '{attribute}'; expected "
                f"one of {', '.join(sorted(known))}"
            )

    measure = replace(metric, name=name, title=f"{metric.title} of the worst {attribute}", part="", parts=None)
    return StudyObjective(measure, of_trial=value, check=check)


OBJECTIVE = ObjectiveKind("worst_group_METRIC:ATTRIBUTE", find)
