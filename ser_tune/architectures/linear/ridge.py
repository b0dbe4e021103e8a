"""Ridge regression by eigenvectors, which all penalties share, and its scores of groups that were left out.

Residuals without a group follow from those with it (cross-validation of ridge in closed form; M. Stone, Journal of the
Royal Statistical Society B 36(2), 1974): (I - H) e' = e, where H is the group's block of the hat matrix. Where a group
has more examples than there are features, the group's products of features are taken from those of all.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy.linalg import eigh, solve

from .problem import ByExamples, ByFeatures, Problem

__all__ = ["Spectrum", "left_out_ridge", "ridge", "spectrum"]


@dataclass(frozen=True, slots=True)
class Spectrum:
    """Eigenvalues and eigenvectors of products of weighted examples √w x, or of their features."""

    values: np.ndarray
    """Shape (R,), not negative."""
    vectors: np.ndarray
    """In columns, shape (R, R)."""

    @property
    def nbytes(self) -> int:
        """Bytes of the arrays."""
        return self.values.nbytes + self.vectors.nbytes


def ridge(problem: Problem) -> np.ndarray:
    """The best weights (K, R) of half the weighted squared distance of scores to targets."""
    solution = _solution(problem)
    weights: np.ndarray = _roots(problem) * solution if isinstance(problem.space, ByExamples) else solution
    return weights.T


def left_out_ridge(problem: Problem, groups: Sequence[np.ndarray]) -> np.ndarray:
    """Scores (N, K) of each example by the weights that are solved without its group; all keep their weights.

    `groups` are the numbers of the examples of each.
    """
    of_kind = _of_examples if isinstance(problem.space, ByExamples) else _of_features
    scores: np.ndarray = problem.supervision.targets - of_kind(problem, groups) / _roots(problem)
    return scores


def _roots(problem: Problem) -> np.ndarray:
    """Square roots of the examples' weights, shape (N, 1)."""
    roots: np.ndarray = np.sqrt(problem.supervision.weights)[:, None]
    return roots


def spectrum(problem: Problem) -> Spectrum:
    """The spectrum of a problem's weighted examples, which problems of other penalties share."""
    space, roots = problem.space, _roots(problem)

    def make() -> Spectrum:
        if isinstance(space, ByExamples):
            products = roots * space.gram * roots.T
        else:
            weighted = roots * space.rows
            products = weighted.T @ weighted
        values, vectors = eigh(products, driver="evd", overwrite_a=True, check_finite=False)
        return Spectrum(np.maximum(values, 0.0), vectors)

    return problem.kept(("spectrum", roots.tobytes()), make)


def _solution(problem: Problem) -> np.ndarray:
    """Weights of weighted examples, shape (N, K), or of features, (R, K)."""
    found, space = spectrum(problem), problem.space
    right = _roots(problem) * problem.supervision.targets
    if isinstance(space, ByFeatures):
        right = space.rows.T @ (_roots(problem) * right)
    solution: np.ndarray = found.vectors @ ((found.vectors.T @ right) / (found.values + problem.penalty)[:, None])
    return solution


def _of_examples(problem: Problem, groups: Sequence[np.ndarray]) -> np.ndarray:
    """Weighted residuals (N, K) without the groups, where weights are of examples.

    They are the residuals divided by the penalty, as I - H is the inverse of penalised products times the penalty.
    """
    found, residuals = spectrum(problem), _solution(problem)
    for out in groups:
        own = found.vectors[out]
        residuals[out] = solve((own / (found.values + problem.penalty)) @ own.T, residuals[out], assume_a="pos")
    return residuals


def _of_features(problem: Problem, groups: Sequence[np.ndarray]) -> np.ndarray:
    """Weighted residuals (N, K) without the groups, where weights are of features."""
    space, roots = problem.space, _roots(problem)
    assert isinstance(space, ByFeatures)
    residuals: np.ndarray = roots * (problem.supervision.targets - space.rows @ _solution(problem))
    products = np.zeros((0, 0, 0))
    if any(len(out) >= space.size for out in groups):
        products = _products(problem, groups)
    total = products.sum(axis=0)
    found = spectrum(problem)
    for number, out in enumerate(groups):
        weighted = roots[out] * space.rows[out]
        if len(out) >= space.size:
            matrix = total - products[number]
            matrix[np.diag_indices_from(matrix)] += problem.penalty
            residuals[out] += weighted @ solve(matrix, weighted.T @ residuals[out], assume_a="pos")
        else:
            own = weighted @ found.vectors
            hat = (own / (found.values + problem.penalty)) @ own.T
            residuals[out] = solve(np.eye(len(out)) - hat, residuals[out], assume_a="pos")
    return residuals


def _products(problem: Problem, groups: Sequence[np.ndarray]) -> np.ndarray:
    """Products of the features of each group's weighted examples, shape (P, R, R)."""
    space, roots = problem.space, _roots(problem)
    assert isinstance(space, ByFeatures)

    def make() -> np.ndarray:
        return np.stack([(own := roots[out] * space.rows[out]).T @ own for out in groups])

    return problem.kept(("products", roots.tobytes(), *(out.tobytes() for out in groups)), make)
