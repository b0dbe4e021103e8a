"""Solvers of linear classifiers beside scikit-learn's, calibration of their scores, and the learned sum of layers."""

from typing import Any

import numpy as np
import pytest
from scipy.special import softmax
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.svm import LinearSVC

from ser_tune.architectures import linear_solvers, newton
from ser_tune.architectures.linear_solvers import Problem, balanced, calibrated, solved, weighted_layers

N_CLASSES, PENALTY = 3, 2.5
OBJECTIVES = ("ridge", "squared_hinge", "logistic")


def _data(examples: int, features: int, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Overlapping classes, of which the last is rare."""
    rng = np.random.default_rng(seed)
    labels = np.where(np.arange(examples) % 7 == 0, 2, np.arange(examples) % 2)
    centres = rng.normal(size=(N_CLASSES, features))
    return centres[labels] * 0.4 + rng.normal(size=(examples, features)) + 0.5, labels


SHAPES = pytest.mark.parametrize(("examples", "features"), [(120, 10), (40, 90)], ids=["N > D", "N < D"])


def _with_ones(features: np.ndarray) -> np.ndarray:
    return np.column_stack([features, np.ones(len(features))])


def _scores(features: np.ndarray, labels: np.ndarray, objective: str, penalty: float = PENALTY) -> np.ndarray:
    weights, bias = solved(Problem.of(features, labels, N_CLASSES, objective, penalty))
    assert weights.shape == (N_CLASSES, features.shape[1])
    return features @ weights.T + bias


def test_all_classes_count_alike_however_frequent() -> None:
    labels = np.array([0, 0, 0, 0, 1, 1])
    weights = balanced(labels, 3)  # the third does not occur
    np.testing.assert_allclose(weights, [0.75] * 4 + [1.5] * 2)
    assert weights.mean() == pytest.approx(1.0)


@SHAPES
def test_ridge_is_scikit_learns_with_balanced_weights_and_a_penalised_bias(examples: int, features: int) -> None:
    inputs, labels = _data(examples, features)
    signs = np.where(labels[:, None] == np.arange(N_CLASSES), 1.0, -1.0)
    theirs = Ridge(alpha=PENALTY, fit_intercept=False, solver="cholesky")
    theirs.fit(_with_ones(inputs), signs, sample_weight=balanced(labels, N_CLASSES))
    weights, bias = solved(Problem.of(inputs, labels, N_CLASSES, "ridge", PENALTY))
    np.testing.assert_allclose(np.column_stack([weights, bias]), theirs.coef_, rtol=1e-4, atol=1e-6)


@SHAPES
def test_ridge_is_the_closed_form(examples: int, features: int) -> None:
    inputs, labels = _data(examples, features)
    rows, each = _with_ones(inputs), np.diag(balanced(labels, N_CLASSES))
    signs = np.where(labels[:, None] == np.arange(N_CLASSES), 1.0, -1.0)
    expected = np.linalg.solve(rows.T @ each @ rows + PENALTY * np.eye(features + 1), rows.T @ each @ signs)
    np.testing.assert_allclose(_scores(inputs, labels, "ridge"), rows @ expected, rtol=1e-4, atol=1e-6)


PENALTIES = pytest.mark.parametrize("penalty", [0.01, 0.1, PENALTY, 300.0])
WAYS = pytest.mark.parametrize("factorised", [newton.FACTORISED, 5], ids=["factorised", "conjugate gradients"])


@SHAPES
@PENALTIES
@WAYS
def test_the_squared_hinge_is_liblinears(
    examples: int, features: int, penalty: float, factorised: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(newton, "FACTORISED", factorised)
    inputs, labels = _data(examples, features)
    # Weights of examples, not of classes: LIBLINEAR weighs the one class, never the rest
    theirs = LinearSVC(C=1 / penalty, loss="squared_hinge", dual=False, tol=1e-8, max_iter=10_000)
    theirs.fit(inputs, labels, sample_weight=balanced(labels, N_CLASSES))
    ours = _scores(inputs, labels, "squared_hinge", penalty)
    np.testing.assert_allclose(ours, theirs.decision_function(inputs), atol=1e-3)


@pytest.mark.parametrize("objective", OBJECTIVES)
@pytest.mark.parametrize("penalty", [1e-12, 1e6])
def test_a_penalty_at_the_end_of_what_is_allowed_has_a_solution(objective: str, penalty: float) -> None:
    inputs, labels = _data(60, 10)
    singular = np.column_stack([inputs, inputs[:, :3], np.zeros((60, 2))])
    for features in (singular, singular[:12]):
        problem = Problem.of(features, labels[: len(features)], N_CLASSES, objective, penalty)
        weights, bias = solved(problem)
        assert np.isfinite(features @ weights.T + bias).all()
        assert 0 < calibrated(problem, np.arange(len(features)) % 5) < np.inf


def test_small_scores_are_as_exact_as_a_fraction_of_the_largest() -> None:
    inputs, labels = _data(120, 10)
    scores = _scores(inputs, labels, "logistic", 1e5)
    theirs = LogisticRegression(C=1e-5, fit_intercept=False, tol=1e-12, max_iter=10_000)
    theirs.fit(_with_ones(inputs), labels, sample_weight=balanced(labels, N_CLASSES))
    expected = theirs.decision_function(_with_ones(inputs))
    assert np.abs(expected).max() < 0.01
    np.testing.assert_allclose(scores, expected, atol=1e-3 * np.abs(expected).max())


@SHAPES
@PENALTIES
def test_logistic_is_scikit_learns_and_its_slope_is_nearly_0(examples: int, features: int, penalty: float) -> None:
    inputs, labels = _data(examples, features)
    rows, each = _with_ones(inputs), balanced(labels, N_CLASSES)
    weights, bias = solved(Problem.of(inputs, labels, N_CLASSES, "logistic", penalty))
    both = np.column_stack([weights, bias])
    missed = softmax(rows @ both.T, axis=1) - (labels[:, None] == np.arange(N_CLASSES))
    slope, at_the_start = (
        (each[:, None] * one).T @ rows + penalty * now
        for one, now in ((missed, both), (1 / N_CLASSES - (labels[:, None] == np.arange(N_CLASSES)), 0 * both))
    )
    assert np.linalg.norm(slope) < 1e-3 * np.linalg.norm(at_the_start)
    theirs = LogisticRegression(C=1 / penalty, fit_intercept=False, solver="newton-cg", tol=1e-10, max_iter=10_000)
    theirs.fit(rows, labels, sample_weight=each)
    np.testing.assert_allclose(rows @ both.T, theirs.decision_function(rows), atol=1e-3)


@SHAPES
@pytest.mark.parametrize("objective", OBJECTIVES)
def test_names_of_classes_do_not_matter(examples: int, features: int, objective: str) -> None:
    inputs, labels = _data(examples, features)
    renamed = np.array([2, 0, 1])
    found = _scores(inputs, renamed[labels], objective)
    np.testing.assert_allclose(found[:, renamed], _scores(inputs, labels, objective), atol=1e-3)


@pytest.mark.parametrize("objective", OBJECTIVES)
def test_order_and_repetition_of_examples_do_not_matter(objective: str) -> None:
    inputs, labels = _data(40, 90)
    backwards = _scores(inputs[::-1], labels[::-1], objective)
    np.testing.assert_allclose(backwards[::-1], _scores(inputs, labels, objective), atol=1e-3)
    # Equal examples make the Gram matrix singular
    twice = _scores(np.repeat(inputs, 2, axis=0), np.repeat(labels, 2), objective)
    assert np.isfinite(twice).all()
    np.testing.assert_array_equal(twice[::2].argmax(axis=1), labels)


def test_a_class_that_does_not_occur_is_never_the_likeliest() -> None:
    inputs, labels = _data(60, 10)
    for objective in OBJECTIVES:
        scores = _scores(inputs[labels != 1], labels[labels != 1], objective)
        assert not (scores.argmax(axis=1) == 1).any()


@pytest.mark.parametrize("planted", [0.2, 1.0, 5.0])
def test_calibration_finds_a_planted_temperature(planted: float, monkeypatch: pytest.MonkeyPatch) -> None:
    rng = np.random.default_rng(0)
    inputs, weights = rng.normal(size=(4000, 3)), rng.normal(size=(N_CLASSES, 4))
    chances = softmax(_with_ones(inputs) @ weights.T / planted, axis=1)
    labels = (chances.cumsum(axis=1) < rng.uniform(size=(4000, 1))).sum(axis=1)
    monkeypatch.setattr(linear_solvers, "_solved", lambda problem, tolerance: weights)
    problem = Problem.of(inputs, labels, N_CLASSES, "logistic", PENALTY)
    assert calibrated(problem, np.arange(4000) % 9) == pytest.approx(planted, rel=0.15)


@pytest.mark.parametrize(("speakers", "parts"), [(2, 2), (5, 5), (12, 5)])
def test_calibration_scores_speakers_that_were_left_out(
    speakers: int, parts: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    inputs, labels = _data(60, 70)
    numbers = 10 * (np.arange(60) % speakers)  # numbers of a corpus, of which a fold has some
    problem, left = Problem.of(inputs, labels, N_CLASSES, "logistic", PENALTY), []

    def solved_part(part: Problem, tolerance: float) -> np.ndarray:
        present = {tuple(row) for row in part.coordinates}
        out = np.array([tuple(row) not in present for row in problem.coordinates])
        assert not set(numbers[out]) & set(numbers[~out])
        left.append(set(numbers[out]))
        return np.ones((N_CLASSES, part.coordinates.shape[1]))

    monkeypatch.setattr(linear_solvers, "_solved", solved_part)
    calibrated(problem, numbers)
    assert len(left) == parts
    assert sorted(one for group in left for one in group) == sorted(set(numbers))


@pytest.mark.parametrize("features", [10, 70])  # fewer than examples, and more
def test_ridge_without_a_group_of_speakers_is_the_same_in_closed_form(features: int) -> None:
    inputs, labels = _data(60, features)
    problem, group = Problem.of(inputs, labels, N_CLASSES, "ridge", PENALTY), np.arange(60) % 5
    scores = linear_solvers._left_out(problem, group)
    for one in range(5):
        out = group == one
        weights = linear_solvers._solved(problem.part(~out), linear_solvers.EXACT)
        np.testing.assert_allclose(scores[out], problem.coordinates[out] @ weights.T, atol=1e-9)


def test_calibration_of_a_single_speaker_leaves_out_examples() -> None:
    inputs, labels = _data(60, 10)
    problem = Problem.of(inputs, labels, N_CLASSES, "ridge", PENALTY)
    assert 0 < calibrated(problem, np.zeros(60, dtype=np.int64)) < 100


@pytest.mark.parametrize("objective", OBJECTIVES)
def test_learned_shares_prefer_the_layer_that_tells_classes_apart(objective: str) -> None:
    inputs, labels = _data(200, 8)
    layers = np.random.default_rng(1).normal(size=(200, 4, 8))
    layers[:, 2] = 3 * inputs
    shares = weighted_layers(layers, labels, N_CLASSES, objective, 1.0)
    assert shares.sum() == pytest.approx(1.0)
    assert (shares >= 0).all()
    assert shares.argmax() == 2
    assert shares[2] > 0.5


def test_shares_of_equal_layers_are_equal() -> None:
    inputs, labels = _data(100, 8)
    same: Any = np.repeat(inputs[:, None], 3, axis=1)
    np.testing.assert_allclose(weighted_layers(same, labels, N_CLASSES, "ridge", 1.0), 1 / 3, atol=1e-3)
