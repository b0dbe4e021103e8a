"""Scores of each test set of an official split, or corpus of a union: metrics such as `test_sets/test1/uar_low`."""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from ..metrics import Metric
from ..protocol import Prepared
from ..resampling import HeldOutFold, Interval, corpus_interval, describe_score, interval_of, score
from .run_metrics import metric_names, score_metrics

if TYPE_CHECKING:
    from ..search import HeldOut

__all__ = ["ScoredSet", "mean_over_sets", "metrics_of_sets", "scored_sets", "set_metrics"]

PREFIX = "test_sets/"
PART = "set"
"""The side of scores, in names that are taken apart."""
OVER_FOLDS = ("_fold_mean", "_fold_std")
"""Endings of numbers that a single fold does not have."""
SIZES = ("utterances", "speakers")


@dataclass(frozen=True, slots=True)
class ScoredSet:
    """Scores of a test set."""

    name: str
    """As MLflow's metrics have it, such as `test1`."""
    utterances: int
    speakers: int
    scores: Mapping[str, float]
    """Score, ends of its interval, and parts, by names such as `uar`, `uar_low`, `uar_high` and `recall/anger`."""

    @property
    def title(self) -> str:
        """The name with the sizes, as tables have it."""
        return f"{self.name}: {self.utterances} utterances, {self.speakers} speakers"

    @property
    def metrics(self) -> dict[str, float]:
        """The numbers by MLflow's names."""
        sizes = {"utterances": float(self.utterances), "speakers": float(self.speakers)}
        return {f"{PREFIX}{self.name}/{key}": value for key, value in {**sizes, **self.scores}.items()}

    def described(self, metrics: Iterable[Metric]) -> list[str]:
        """The scores with their intervals, as tables have them."""
        return [describe_score(self.scores, metric.name) for metric in metrics]

    def interval(self, metric: str) -> Interval:
        """The 95 % interval of a score."""
        return interval_of(self.scores, metric)


def set_metrics(held_out: "HeldOut", prepared: Prepared) -> dict[str, float]:
    """Score each test set of a study's official split, or corpus of its union; none of other studies.

    Args:
        held_out: Test predictions.
        prepared: The study.

    Returns:
        As `metrics_of_sets`.
    """
    place_of, judged = {name: place for place, name in enumerate(held_out.utterances)}, dict[str, HeldOutFold]()
    for name, numbers in prepared.test_sets.items():
        own = np.array([place_of[prepared.corpus.utterances[number].id] for number in numbers.tolist()], dtype=np.int64)
        judged[name] = (held_out.truth[own], held_out.predicted[own], prepared.corpus.speaker_numbers[numbers])
    return metrics_of_sets(judged, prepared.definition.metrics, prepared.targets.names)


def metrics_of_sets(
    judged: Mapping[str, HeldOutFold], metrics: Sequence[Metric], outputs: tuple[str, ...]
) -> dict[str, float]:
    """Score sets of utterances.

    Args:
        judged: Truth, predictions and speakers of each set, by its name.
        metrics: Their scores are computed.
        outputs: The names of the task's outputs.

    Returns:
        MLflow's metrics, without those that are not known: scores, ends of intervals, parts such as recalls.
    """
    names, found = metric_names(list(judged)), dict[str, float]()
    for name, (truth, predicted, speakers) in judged.items():
        scores = score([(truth, predicted, speakers)], metrics, len(outputs))
        sizes = {"utterances": len(truth), "speakers": len(np.unique(speakers))}
        scored = score_metrics(scores, outputs, PART)
        of_set = {key.removeprefix(f"{PART}_"): value for key, value in scored.items() if not key.endswith(OVER_FOLDS)}
        found |= {f"{PREFIX}{names[name]}/{key}": value for key, value in (sizes | of_set).items()}
    return found


def scored_sets(metrics: Mapping[str, float]) -> Sequence[ScoredSet]:
    """Read the scores of test sets among the metrics of a run, by the name of the set.

    >>> [found] = scored_sets({"test_uar": 0.6, "test_sets/a/uar": 0.5, "test_sets/a/utterances": 9.0})
    >>> found.title, found.scores
    ('a: 9 utterances, 0 speakers', {'uar': 0.5})
    """
    sets: dict[str, dict[str, float]] = defaultdict(dict)
    for key, value in sorted(metrics.items()):
        if key.startswith(PREFIX):
            name, _, number = key.removeprefix(PREFIX).partition("/")
            sets[name][number] = value
    return [
        ScoredSet(
            name=name,
            utterances=int(numbers.get("utterances", 0)),
            speakers=int(numbers.get("speakers", 0)),
            scores={key: value for key, value in numbers.items() if key not in SIZES},
        )
        for name, numbers in sets.items()
    ]


def mean_over_sets(sets: Sequence[ScoredSet], metric: Metric) -> str:
    """A sentence on the mean over corpora of their scores, and on what its interval draws; of one corpus empty.

    >>> from ser_tune.metrics import METRICS
    >>> sets = [ScoredSet(name, 9, 3, {"uar": value}) for name, value in (("a", 0.5), ("b", 0.6))]
    >>> mean_over_sets(sets, METRICS.get("uar"))
    'mean over 2 corpora: UAR 0.5500 ± 0.0500 (too few to draw for an interval)'
    """
    known = np.array([found.scores[metric.name] for found in sets if metric.name in found.scores])
    if len(known) < 2:
        return ""
    interval, value = corpus_interval(metric, known), f"{known.mean():.4f} ± {known.std():.4f}"
    ends = f"95 % {interval}, corpora drawn" if interval.known else "too few to draw for an interval"
    return f"mean over {len(known)} corpora: {metric.title} {value} ({ends})"
