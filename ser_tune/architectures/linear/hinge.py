"""Linear maps with the least squared hinge loss and an L2 penalty, by Newton's method.

The loss is piecewise quadratic, and each output is a problem of its own: the step to the optimum of the present piece
is solved for exactly (S. Keerthi, D. DeCoste: A modified finite Newton method, JMLR 6, 2005). A piece is the set of
active examples, of which scores are not far enough on their side. The smallest of three systems is solved: that of the
active examples, of the features, or of the passive examples, by the inverse of all products, which all outputs share
and of which a left-out group is downdated.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy.linalg.lapack import dposv

from .newton import LOSSES, Fit, Objective, Point, Step, conjugate, minimum
from .problem import ByExamples, ByFeatures, Problem
from .ridge import spectrum

__all__ = ["left_out_squared_hinge", "squared_hinge"]

EXACT = (1e-6,)
"""Fraction of the gradient's length that conjugate gradients leave: a rough step ends in another piece."""
FACTORISED = 2_000
"""Rows of the largest matrix that is factorised for a step."""


@dataclass(frozen=True, slots=True)
class Inverse:
    """Solutions for all examples with weights √w, from which those of pieces follow."""

    inverse: np.ndarray
    """(√w X Xᵀ √w + penalty / 2)^-1, shape (N, N); rows and columns of left-out examples are 0."""
    roots: np.ndarray
    """√w, shape (N,)."""
    signs: np.ndarray
    """Targets times √w, shape (N, K)."""
    solutions: np.ndarray
    """Weights of weighted examples where all are active, shape (N, K)."""

    def without(self, out: np.ndarray) -> "Inverse":
        """Leave out some examples, by their numbers."""
        columns = self.inverse[:, out]
        inverse = self.inverse - columns @ _solved(columns[out], columns.T)
        inverse[out], inverse[:, out] = 0, 0
        signs = self.signs.copy()
        signs[out] = 0
        return Inverse(inverse, self.roots, signs, inverse @ signs)

    def piece(self, output: int, passive: np.ndarray, half: float) -> tuple[np.ndarray, np.ndarray]:
        """Weights (N,) of an output, and scores (N,) of examples that are not left out, without passive examples.

        Args:
            output: The number of the output.
            passive: Numbers of the examples whose weights are 0.
            half: Half the penalty.
        """
        rows = self.inverse[passive]
        pushed = -_solved(rows[:, passive], self.solutions[passive, output])
        solution = self.solutions[:, output] + pushed @ rows
        solution[passive] = 0
        scores = self.signs[:, output] - half * solution
        scores[passive] += pushed
        return self.roots * solution, scores / self.roots


def squared_hinge(problem: Problem, tolerance: float) -> Fit:
    """The fit with the least squared hinge loss.

    Args:
        problem: Targets are 1 where an output applies to an example, otherwise -1.
        tolerance: How far scores may be from the optimum's; of scores below 1, as a fraction of the largest.
    """
    objective = _objective(problem, problem.supervision.weights)
    return _fit(objective, objective.start(), _inverse(problem), tolerance)


def left_out_squared_hinge(problem: Problem, full: Fit, groups: Sequence[np.ndarray], tolerance: float) -> np.ndarray:
    """Scores (N, K) of each example by the weights that are solved without its group.

    Args:
        problem: As for `squared_hinge`.
        full: Its solution.
        groups: The numbers of the examples of each group.
        tolerance: As for `squared_hinge`.
    """
    scores, inverse = np.zeros(problem.supervision.targets.shape), _inverse(problem)
    for out in groups:
        weights = problem.supervision.weights.copy()
        weights[out] = 0
        objective = _objective(problem, weights)
        if inverse is None:
            fit = _fit(objective, full, None, tolerance)
        else:  # the first piece, where all are active, costs nothing, and is nearer than the optimum of all
            fit = _fit(objective, objective.start(), inverse.without(out), tolerance)
        scores[out] = problem.space.scores(fit.weights)[out]
    return scores


def _objective(problem: Problem, weights: np.ndarray) -> Objective:
    """The minimised function, where examples have other weights, (N,) or (N, K)."""
    return Objective(problem.space, problem.supervision.targets, weights, problem.penalty, LOSSES["squared_hinge"])


def _inverse(problem: Problem) -> Inverse | None:
    """The inverse for a problem's penalty; None where it has no use, or where each output has weights of its own."""
    supervision = problem.supervision
    if not isinstance(problem.space, ByExamples) or supervision.weights.ndim > 1 or problem.space.size > FACTORISED:
        return None
    found, roots = spectrum(problem), np.sqrt(supervision.weights)
    inverse = (found.vectors / (found.values + problem.penalty / 2)) @ found.vectors.T
    signs = roots[:, None] * supervision.targets
    return Inverse(inverse, roots, signs, inverse @ signs)


def _fit(objective: Objective, start: Fit, inverse: Inverse | None, tolerance: float) -> Fit:
    """The fit of all outputs; scores of left-out examples are not theirs."""
    fits = []
    for number in range(objective.targets.shape[1]):
        step = _step(objective.output(number), number, inverse)
        own = Fit(start.weights[number, None], start.scores[:, number, None])
        fits.append(minimum(objective.output(number), own, step, tolerance, EXACT))
    return Fit(np.concatenate([fit.weights for fit in fits]), np.concatenate([fit.scores for fit in fits], axis=1))


def _step(objective: Objective, output: int, inverse: Inverse | None) -> Step:
    """A function that steps to the optimum of a point's piece, for a single output."""
    space, signs = objective.space, objective.targets[:, 0]
    before, optimum = np.zeros(0, dtype=bool), np.zeros(0)
    normal = _NormalEquations(objective) if isinstance(space, ByFeatures) else None

    def step(at: Point, gradient: np.ndarray, left: float) -> tuple[np.ndarray, np.ndarray]:
        nonlocal before, optimum
        of_piece = (signs * at.scores[:, 0] < 1) & (objective.counts > 0)
        if np.array_equal(of_piece, before) and np.array_equal(at.weights, optimum):
            return np.zeros_like(at.weights), np.zeros_like(at.scores)
        change, moved = towards(of_piece, at, gradient, left)
        before, optimum = of_piece, at.weights + change
        return change, moved

    def towards(of_piece: np.ndarray, at: Point, gradient: np.ndarray, left: float) -> tuple[np.ndarray, np.ndarray]:
        active, passive = np.flatnonzero(of_piece), np.flatnonzero(~of_piece & (objective.counts > 0))
        twice = 2 * objective.counts[active]
        if inverse is not None and len(passive) <= len(active):
            weights, scores = inverse.piece(output, passive, objective.penalty / 2)
            return weights[None] - at.weights, scores[:, None] - at.scores
        if min(len(active), space.size) > FACTORISED:
            bent = 2 * (objective.counts * of_piece)[:, None]
            return conjugate(objective, gradient, lambda change: bent * change, left)
        if normal is not None and len(active) >= space.size:
            weights = normal.solution(of_piece)
        else:
            weights = _of_active(objective, active, objective.penalty / twice)
        change = weights[None] - at.weights
        return change, space.scores(change)

    return step


def _of_active(objective: Objective, active: np.ndarray, diagonal: np.ndarray) -> np.ndarray:
    """Weights (R,) of a single output from the system of its active examples, with a diagonal (A,) added to it."""
    space, signs = objective.space, objective.targets[active, 0]
    matrix = space.gram[np.ix_(active, active)] if isinstance(space, ByExamples) else _products(space.rows[active].T)
    matrix[np.diag_indices_from(matrix)] += diagonal
    solution = _solved(matrix, signs)
    if isinstance(space, ByFeatures):
        of_features: np.ndarray = solution @ space.rows[active]
        return of_features
    weights = np.zeros(space.size)
    weights[active] = solution
    return weights


class _NormalEquations:
    """Normal equations of the active examples of a single output, from those of another piece."""

    def __init__(self, objective: Objective) -> None:
        self._objective = objective
        self._matrix, self._active = np.zeros(0), np.zeros(len(objective.targets), dtype=bool)

    def solution(self, active: np.ndarray) -> np.ndarray:
        """Weights of features (R,) where examples are active, shape (N,), bool."""
        objective, space = self._objective, self._objective.space
        assert isinstance(space, ByFeatures)
        twice, changed = 2 * objective.counts, np.flatnonzero(active != self._active)
        if self._matrix.size and len(changed) < np.count_nonzero(active):
            signed = np.where(active[changed], twice[changed], -twice[changed])
            self._matrix += (signed[:, None] * space.rows[changed]).T @ space.rows[changed]
        else:
            self._matrix = _products(np.sqrt(twice[active])[:, None] * space.rows[active])
        self._active = active
        matrix = self._matrix.copy()
        matrix[np.diag_indices_from(matrix)] += objective.penalty
        return _solved(matrix, (twice * objective.targets[:, 0] * active) @ space.rows)


def _products(rows: np.ndarray) -> np.ndarray:
    """Products of columns, shape (B, B), of rows (A, B)."""
    products: np.ndarray = rows.T @ rows
    return products


def _solved(matrix: np.ndarray, right: np.ndarray) -> np.ndarray:
    """Solve a symmetric positive definite system, which is overwritten."""
    solution: np.ndarray
    if not len(matrix):
        return right
    _, solution, failed = dposv(matrix.T, right, overwrite_a=True)  # SciPy's checks take longer than a small solution
    if failed:
        raise np.linalg.LinAlgError(f"a matrix of shape {matrix.shape} is not positive definite")
    return solution
