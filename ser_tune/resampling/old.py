"""Names of before metrics were objects, for callers that are still to be converted; nothing new may import this."""

# ruff: noqa: D101, D102, D103, ANN401
# mypy: disable-error-code="type-arg,no-untyped-def,no-untyped-call,no-any-return,union-attr,misc,return-value"
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from ..metrics import METRICS, confusions
from . import groups as new_groups
from . import intervals, paired, scores, selection
from .groups import Gap
from .intervals import Interval
from .paired import MAX_STATISTIC
from .scores import Score, describe_score, interval_of, with_interval
from .selection import Corrected

_UNUSED = (MAX_STATISTIC, Corrected, describe_score, interval_of, with_interval)
METRICS_OF_BEFORE = ("uar", "wa")
PERMUTATION_TEST = "two-sided paired permutation test over speakers, statistic: difference of pooled UAR"


def _both() -> list[Any]:
    return [METRICS.get(name) for name in METRICS_OF_BEFORE]


def uar(truth: np.ndarray, predicted: np.ndarray) -> float:
    return _both()[0].score(truth, predicted, int(max(truth.max(), predicted.max())) + 1)


def wa(truth: np.ndarray, predicted: np.ndarray) -> float:
    return _both()[1].score(truth, predicted, int(max(truth.max(), predicted.max())) + 1)


def confusion(truth: np.ndarray, predicted: np.ndarray, n_classes: int) -> np.ndarray:
    return confusions(truth, predicted, np.zeros(len(truth), dtype=np.int64), 1, n_classes)[0]


def class_recalls(truth: np.ndarray, predicted: np.ndarray) -> dict[int, float]:
    n_classes = int(max(truth.max(), predicted.max())) + 1
    parts = _both()[0].parts(confusion(truth, predicted, n_classes)).tolist()
    return {number: part for number, part in enumerate(parts) if part == part}


def speaker_confusions(truth: np.ndarray, predicted: np.ndarray, speakers: np.ndarray, n_classes: int) -> np.ndarray:
    return scores.sums_of(_both()[0], truth, predicted, speakers, n_classes)


def pooled_uar(counts: np.ndarray) -> np.ndarray:
    return _both()[0].value(counts)


def speaker_intervals(counts: np.ndarray) -> tuple[Interval, Interval]:
    return tuple(intervals.speaker_interval(one, counts) for one in _both())


def seed_intervals(counts: np.ndarray, confidence: float = 0.95) -> tuple[Interval, Interval]:
    return tuple(intervals.seed_interval(one, counts, confidence) for one in _both())


def fold_interval(counts: np.ndarray, confidence: float = 0.95) -> Interval:
    return intervals.fold_interval(_both()[0], counts, confidence)


class Scores(dict[str, Score]):
    """New scores with the attributes of before."""

    @property
    def uar(self) -> float:
        return self["uar"].value

    @property
    def wa(self) -> float:
        return self["wa"].value

    @property
    def uar_interval(self) -> Interval:
        return self["uar"].interval

    @property
    def wa_interval(self) -> Interval:
        return self["wa"].interval

    @property
    def fold_uar_mean(self) -> float:
        return self["uar"].fold_mean

    @property
    def fold_wa_mean(self) -> float:
        return self["wa"].fold_mean

    @property
    def fold_uar_std(self) -> float:
        return self["uar"].fold_std

    @property
    def fold_wa_std(self) -> float:
        return self["wa"].fold_std

    @property
    def recalls(self) -> Mapping[int, float]:
        return self["uar"].parts


def score(folds: Sequence[Any]) -> Scores:
    n_classes = 1 + max(int(max(truth.max(), predicted.max())) for truth, predicted, _ in folds)
    return Scores(scores.score(folds, _both(), n_classes))


class PairedComparison(paired.PairedComparison):
    """The new one with the attributes of before."""

    __slots__ = ()

    @property
    def uar_difference(self) -> float:
        return self.differences["uar"].value

    @property
    def uar_interval(self) -> Interval:
        return self.differences["uar"].interval

    @property
    def wa_difference(self) -> float:
        return self.differences["wa"].value

    @property
    def wa_interval(self) -> Interval:
        return self.differences["wa"].interval


def compare_paired(truth: Any, predicted_a: Any, predicted_b: Any, speakers: Any, n_classes: int) -> PairedComparison:
    new = paired.compare_paired(truth, predicted_a, predicted_b, speakers, _both(), n_classes)
    return PairedComparison(new.differences, new.p_value, new.effect_size, new.n_speakers)


def choice_p_value(ours: np.ndarray, theirs: np.ndarray) -> float:
    return paired.choice_p_value(_both()[0], ours, theirs)


def mean_interval(differences: np.ndarray) -> Interval:
    return paired.mean_interval(_both()[0], differences)


def correct_selection(searched: Any, *, fresh: Any = None, entrants: int = 0) -> Corrected | None:
    return selection.correct_selection(_both()[0], searched, fresh=fresh, entrants=entrants)


@dataclass(frozen=True)
class GroupScore:
    name: str
    utterances: int
    speakers: int
    classes: int
    uar: float
    wa: float
    uar_interval: Interval
    wa_interval: Interval


def score_groups(truth: Any, predicted: Any, speakers: Any, groups: Any) -> tuple[GroupScore, ...]:
    n_classes = int(max(truth.max(), predicted.max())) + 1
    return tuple(
        GroupScore(
            one.name,
            one.utterances,
            one.speakers,
            one.strata,
            one.scores["uar"].value,
            one.scores["wa"].value,
            one.scores["uar"].interval,
            one.scores["wa"].interval,
        )
        for one in new_groups.score_groups(truth, predicted, speakers, groups, _both(), n_classes)
    )


def largest_gap(truth: Any, predicted: Any, speakers: Any, groups: Any) -> Gap | None:
    n_classes = int(max(truth.max(), predicted.max())) + 1
    return new_groups.largest_gap(truth, predicted, speakers, groups, _both()[0], n_classes)


def recall_intervals(truth: Any, predicted: Any, speakers: Any) -> dict[int, Interval]:
    n_classes = int(max(truth.max(), predicted.max())) + 1
    return new_groups.part_intervals(truth, predicted, speakers, _both()[0], n_classes)


def pooled_scores(hits: np.ndarray, totals: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    found = (hits / np.maximum(totals, 1)).sum(axis=-1) / (totals > 0).sum(axis=-1)
    return found, hits.sum(axis=-1) / totals.sum(axis=-1)
