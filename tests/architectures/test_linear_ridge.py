"""Ridge by eigenvectors: counts of decompositions, left-out groups of every size, and results that trials share."""

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import ser_tune.architectures.linear.ridge as ridge_module
from ser_tune.architectures.linear.problem import Problem, space_of
from ser_tune.architectures.linear.ridge import left_out_ridge, ridge
from ser_tune.architectures.linear.solvers import left_out, solved
from ser_tune.architectures.linear.targets import Supervision
from ser_tune.architectures.shared import Shared


@pytest.fixture
def decomposed(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Sizes of the matrices that are decomposed."""
    sizes: list[int] = []
    eigh = ridge_module.eigh

    def counted(matrix: np.ndarray, **options: Any) -> tuple[np.ndarray, np.ndarray]:
        sizes.append(len(matrix))
        return eigh(matrix, **options)

    monkeypatch.setattr(ridge_module, "eigh", counted)
    return sizes


def _aims(examples: int, seed: int = 0) -> Supervision:
    rng = np.random.default_rng(seed)
    return Supervision(rng.normal(size=(examples, 2)), rng.uniform(0.5, 2, size=examples), "ridge")


def _direct(features: np.ndarray, aims: Supervision, penalty: float, kept: np.ndarray) -> np.ndarray:
    """Scores of all examples by normal equations of some."""
    rows = np.column_stack([features, np.ones(len(features))])
    own, weights = rows[kept], aims.weights[kept, None]
    matrix = own.T @ (weights * own) + penalty * np.eye(rows.shape[1])
    scores: np.ndarray = rows @ np.linalg.solve(matrix, own.T @ (weights * aims.targets[kept]))
    return scores


@given(
    examples=st.integers(6, 40),
    features=st.integers(1, 50),
    penalty=st.sampled_from([1e-2, 1.0, 100.0]),
    share=st.floats(0.05, 0.95),
)
def test_groups_of_any_size_are_left_out_as_by_normal_equations(
    examples: int, features: int, penalty: float, share: float
) -> None:
    inputs, aims = np.random.default_rng(features).normal(size=(examples, features)), _aims(examples)
    problem, everyone = Problem.of(space_of(inputs), aims, penalty), np.arange(examples)
    np.testing.assert_allclose(
        problem.space.scores(ridge(problem)), _direct(inputs, aims, penalty, everyone), atol=1e-8
    )
    first = max(1, min(examples - 1, round(share * examples)))
    groups = [everyone[:first], everyone[first:]]
    scores = left_out_ridge(problem, groups)
    for out, kept in (groups, groups[::-1]):
        np.testing.assert_allclose(scores[out], _direct(inputs, aims, penalty, kept)[out], rtol=1e-7, atol=1e-8)


@pytest.mark.parametrize(("examples", "features"), [(100, 10), (100, 50), (40, 90)])
def test_all_penalties_share_a_decomposition(decomposed: list[int], examples: int, features: int) -> None:
    inputs, aims, shared = np.random.default_rng(0).normal(size=(examples, features)), _aims(examples), Shared(1e8)
    for penalty in np.geomspace(1e-2, 1e2, 9):
        problem = Problem.of(space_of(inputs), aims, penalty, shared=shared, key="fold 0")
        full = solved(problem)
        left_out(problem, full, np.arange(examples) % 5)
        np.testing.assert_allclose(full.scores, _direct(inputs, aims, penalty, np.arange(examples)), atol=1e-8)
    assert decomposed == [min(examples, features + 1)]


def test_the_largest_system_grows_with_the_smaller_of_rank_and_part(monkeypatch: pytest.MonkeyPatch) -> None:
    sizes: list[int] = []
    solve = ridge_module.solve

    def counted(matrix: np.ndarray, right: np.ndarray, **options: str) -> np.ndarray:
        sizes.append(len(matrix))
        result: np.ndarray = solve(matrix, right, **options)
        return result

    monkeypatch.setattr(ridge_module, "solve", counted)
    for examples, features, largest in ((2000, 16, 17), (200, 100, 40), (100, 300, 20)):
        inputs = np.random.default_rng(0).normal(size=(examples, features))
        problem = Problem.of(space_of(inputs), _aims(examples), 1.0)
        left_out_ridge(problem, np.split(np.arange(examples), 5))
        assert max(sizes) == largest
        sizes.clear()


def test_a_decomposition_that_is_too_large_to_be_shared_is_not_made_twice(decomposed: list[int]) -> None:
    problem = Problem.of(space_of(np.ones((30, 40))), _aims(30), 1.0, shared=Shared(0), key="fold 0")
    left_out(problem, solved(problem), np.arange(30) % 5)
    assert decomposed == [30]


def test_other_weights_of_examples_have_a_decomposition_of_their_own(decomposed: list[int]) -> None:
    inputs, shared = np.random.default_rng(0).normal(size=(30, 40)), Shared(1e8)
    for seed in (0, 1, 0, 1):
        problem = Problem.of(space_of(inputs), _aims(30, seed), 1.0, shared=shared, key="fold 0")
        np.testing.assert_allclose(
            problem.space.scores(ridge(problem)), _direct(inputs, _aims(30, seed), 1.0, np.arange(30)), atol=1e-8
        )
    assert len(decomposed) == 2
