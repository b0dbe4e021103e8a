"""Scores of groups and their gap, by hand-computed cases."""

from dataclasses import replace

import numpy as np
import pytest

from ser_tune.metrics import METRICS
from ser_tune.resampling import largest_gap, part_intervals, score_groups, speaker_interval, sums_of

UAR, WA = METRICS.get("uar"), METRICS.get("wa")


def test_a_group_is_scored_by_its_own_utterances() -> None:
    truth, predicted = np.array([0, 0, 1, 0, 1, 1]), np.array([0, 1, 1, 0, 0, 1])
    groups = ["f", "f", "f", "m", "m", ""]
    female, male = score_groups(truth, predicted, np.array([1, 1, 2, 3, 4, 4]), groups, (UAR, WA), 2)
    assert (female.name, female.utterances, female.speakers, female.strata) == ("f", 3, 2, 2)
    assert female.scores["uar"].value == 0.75  # one of two, and one of one
    assert female.scores["wa"].value == pytest.approx(2 / 3)
    assert [one.value for one in male.scores.values()] == [0.5, 0.5]
    assert male.utterances == 2


def test_the_gap_is_between_the_best_and_the_worst_group() -> None:
    rng = np.random.default_rng(0)
    truth, speakers = np.tile([0, 1], 200), np.repeat(np.arange(8), 50)
    groups = np.where(speakers < 4, "a", "b")
    wrong = rng.uniform(size=400) < np.where(groups == "a", 0.1, 0.4)
    predicted = np.where(wrong, 1 - truth, truth)
    gap = largest_gap(truth, predicted, speakers, list(groups), UAR, 2)
    assert gap is not None
    assert (gap.best, gap.worst) == ("a", "b")
    scored = score_groups(truth, predicted, speakers, list(groups), [UAR], 2)
    scores = {one.name: one.scores["uar"].value for one in scored}
    assert gap.difference == pytest.approx(scores["a"] - scores["b"])
    assert 0 < gap.interval.low < gap.difference < gap.interval.high < 0.6


def test_one_group_has_no_gap_and_single_speakers_no_interval() -> None:
    truth, predicted = np.array([0, 1, 0, 1]), np.array([0, 1, 0, 0])
    assert largest_gap(truth, predicted, np.array([0, 0, 1, 1]), ["a"] * 4, UAR, 2) is None
    gap = largest_gap(truth, predicted, np.array([0, 0, 1, 1]), ["a", "a", "b", "b"], UAR, 2)
    assert gap is not None
    assert gap.difference == 0.5
    assert not gap.interval.known


def test_groups_of_one_score_are_two_groups_all_the_same() -> None:
    truth = np.array([0, 1, 0, 1])
    gap = largest_gap(truth, truth, np.array([0, 0, 1, 1]), ["a", "a", "b", "b"], UAR, 2)
    assert gap is not None
    assert (gap.best, gap.worst, gap.difference) == ("a", "b", 0.0)


def test_a_recall_has_the_interval_of_its_class_alone() -> None:
    truth = np.array([0, 0, 1, 0, 0, 1, 0, 0, 1])
    predicted = np.array([0, 1, 1, 0, 0, 0, 1, 0, 1])
    speakers = np.repeat([0, 1, 2], 3)
    own = truth == 0
    expected = speaker_interval(UAR, sums_of(UAR, truth[own], predicted[own], speakers[own], 2))
    assert part_intervals(truth, predicted, speakers, UAR, 2)[0] == expected


def test_the_best_group_of_an_error_is_the_one_with_the_least() -> None:
    error = replace(WA, name="error", value=lambda counts: 1 - WA.value(counts), higher_is_better=False)
    truth, predicted = np.array([0, 1, 0, 1]), np.array([0, 1, 0, 0])
    gap = largest_gap(truth, predicted, np.array([0, 0, 1, 1]), ["a", "a", "b", "b"], error, 2)
    assert gap is not None
    assert (gap.best, gap.worst, gap.difference) == ("a", "b", 0.5)


def test_a_group_without_a_score_is_in_no_gap() -> None:
    """As a correlation within a group whose truth does not vary."""

    def value(counts: np.ndarray) -> np.ndarray:
        return np.where((counts.sum(axis=-1) > 0).all(axis=-1), WA.value(counts), np.nan)

    metric = replace(WA, name="both", value=value)
    truth, predicted = np.array([0, 1, 0, 1, 0]), np.array([0, 1, 0, 0, 0])
    speakers, groups = np.array([0, 0, 1, 1, 2]), ["a", "a", "b", "b", "c"]
    gap = largest_gap(truth, predicted, speakers, groups, metric, 2)
    assert gap is not None
    assert (gap.best, gap.worst, gap.difference) == ("a", "b", 0.5)
    assert largest_gap(truth, predicted, speakers, ["a", "a", "", "", "c"], metric, 2) is None
