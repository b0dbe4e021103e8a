"""Solvers of linear maps beside scikit-learn's and SciPy's, scores of left-out speakers, the learned sum of layers."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest
from scipy.special import softmax
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.svm import LinearSVC

from ser_tune.architectures.linear import hinge, solvers
from ser_tune.architectures.linear.layers import weighted_layers
from ser_tune.architectures.linear.newton import Fit
from ser_tune.architectures.linear.problem import Problem, space_of
from ser_tune.architectures.linear.smooth import left_out_smooth
from ser_tune.architectures.linear.solvers import left_out, solved
from ser_tune.architectures.linear.targets import Supervision, balanced, balanced_votes, supervision
from ser_tune.architectures.linear_probe import OBJECTIVES as OBJECTIVES_OF

N_CLASSES, PENALTY = 3, 2.5
OBJECTIVES = OBJECTIVES_OF["classes"]
LEARNED = [(kind, objective) for kind, objectives in OBJECTIVES_OF.items() for objective in objectives]


def _data(examples: int, features: int, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Overlapping classes, of which the last is rare."""
    rng = np.random.default_rng(seed)
    labels = np.where(np.arange(examples) % 7 == 0, 2, np.arange(examples) % 2)
    centres = rng.normal(size=(N_CLASSES, features))
    return centres[labels] * 0.4 + rng.normal(size=(examples, features)) + 0.5, labels


def _values(kind: str, labels: np.ndarray) -> np.ndarray:
    """Values of each kind that go with classes: shares and ratings scatter, and the sets have up to two labels."""
    rng, own = np.random.default_rng(3), labels[:, None] == np.arange(N_CLASSES)
    if kind == "distributions":
        votes = rng.multinomial(5, 0.6 * own + 0.4 / N_CLASSES)
        return votes / 5
    if kind == "label_scores":
        return own | (rng.uniform(size=own.shape) < 0.1)
    return own + 0.3 * rng.normal(size=own.shape) if kind == "dimensions" else labels


SHAPES = pytest.mark.parametrize(("examples", "features"), [(120, 10), (40, 90)], ids=["N > D", "N < D"])


def _with_ones(features: np.ndarray) -> np.ndarray:
    return np.column_stack([features, np.ones(len(features))])


def _problem(
    features: np.ndarray, values: np.ndarray, objective: str, penalty: float = PENALTY, *, kind: str = "classes"
) -> Problem:
    return Problem.of(space_of(features), supervision(kind, values, N_CLASSES, objective), penalty)


def _solved(problem: Problem) -> tuple[np.ndarray, np.ndarray]:
    """Weights of features (K, D), and biases (K,)."""
    weights = problem.space.of_features(solved(problem).weights)
    return weights[:, :-1], weights[:, -1]


def _left_out(problem: Problem, speakers: np.ndarray) -> np.ndarray:
    return left_out(problem, solved(problem), speakers)


def _scores(
    features: np.ndarray, values: np.ndarray, objective: str, penalty: float = PENALTY, *, kind: str = "classes"
) -> np.ndarray:
    weights, bias = _solved(_problem(features, values, objective, penalty, kind=kind))
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
    weights, bias = _solved(_problem(inputs, labels, "ridge"))
    np.testing.assert_allclose(np.column_stack([weights, bias]), theirs.coef_, rtol=1e-4, atol=1e-6)


@SHAPES
def test_ridge_is_the_closed_form(examples: int, features: int) -> None:
    inputs, labels = _data(examples, features)
    rows, each = _with_ones(inputs), np.diag(balanced(labels, N_CLASSES))
    signs = np.where(labels[:, None] == np.arange(N_CLASSES), 1.0, -1.0)
    expected = np.linalg.solve(rows.T @ each @ rows + PENALTY * np.eye(features + 1), rows.T @ each @ signs)
    np.testing.assert_allclose(_scores(inputs, labels, "ridge"), rows @ expected, rtol=1e-4, atol=1e-6)


PENALTIES = pytest.mark.parametrize("penalty", [0.01, 0.1, PENALTY, 300.0])
WAYS = pytest.mark.parametrize("factorised", [hinge.FACTORISED, 5], ids=["factorised", "conjugate gradients"])


@pytest.mark.slow
@SHAPES
@PENALTIES
@WAYS
def test_the_squared_hinge_is_liblinears(
    examples: int, features: int, penalty: float, factorised: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(hinge, "FACTORISED", factorised)
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
        problem = _problem(features, labels[: len(features)], objective, penalty)
        weights, bias = _solved(problem)
        assert np.isfinite(features @ weights.T + bias).all()
        assert np.isfinite(_left_out(problem, np.arange(len(features)) % 5)).all()


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
    weights, bias = _solved(_problem(inputs, labels, "logistic", penalty))
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


@pytest.mark.parametrize(("speakers", "parts"), [(2, 2), (5, 5), (12, 5)])
def test_scores_are_of_speakers_who_were_left_out(speakers: int, parts: int, monkeypatch: pytest.MonkeyPatch) -> None:
    inputs, labels = _data(60, 70)
    numbers = 10 * (np.arange(60) % speakers)  # numbers of a corpus, of which a fold has some
    problem, left = _problem(inputs, labels, "logistic"), []

    def recorded(problem: Problem, full: Fit, groups: Sequence[np.ndarray], tolerance: float) -> np.ndarray:
        for out in groups:
            assert not set(numbers[out]) & set(np.delete(numbers, out))
            left.append(set(numbers[out]))
        return full.scores

    full = solved(problem)
    monkeypatch.setattr(solvers, "left_out_smooth", recorded)
    left_out(problem, full, numbers)
    assert len(left) == parts
    assert sorted(number for group in left for number in group) == sorted(set(numbers))


def _without(features: np.ndarray, aims: Supervision, out: np.ndarray) -> np.ndarray:
    """Scores of examples, by their numbers, by weights that are solved without them from the start."""
    kept = np.setdiff1d(np.arange(len(features)), out)
    problem = Problem.of(
        space_of(features[kept]), Supervision(aims.targets[kept], aims.weights[kept], aims.loss), PENALTY
    )
    weights, bias = _solved(problem)
    return features[out] @ weights.T + bias


@pytest.mark.parametrize(("kind", "objective"), LEARNED)
@pytest.mark.parametrize("features", [6, 30, 90])  # fewer than a part's examples, and than all; more
def test_scores_of_left_out_parts_are_those_of_a_solution_without_them(
    kind: str, objective: str, features: int
) -> None:
    inputs, labels = _data(60, features)
    aims, speakers = supervision(kind, _values(kind, labels), N_CLASSES, objective), np.arange(60) % 5
    scores = _left_out(Problem.of(space_of(inputs), aims, PENALTY), speakers)
    for speaker in range(5):
        out = np.flatnonzero(speakers == speaker)
        exact = 1e-8 if aims.loss in ("ridge", "squared_hinge") else 3e-3
        np.testing.assert_allclose(scores[out], _without(inputs, aims, out), atol=exact)


@pytest.mark.parametrize(("objective", "features"), [("squared_hinge", 30), ("logistic", 30), ("logistic", 200)])
def test_left_out_parts_start_from_the_solution_of_all(
    objective: str, features: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    inputs, labels = _data(150, features)
    problem, products = _problem(inputs, labels, objective, 10.0), [0]
    full, scores = solved(problem), type(problem.space).scores

    def counted(space: Any, weights: np.ndarray) -> np.ndarray:
        products[-1] += len(weights)
        return scores(space, weights)

    monkeypatch.setattr(type(problem.space), "scores", counted)
    left_out(problem, full, np.arange(150) % 5)
    products.append(0)
    left_out(problem, Fit(0 * full.weights, 0 * full.scores), np.arange(150) % 5)
    assert products[0] < 0.9 * products[1]


@pytest.mark.parametrize("kind", ["classes", "label_scores"])
@SHAPES
def test_problems_that_are_solved_together_are_those_apart(kind: str, examples: int, features: int) -> None:
    inputs, labels = _data(examples, features)
    aims = supervision(kind, _values(kind, labels), N_CLASSES, "logistic")
    problem = Problem.of(space_of(inputs), aims, 0.5)
    rare = np.flatnonzero(labels == 2)  # a group without which a class does not occur takes other steps
    few, many = np.array_split(np.setdiff1d(np.arange(examples), rare), [3])
    groups, full = [rare, few, many[: len(many) // 2]], solved(problem)
    together = left_out_smooth(problem, full, groups, 1e-3)
    for out in groups:
        alone = left_out_smooth(problem, full, [out], 1e-3)[out]
        assert np.abs(alone - full.scores[out]).max() > 1e-3
        np.testing.assert_allclose(together[out], alone, rtol=1e-8, atol=1e-9)


def test_examples_of_a_single_speaker_are_left_out_in_parts() -> None:
    inputs, labels = _data(60, 10)
    problem = _problem(inputs, labels, "ridge")
    same = np.zeros(60, dtype=np.int64)
    np.testing.assert_array_equal(_left_out(problem, same), _left_out(problem, np.arange(60) % solvers.PARTS))


@pytest.mark.parametrize(("kind", "objective"), LEARNED)
def test_learned_shares_prefer_the_layer_that_tells_values_apart(kind: str, objective: str) -> None:
    inputs, labels = _data(200, 8)
    layers = np.random.default_rng(1).normal(size=(200, 4, 8))
    layers[:, 2] = 3 * inputs
    values = _values(kind, labels)
    shares = weighted_layers(layers, supervision(kind, values, N_CLASSES, objective), 1.0)
    assert shares.sum() == pytest.approx(1.0)
    assert (shares >= 0).all()
    assert shares.argmax() == 2
    assert shares[2] > 0.5


def test_shares_of_equal_layers_are_equal() -> None:
    inputs, labels = _data(100, 8)
    same: Any = np.repeat(inputs[:, None], 3, axis=1)
    shares = weighted_layers(same, supervision("classes", labels, N_CLASSES, "ridge"), 1.0)
    np.testing.assert_allclose(shares, 1 / 3, atol=1e-3)


@SHAPES
@pytest.mark.parametrize("kind", ["distributions", "label_scores", "dimensions"])
def test_ridge_to_shares_signs_and_dimensions_is_scikit_learns(examples: int, features: int, kind: str) -> None:
    inputs, labels = _data(examples, features)
    values = _values(kind, labels)
    theirs = Ridge(alpha=PENALTY, fit_intercept=False, solver="cholesky")
    targets, weights = np.where(values, 1.0, -1.0) if kind == "label_scores" else values, np.ones(examples)
    if kind == "distributions":
        weights = balanced_votes(values).sum(axis=1)
        targets = balanced_votes(values) / weights[:, None]
    theirs.fit(_with_ones(inputs), targets, weights)
    ours = _scores(inputs, values, "ridge", kind=kind)
    np.testing.assert_allclose(ours, theirs.predict(_with_ones(inputs)), rtol=1e-4, atol=1e-6)


@SHAPES
@PENALTIES
def test_logistic_of_shares_is_scikit_learns_with_examples_repeated_for_each_vote(
    examples: int, features: int, penalty: float
) -> None:
    inputs, labels = _data(examples, features)
    shares = _values("distributions", labels)
    theirs = LogisticRegression(C=1 / penalty, fit_intercept=False, solver="newton-cg", tol=1e-10, max_iter=10_000)
    repeated, votes = np.repeat(_with_ones(inputs), N_CLASSES, axis=0), np.tile(np.arange(N_CLASSES), examples)
    theirs.fit(repeated, votes, sample_weight=balanced_votes(shares).ravel())
    ours = _scores(inputs, shares, "logistic", penalty, kind="distributions")
    np.testing.assert_allclose(ours, theirs.decision_function(_with_ones(inputs)), atol=1e-3)


@SHAPES
@PENALTIES
@pytest.mark.parametrize("objective", ["logistic", "squared_hinge"])
def test_labels_are_told_from_the_rest_as_by_scikit_learn_with_balanced_weights(
    examples: int, features: int, penalty: float, objective: str
) -> None:
    inputs, labels = _data(examples, features)
    values = _values("label_scores", labels)
    ours = _scores(inputs, values, objective, penalty, kind="label_scores")
    for number, own in enumerate(values.T):
        theirs: Any = (
            LinearSVC(C=1 / penalty, dual=False, class_weight="balanced", tol=1e-8, max_iter=10_000)
            if objective == "squared_hinge"
            else LogisticRegression(
                C=1 / penalty, fit_intercept=False, class_weight="balanced", solver="newton-cg", tol=1e-10
            )
        )
        rows = inputs if objective == "squared_hinge" else _with_ones(inputs)
        theirs.fit(rows, own)
        np.testing.assert_allclose(ours[:, number], theirs.decision_function(rows), atol=1e-3)


def test_distributions_of_a_single_vote_are_classes() -> None:
    inputs, labels = _data(120, 10)
    shares = (labels[:, None] == np.arange(N_CLASSES)).astype(np.float64)
    np.testing.assert_allclose(balanced_votes(shares).sum(axis=1), balanced(labels, N_CLASSES))
    ours = _scores(inputs, shares, "logistic", kind="distributions")
    np.testing.assert_allclose(ours, _scores(inputs, labels, "logistic"), atol=1e-9)


def test_votes_for_each_emotion_that_occurs_have_the_same_total_weight() -> None:
    votes = balanced_votes(np.array([[0.8, 0.2, 0.0], [1.0, 0.0, 0.0], [0.6, 0.4, 0.0], [0.8, 0.2, 0.0]]))
    np.testing.assert_allclose(votes.sum(axis=0), [2.0, 2.0, 0.0])
    assert votes[0, 1] == pytest.approx(0.2 * 4 / 2 / 0.8)


@pytest.mark.parametrize("objective", OBJECTIVES_OF["label_scores"])
def test_a_label_that_all_or_none_have_has_finite_scores(objective: str) -> None:
    inputs, labels = _data(60, 10)
    values = np.column_stack([np.ones(60, bool), np.zeros(60, bool), labels == 0])
    scores = _scores(inputs, values, objective, kind="label_scores")
    assert np.isfinite(scores).all()
    assert (scores[:, 0] > scores[:, 1]).all()
