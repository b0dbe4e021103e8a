"""The numbers of the field, against cases computed by hand and against what must not change them."""

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sklearn.metrics import accuracy_score, recall_score

from ser_tune.metrics import METRICS, confusions

QUICK = settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
N_CLASSES = 5
UAR, WA = METRICS.get("uar"), METRICS.get("wa")
JUDGEMENTS = st.lists(st.tuples(st.integers(0, N_CLASSES - 1), st.integers(0, N_CLASSES - 1)), min_size=1, max_size=40)


def uar(truth: np.ndarray, predicted: np.ndarray) -> float:
    return UAR.score(truth, predicted, N_CLASSES)


def wa(truth: np.ndarray, predicted: np.ndarray) -> float:
    return WA.score(truth, predicted, N_CLASSES)


def confusion(truth: np.ndarray, predicted: np.ndarray) -> np.ndarray:
    return confusions(truth, predicted, np.zeros(len(truth), dtype=int), 1, N_CLASSES)[0]


def class_recalls(truth: np.ndarray, predicted: np.ndarray) -> dict[int, float]:
    assert UAR.parts is not None
    recalls = UAR.parts(confusion(truth, predicted)).tolist()
    return {number: recall for number, recall in enumerate(recalls) if not np.isnan(recall)}


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
    matrix = confusion(np.array([0, 0, 0, 2]), np.array([0, 1, 1, 2]))
    assert matrix.tolist() == [[1, 2, 0, 0, 0], [0] * 5, [0, 0, 1, 0, 0], [0] * 5, [0] * 5]


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
    matrix = confusion(truth, predicted)
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


@pytest.mark.slow
@QUICK
@given(JUDGEMENTS)
def test_the_numbers_are_those_of_scikit_learn(judgements: list[tuple[int, int]]) -> None:
    truth, predicted = _arrays(judgements)
    recall = recall_score(truth, predicted, labels=np.unique(truth), average="macro", zero_division=0.0)
    assert uar(truth, predicted) == pytest.approx(recall, rel=1e-15)
    assert wa(truth, predicted) == accuracy_score(truth, predicted)
