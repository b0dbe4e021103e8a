"""Linear maps with an L2 penalty, solved: ridge in closed form, squared hinge and logistic by Newton's method.

Biases are weights of a feature that is always 1, penalised as all are, as in LIBLINEAR (Fan et al. 2008, JMLR 9): with
free biases the validation speakers of EmoDB were recognised slightly worse.
"""

from dataclasses import dataclass, replace

import numpy as np
from scipy.linalg import cholesky, solve, solve_triangular
from scipy.optimize import minimize
from scipy.special import softmax

from . import newton
from .linear_targets import Supervision
from .newton import LOSSES

__all__ = ["Problem", "left_out", "solved", "weighted_layers"]

PARTS = 5
"""Groups of training speakers of which one after another is left out to calibrate probabilities."""
JITTER = 1e-10
"""Added to the Gram matrix's diagonal, relative to its mean, and the least penalty, likewise: equal examples and
features that are sums of others make matrices singular."""
EXACT, ROUGH = 1e-3, 1e-2
"""Tolerances of scores, against those of the best weights, which separate classes at scores around 1 and -1: of the
classifier, and of those that a single temperature is fitted to."""
SOLVERS = {"squared_hinge": newton.squared_hinge, "logistic": newton.logistic, "binary": newton.binary}
"""Newton's method by the name of the loss."""
LAYER_ITERATIONS, LAYER_PROGRESS = 60, 1e-4
"""L-BFGS for shares of layers: iterations at most, and the relative progress of a step below which it ends. Shares need
no digits beyond the second."""


@dataclass(frozen=True, slots=True)
class Problem:
    """Examples and objective of a linear map, in coordinates of which there are no more than examples.

    The best weights are a sum of examples (representer theorem), so that N coordinates hold all that D features do.
    """

    coordinates: np.ndarray
    """Coordinates of the examples, shape (N, R), float64."""
    features: np.ndarray | None
    """Features (N, D), of whose Gram matrix the coordinates are the Cholesky factor; None where they are equal."""
    supervision: Supervision
    penalty: float
    """The squared weights count half of it."""

    @classmethod
    def of(cls, features: np.ndarray, supervision: Supervision, penalty: float) -> "Problem":
        """Change features (N, D), float64, to few coordinates; a feature that is always 1 is added at the end."""
        features = np.column_stack([features, np.ones(len(features))])
        penalty = max(penalty, JITTER * float(np.square(features).sum()) / min(features.shape))
        if len(features) >= features.shape[1]:
            return cls(features, None, supervision, penalty)
        gram = features @ features.T
        gram[np.diag_indices_from(gram)] += JITTER * gram.trace() / len(gram)
        lower = cholesky(gram, lower=True, check_finite=False)
        return cls(lower, features, supervision, penalty)

    def part(self, which: np.ndarray) -> "Problem":
        """The problem of some examples, shape (N,), bool, which keep their weights."""
        return replace(
            self, coordinates=self.coordinates[which], features=None, supervision=self.supervision.part(which)
        )


def solved(problem: Problem) -> tuple[np.ndarray, np.ndarray]:
    """The best weights of features (K, D), and the biases (K,)."""
    weights = _solved(problem, EXACT)
    if problem.features is not None:
        of_examples = solve_triangular(problem.coordinates, weights.T, lower=True, trans="T", check_finite=False)
        weights = of_examples.T @ problem.features
    return weights[:, :-1], weights[:, -1]


def _solved(problem: Problem, tolerance: float) -> np.ndarray:
    """The best weights of coordinates (K, R), whose scores are at most `tolerance` from the optimum's."""
    rows, supervision = problem.coordinates, problem.supervision
    if supervision.loss == "ridge":
        roots = np.sqrt(supervision.weights)[:, None]
        weighted = roots * rows
        matrix = weighted.T @ weighted
        matrix[np.diag_indices_from(matrix)] += problem.penalty
        found: np.ndarray = solve(matrix, weighted.T @ (roots * supervision.targets), assume_a="pos").T
        return found
    return SOLVERS[supervision.loss](rows, supervision.targets, supervision.weights, problem.penalty, tolerance)


def left_out(problem: Problem, speakers: np.ndarray) -> np.ndarray:
    """Scores (N, K) of each example by the weights that are solved without its speaker and some others.

    `speakers` (N,) are the numbers of the examples' speakers.
    """
    present, group = np.unique(speakers, return_inverse=True)
    if len(present) == 1:  # parts of the only speaker are left out
        group = np.arange(len(speakers))
    return _left_out(problem, group % PARTS)


def _left_out(problem: Problem, group: np.ndarray) -> np.ndarray:
    """Scores (N, K) of each example by the weights that are solved without its group (N,); all keep their weights."""
    rows, supervision = problem.coordinates, problem.supervision
    scores = np.zeros(supervision.targets.shape)
    groups = [group == number for number in np.unique(group)]
    if supervision.loss != "ridge":
        for out in groups:
            scores[out] = rows[out] @ _solved(problem.part(~out), ROUGH).T
        return scores
    # Residuals without a group follow from those with it (cross-validation of ridge in closed form; M. Stone,
    # Journal of the Royal Statistical Society B 36(2), 1974): (I - H) e' = e, H the group's block of the hat matrix
    roots = np.sqrt(supervision.weights)[:, None]
    weighted, targets = roots * rows, roots * supervision.targets
    matrix = weighted.T @ weighted
    matrix[np.diag_indices_from(matrix)] += problem.penalty
    inverse = solve(matrix, weighted.T, assume_a="pos")  # (R, N)
    residuals = targets - weighted @ (inverse @ targets)
    for out in groups:
        hat = weighted[out] @ inverse[:, out]
        scores[out] = (targets[out] - np.linalg.solve(np.eye(len(hat)) - hat, residuals[out])) / roots[out]
    return scores


def weighted_layers(features: np.ndarray, supervision: Supervision, penalty: float) -> np.ndarray:
    """Shares of layers, shape (C,), learned together with a linear map of the weighted sum of features (N, C, F)."""
    layers, bands = features.shape[1:]
    outputs, loss = supervision.targets.shape[1], LOSSES[supervision.loss]
    examples = np.ascontiguousarray(features.transpose(1, 0, 2), dtype=np.float32).reshape(layers, -1)

    def value(flat: np.ndarray) -> tuple[float, np.ndarray]:
        shares, now = softmax(flat[:layers]), flat[layers:].reshape(outputs, bands + 1)
        mixed = (shares.astype(np.float32) @ examples).reshape(-1, bands)
        total, slope = loss(mixed @ now[:, :-1].T + now[:, -1], supervision.targets, supervision.weights)
        gradient = np.column_stack([slope.T @ mixed, slope.sum(axis=0)]) + penalty * now
        of_shares = (examples @ (slope @ now[:, :-1]).astype(np.float32).ravel()).astype(np.float64)
        of_logits = shares * (of_shares - shares @ of_shares)
        total += penalty / 2 * float(np.square(now).sum())
        return total, np.concatenate([of_logits, gradient.ravel()])

    start = np.zeros(layers + outputs * (bands + 1))
    options = {"maxiter": LAYER_ITERATIONS, "ftol": LAYER_PROGRESS}
    result = minimize(value, start, jac=True, method="L-BFGS-B", options=options)
    learned: np.ndarray = softmax(result.x[:layers])
    return learned
