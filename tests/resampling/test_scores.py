"""The numbers of the field, against cases computed by hand and against what must not change them."""

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ser_tune.resampling.old import class_recalls, confusion, score, speaker_intervals, uar, wa

QUICK = settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
N_CLASSES = 5
JUDGEMENTS = st.lists(st.tuples(st.integers(0, N_CLASSES - 1), st.integers(0, N_CLASSES - 1)), min_size=1, max_size=40)


def _arrays(judgements: list[tuple[int, int]]) -> tuple[np.ndarray, np.ndarray]:
    truth, predicted = zip(*judgements, strict=True)
    return np.array(truth), np.array(predicted)


@pytest.mark.parametrize(
    ("truth", "predicted", "expected_uar", "expected_wa"),
    [
        ([0, 0, 1, 1], [0, 0, 1, 1], 1.0, 1.0),
        ([0, 0, 0, 1], [0, 0, 0, 0], 0.5, 0.75),
        ([0, 0, 0, 0, 1, 1, 2, 2, 2, 2], [0, 0, 0, 1, 1, 0, 2, 0, 0, 0], (3 / 4 + 1 / 2 + 1 / 4) / 3, 0.5),
        # Class 1 is predicted but does not occur: it has no recall, and is left out
        ([0, 0, 2], [0, 1, 2], (1 / 2 + 1) / 2, 2 / 3),
        # Only one class occurs
        ([3, 3, 3], [3, 0, 1], 1 / 3, 1 / 3),
        ([3], [0], 0.0, 0.0),
    ],
)
def test_cases_computed_by_hand(
    truth: list[int], predicted: list[int], expected_uar: float, expected_wa: float
) -> None:
    assert uar(np.array(truth), np.array(predicted)) == pytest.approx(expected_uar)
    assert wa(np.array(truth), np.array(predicted)) == pytest.approx(expected_wa)


def test_recalls_are_of_the_classes_that_occur() -> None:
    truth, predicted = np.array([0, 0, 0, 3, 3]), np.array([0, 0, 1, 2, 3])
    assert class_recalls(truth, predicted) == {0: pytest.approx(2 / 3), 3: 0.5}


def test_rows_of_the_confusion_matrix_are_the_truth() -> None:
    matrix = confusion(np.array([0, 0, 0, 2]), np.array([0, 1, 1, 2]), n_classes=4)
    assert matrix.tolist() == [[1, 2, 0, 0], [0, 0, 0, 0], [0, 0, 1, 0], [0, 0, 0, 0]]


@QUICK
@given(JUDGEMENTS, st.permutations(range(N_CLASSES)))
def test_uar_and_wa_do_not_depend_on_the_classes_numbers(judgements: list[tuple[int, int]], renamed: list[int]) -> None:
    truth, predicted = _arrays(judgements)
    other = np.array(renamed)
    assert uar(other[truth], other[predicted]) == pytest.approx(uar(truth, predicted))
    assert wa(other[truth], other[predicted]) == wa(truth, predicted)


@QUICK
@given(JUDGEMENTS)
def test_the_numbers_follow_from_the_confusion_matrix(judgements: list[tuple[int, int]]) -> None:
    truth, predicted = _arrays(judgements)
    matrix = confusion(truth, predicted, N_CLASSES)
    occurs = matrix.sum(axis=1) > 0
    recalls = matrix.diagonal()[occurs] / matrix.sum(axis=1)[occurs]
    assert uar(truth, predicted) == pytest.approx(recalls.mean())
    assert wa(truth, predicted) == pytest.approx(matrix.trace() / matrix.sum())
    assert list(class_recalls(truth, predicted).values()) == pytest.approx(recalls.tolist())
    assert list(class_recalls(truth, predicted)) == np.flatnonzero(occurs).tolist()


@QUICK
@given(JUDGEMENTS, st.integers(2, 4))
def test_uar_does_not_depend_on_how_often_a_class_occurs(judgements: list[tuple[int, int]], times: int) -> None:
    truth, predicted = _arrays(judgements)
    repeats = np.where(truth == truth[0], times, 1)
    assert uar(np.repeat(truth, repeats), np.repeat(predicted, repeats)) == pytest.approx(uar(truth, predicted))


def test_pooled_and_fold_scores_differ_as_they_should() -> None:
    # Fold 0: class 0 has 1 of 1, class 1 has 0 of 1. Fold 1: class 0 only, 3 of 3. Fold 2: class 1 only, 1 of 4.
    folds = [
        (np.array([0, 1]), np.array([0, 0]), np.array([0, 0])),
        (np.array([0, 0, 0]), np.array([0, 0, 0]), np.array([1, 1, 1])),
        (np.array([1, 1, 1, 1]), np.array([1, 0, 0, 0]), np.array([2, 2, 3, 3])),
    ]
    scores = score(folds)
    assert scores.uar == pytest.approx((4 / 4 + 1 / 5) / 2)
    assert scores.wa == pytest.approx(5 / 9)
    assert scores.fold_uar_mean == pytest.approx((0.5 + 1.0 + 0.25) / 3)
    assert scores.fold_wa_mean == pytest.approx((0.5 + 1.0 + 0.25) / 3)
    assert scores.fold_uar_std == pytest.approx(np.sqrt(np.mean((np.array([0.5, 1.0, 0.25]) - 1.75 / 3) ** 2)))
    assert scores.recalls == {0: 1.0, 1: pytest.approx(0.2)}
    # Speakers are pooled over the folds, as utterances are
    by_speaker = np.array([[[1, 0], [1, 0]], [[3, 0], [0, 0]], [[0, 0], [1, 1]], [[0, 0], [2, 0]]])
    assert (scores.uar_interval, scores.wa_interval) == speaker_intervals(by_speaker)
    assert scores.uar_interval.low < scores.uar < scores.uar_interval.high


def test_one_fold_is_pooled_and_mean_at_once() -> None:
    scores = score([(np.array([0, 0, 1]), np.array([0, 1, 1]), np.array([5, 5, 5]))])
    assert scores.uar == scores.fold_uar_mean == 0.75
    assert scores.wa == scores.fold_wa_mean == pytest.approx(2 / 3)
    assert scores.fold_uar_std == scores.fold_wa_std == 0.0
    assert not scores.uar_interval.known  # of one speaker
