"""Which epoch a fold keeps, by each of the ways to choose."""

import math
from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ser_tune.metrics import METRICS, Metric
from ser_tune.tasks import Goal
from ser_tune.training import EpochReport
from ser_tune.training.epochs import Contest, judged
from tests.goals import GOAL

HIGHER = METRICS.get("uar")
LOWER = replace(HIGHER, name="error", higher_is_better=False)
QUICK = settings(max_examples=100, deadline=None)
UARS = [0.5, 0.9, 0.2, 0.6, 0.7, 0.65, 0.6]
LOSSES = [1.0, 0.8, 0.9, 0.5, 0.6, 0.4, 0.4]


def _report(epoch: int, score: float, loss: float) -> EpochReport:
    report = EpochReport(epoch=epoch, train_loss=1.0, learning_rate=0.1, seconds=1.0)
    return replace(report, validation={"score": score}, validation_loss=loss)


def _kept(selection: str, scores: Sequence[float], losses: Sequence[float], objective: Metric = HIGHER) -> list[int]:
    """The epoch that is kept after each."""
    contest = Contest(selection, objective)
    kept = []
    for epoch, (score, loss) in enumerate(zip(scores, losses, strict=True), start=1):
        contest.enter(_report(epoch, score, loss))
        assert contest.kept is not None
        kept.append(contest.kept.epoch)
    return kept


@pytest.mark.parametrize(
    ("selection", "expected"),
    [
        ("best_validation_score", [1, 2, 2, 2, 2, 2, 2]),
        ("best_validation_loss", [1, 2, 2, 4, 4, 6, 6]),
        # Means of three: 0.5, 0.7, 0.533, 0.567, 0.5, 0.65, 0.65: one lucky epoch is not enough later on
        ("smoothed_validation_score", [1, 2, 2, 2, 2, 2, 2]),
        ("last", [1, 2, 3, 4, 5, 6, 7]),
    ],
)
def test_the_epoch_to_keep_by_hand(selection: str, expected: list[int]) -> None:
    assert _kept(selection, UARS, LOSSES) == expected


def test_a_lucky_epoch_is_smoothed_away() -> None:
    uars = [0.1, 0.1, 0.9, 0.1, 0.5, 0.6, 0.7]
    assert _kept("best_validation_score", uars, LOSSES)[-1] == 3
    # Means: 0.1, 0.1, 0.367, 0.367, 0.5, 0.4, 0.6
    assert _kept("smoothed_validation_score", uars, [1.0] * 7) == [1, 1, 3, 3, 5, 5, 7]


@pytest.mark.parametrize(
    ("selection", "uars", "losses"),
    [
        ("best_validation_score", [0.5, 0.5, 0.5], [0.9, 0.7, 0.8]),
        ("smoothed_validation_score", [0.5, 0.5, 0.5], [0.9, 0.7, 0.9]),
        ("best_validation_loss", [0.5, 0.6, 0.6], [0.7, 0.7, 0.7]),
    ],
)
def test_of_equal_epochs_the_other_figure_decides(selection: str, uars: list[float], losses: list[float]) -> None:
    assert _kept(selection, uars, losses)[-1] == 2


def test_who_does_not_compete_is_kept_until_somebody_does() -> None:
    contest = Contest("smoothed_validation_score", HIGHER)
    for epoch, (uar, competes) in enumerate([(0.9, False), (0.3, False), (0.2, True), (0.1, True)], start=1):
        contest.enter(_report(epoch, uar, 1.0), competes=competes)
        assert contest.kept is not None
        assert contest.kept.epoch == min(epoch, 3)
    assert contest.epochs_without_better(4) == 1


def test_where_nobody_validates_the_last_epoch_is_kept() -> None:
    for selection in ("best_validation_score", "best_validation_loss", "smoothed_validation_score"):
        assert _kept(selection, [float("nan")] * 3, [float("nan")] * 3) == [1, 2, 3]


def test_validation_figures_by_hand() -> None:
    scores = np.log(np.array([[0.5, 0.5], [0.9, 0.1], [0.8, 0.2]]))
    report = judged(EpochReport(1, 1.0, 0.1, 1.0), scores, np.array([0, 0, 1]), GOAL)
    assert report.validation_loss == pytest.approx(-np.log([0.5, 0.9, 0.2]).mean())
    assert report.validation == pytest.approx({"uar": 0.5, "wa": 2 / 3})
    assert report.score == 0.5


SCORES = st.lists(st.sampled_from([-2.0, -0.5, 0.0, 0.25, 0.875, math.nan]), min_size=1, max_size=8)
"""Of which sums are exact: means of equal scores are equal, whatever is added to them."""
SELECTIONS = st.sampled_from(["last", "best_validation_score", "best_validation_loss", "smoothed_validation_score"])


@QUICK
@given(scores=SCORES, selection=SELECTIONS)
def test_scores_that_are_better_where_they_are_lower_choose_as_their_negatives(
    scores: list[float], selection: str
) -> None:
    losses = [1.0] * len(scores)
    assert _kept(selection, [-one for one in scores], losses, LOWER) == _kept(selection, scores, losses)


@pytest.mark.slow
@QUICK
@given(scores=SCORES, shift=st.sampled_from([-8.0, -1.0, 4.0]))
def test_negative_scores_choose_as_positive_ones(scores: list[float], shift: float) -> None:
    losses = [1.0] * len(scores)
    for selection in ("best_validation_score", "smoothed_validation_score"):
        shifted = _kept(selection, [one + shift for one in scores], losses)
        assert shifted == _kept(selection, scores, losses)


@QUICK
@given(scores=SCORES)
def test_an_epoch_without_a_score_is_kept_until_another_has_one(scores: list[float]) -> None:
    kept = _kept("best_validation_score", scores, [1.0] * len(scores))
    for number, epoch in enumerate(kept, start=1):
        known = [one for one in scores[:number] if not math.isnan(one)]
        assert scores[epoch - 1] == max(known) if known else epoch == 1


def test_thresholds_decide_and_leave_the_loss_as_it_is() -> None:
    goal = Goal(task="multilabel", aggregation="mean", metrics=("macro_f1",))
    truth = np.array([[True], [False], [True]])
    logits = np.array([[-1.0], [-3.0], [2.0]])
    plain = judged(EpochReport(1, 1.0, 0.1, 1.0), logits, truth, goal)
    decided = judged(EpochReport(1, 1.0, 0.1, 1.0), logits, truth, goal, thresholds=np.array([-2.0]))
    assert decided.validation_loss == plain.validation_loss
    assert (plain.score, decided.score) == (pytest.approx(2 / 3), 1.0)
