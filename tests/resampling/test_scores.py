"""Both forms of a score: pooled, and over the folds."""

import numpy as np
import pytest

from ser_tune.metrics import METRICS
from ser_tune.resampling import score, speaker_interval

UAR, WA = METRICS.get("uar"), METRICS.get("wa")


def test_pooled_and_fold_scores_differ_as_they_should() -> None:
    # Fold 0: class 0 has 1 of 1, class 1 has 0 of 1. Fold 1: class 0 only, 3 of 3. Fold 2: class 1 only, 1 of 4.
    folds = [
        (np.array([0, 1]), np.array([0, 0]), np.array([0, 0])),
        (np.array([0, 0, 0]), np.array([0, 0, 0]), np.array([1, 1, 1])),
        (np.array([1, 1, 1, 1]), np.array([1, 0, 0, 0]), np.array([2, 2, 3, 3])),
    ]
    scores = score(folds, (UAR, WA), 2)
    assert scores["uar"].value == pytest.approx((4 / 4 + 1 / 5) / 2)
    assert scores["wa"].value == pytest.approx(5 / 9)
    assert scores["uar"].fold_mean == pytest.approx((0.5 + 1.0 + 0.25) / 3)
    assert scores["wa"].fold_mean == pytest.approx((0.5 + 1.0 + 0.25) / 3)
    assert scores["uar"].fold_std == pytest.approx(np.sqrt(np.mean((np.array([0.5, 1.0, 0.25]) - 1.75 / 3) ** 2)))
    assert scores["uar"].parts == {0: 1.0, 1: pytest.approx(0.2)}
    # Speakers are pooled over the folds, as utterances are
    by_speaker = np.array([[[1, 0], [1, 0]], [[3, 0], [0, 0]], [[0, 0], [1, 1]], [[0, 0], [2, 0]]])
    assert (scores["uar"].interval, scores["wa"].interval) == (
        speaker_interval(UAR, by_speaker),
        speaker_interval(WA, by_speaker),
    )
    assert scores["uar"].interval.low < scores["uar"].value < scores["uar"].interval.high


def test_one_fold_is_pooled_and_mean_at_once() -> None:
    scores = score([(np.array([0, 0, 1]), np.array([0, 1, 1]), np.array([5, 5, 5]))], (UAR, WA), 2)
    assert scores["uar"].value == scores["uar"].fold_mean == 0.75
    assert scores["wa"].value == scores["wa"].fold_mean == pytest.approx(2 / 3)
    assert scores["uar"].fold_std == scores["wa"].fold_std == 0.0
    assert not scores["uar"].interval.known  # of one speaker
