"""Scores of each test set of an official split: metrics of a run such as `test_sets/test1/uar_low`."""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from ..metrics import Metric
from ..protocol import Prepared
from ..resampling import GroupScore, Interval, describe_score, interval_of, score_groups
from ..search import HeldOut
from .run_metrics import metric_names

__all__ = ["ScoredSet", "scored_sets", "set_metrics"]

PREFIX = "test_sets/"
SIZES = ("utterances", "speakers")


@dataclass(frozen=True, slots=True)
class ScoredSet:
    """Scores of a test set."""

    name: str
    """As MLflow's metrics have it, such as `test1`."""
    utterances: int
    speakers: int
    scores: Mapping[str, float]
    """Score and ends of its interval, by names such as `uar`, `uar_low` and `uar_high`."""

    @property
    def title(self) -> str:
        """The name with the sizes, as tables have it."""
        return f"{self.name}: {self.utterances} utterances, {self.speakers} speakers"

    def described(self, metrics: Iterable[Metric]) -> list[str]:
        """The scores with their intervals, as tables have them."""
        return [describe_score(self.scores, metric.name) for metric in metrics]

    def interval(self, metric: str) -> Interval:
        """The 95 % interval of a score."""
        return interval_of(self.scores, metric)


def set_metrics(held_out: HeldOut, prepared: Prepared) -> dict[str, float]:
    """Score each test set of a study's official split; none of other folds.

    Args:
        held_out: Test predictions.
        prepared: The study.

    Returns:
        MLflow's metrics, without scores and ends of intervals that are not known.
    """
    numbers = {utterance.id: number for number, utterance in enumerate(prepared.corpus.utterances)}
    tested = np.array([numbers[name] for name in held_out.utterances], dtype=np.int64)
    splits = [prepared.corpus.utterances[number].split if prepared.is_official else "" for number in tested.tolist()]
    groups = score_groups(
        held_out.truth,
        held_out.predicted,
        prepared.corpus.speaker_numbers[tested],
        splits,
        prepared.definition.metrics,
        len(prepared.targets.names),
    )
    names = metric_names([group.name for group in groups])
    found = {f"{PREFIX}{names[group.name]}/{key}": value for group in groups for key, value in _numbers(group).items()}
    return {key: value for key, value in found.items() if not np.isnan(value)}


def _numbers(group: GroupScore) -> dict[str, float]:
    numbers: dict[str, float] = {size: getattr(group, size) for size in SIZES}
    for name, score in group.scores.items():
        numbers |= {name: score.value, f"{name}_low": score.interval.low, f"{name}_high": score.interval.high}
    return numbers


def scored_sets(metrics: Mapping[str, float]) -> Sequence[ScoredSet]:
    """Read the scores of test sets among the metrics of a run, by the name of the set.

    >>> [found] = scored_sets({"test_uar": 0.6, "test_sets/a/uar": 0.5, "test_sets/a/utterances": 9.0})
    >>> found.title, found.scores
    ('a: 9 utterances, 0 speakers', {'uar': 0.5})
    """
    sets: dict[str, dict[str, float]] = defaultdict(dict)
    for key, value in sorted(metrics.items()):
        if key.startswith(PREFIX):
            name, _, number = key.removeprefix(PREFIX).rpartition("/")
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
