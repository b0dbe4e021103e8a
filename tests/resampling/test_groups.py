"""Scores of groups and their gap, by hand-computed cases."""

import numpy as np
import pytest

from ser_tune.resampling.old import largest_gap, recall_intervals, score_groups, speaker_confusions, speaker_intervals


def test_a_group_is_scored_by_its_own_utterances() -> None:
    truth, predicted = np.array([0, 0, 1, 0, 1, 1]), np.array([0, 1, 1, 0, 0, 1])
    groups = ["f", "f", "f", "m", "m", ""]
    female, male = score_groups(truth, predicted, np.array([1, 1, 2, 3, 4, 4]), groups)
    assert (female.name, female.utterances, female.speakers, female.classes) == ("f", 3, 2, 2)
    assert female.uar == 0.75  # one of two, and one of one
    assert female.wa == pytest.approx(2 / 3)
    assert (male.uar, male.wa, male.utterances) == (0.5, 0.5, 2)


def test_the_gap_is_between_the_best_and_the_worst_group() -> None:
    rng = np.random.default_rng(0)
    truth, speakers = np.tile([0, 1], 200), np.repeat(np.arange(8), 50)
    groups = np.where(speakers < 4, "a", "b")
    wrong = rng.uniform(size=400) < np.where(groups == "a", 0.1, 0.4)
    predicted = np.where(wrong, 1 - truth, truth)
    gap = largest_gap(truth, predicted, speakers, list(groups))
    assert gap is not None
    assert (gap.best, gap.worst) == ("a", "b")
    scores = {one.name: one.uar for one in score_groups(truth, predicted, speakers, list(groups))}
    assert gap.difference == pytest.approx(scores["a"] - scores["b"])
    assert 0 < gap.interval.low < gap.difference < gap.interval.high < 0.6


def test_one_group_has_no_gap_and_single_speakers_no_interval() -> None:
    truth, predicted = np.array([0, 1, 0, 1]), np.array([0, 1, 0, 0])
    assert largest_gap(truth, predicted, np.array([0, 0, 1, 1]), ["a"] * 4) is None
    gap = largest_gap(truth, predicted, np.array([0, 0, 1, 1]), ["a", "a", "b", "b"])
    assert gap is not None
    assert gap.difference == 0.5
    assert not gap.interval.known


def test_a_recall_has_the_interval_of_its_class_alone() -> None:
    truth = np.array([0, 0, 1, 0, 0, 1, 0, 0, 1])
    predicted = np.array([0, 1, 1, 0, 0, 0, 1, 0, 1])
    speakers = np.repeat([0, 1, 2], 3)
    own = truth == 0
    expected, _ = speaker_intervals(speaker_confusions(truth[own], predicted[own], speakers[own], 2))
    assert recall_intervals(truth, predicted, speakers)[0] == expected
