"""Linear classifiers with an L2 penalty, solved: ridge in closed form, squared hinge and logistic by L-BFGS.

Biases are weights of a feature that is always 1, penalised as all are, as in LIBLINEAR (Fan et al. 2008, JMLR 9): with
free biases the validation speakers of EmoDB were recognised slightly worse.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
from scipy.linalg import cholesky, solve, solve_triangular
from scipy.optimize import minimize, minimize_scalar
from scipy.special import log_softmax, softmax

__all__ = ["Problem", "calibrated", "solved", "weighted_layers"]

PARTS = 5
"""Groups of training speakers of which one after another is left out to calibrate probabilities."""
JITTER = 1e-10
"""Added to the Gram matrix's diagonal, relative to its mean: equal examples make it singular."""
ITERATIONS, LAYER_ITERATIONS = 300, 60
"""Of L-BFGS, at most; shares of layers need no digits beyond the second."""
EXACT, MEDIUM, ROUGH = 1e-6, 1e-4, 1e-3
"""Relative progress of a step below which L-BFGS ends: for weights, for shares of layers, and for what a single
temperature is fitted to."""


@dataclass(frozen=True, slots=True)
class Problem:
    """What a classifier is fitted to, in coordinates of which there are no more than examples.

    The best weights are a sum of examples (representer theorem), so that N coordinates hold all that D features do.
    """

    coordinates: np.ndarray
    """Of the examples, shape (N, R), float64."""
    features: np.ndarray | None
    """Whose Gram matrix the coordinates are the Cholesky factor of, shape (N, D); None where they are the features."""
    labels: np.ndarray
    """Shape (N,), int64."""
    n_classes: int
    objective: str
    penalty: float
    """The squared weights count half of it."""
    weights: np.ndarray
    """What each example counts, shape (N,)."""

    @classmethod
    def of(cls, features: np.ndarray, labels: np.ndarray, n_classes: int, objective: str, penalty: float) -> "Problem":
        """Change to few coordinates.

        Args:
            features: Shape (N, D), float64; a feature that is always 1 is added at the end.
            labels: Classes, shape (N,).
            n_classes: K.
            objective: `ridge`, `squared_hinge` or `logistic`.
            penalty: The squared weights count half of it.
        """
        features = np.column_stack([features, np.ones(len(features))])
        weights = balanced(labels, n_classes)
        if len(features) >= features.shape[1]:
            return cls(features, None, labels, n_classes, objective, penalty, weights)
        gram = features @ features.T
        gram[np.diag_indices_from(gram)] += JITTER * gram.trace() / len(gram)
        lower = cholesky(gram, lower=True, check_finite=False)
        return cls(lower, features, labels, n_classes, objective, penalty, weights)

    def part(self, which: np.ndarray) -> "Problem":
        """The same of some examples, shape (N,), bool, which keep their weights."""
        rows, labels, weights = self.coordinates[which], self.labels[which], self.weights[which]
        return replace(self, coordinates=rows, features=None, labels=labels, weights=weights)


def balanced(labels: np.ndarray, n_classes: int) -> np.ndarray:
    """Weights (N,) by which all classes that occur count alike, with mean 1."""
    counts = np.bincount(labels, minlength=n_classes)
    result: np.ndarray = (len(labels) / np.count_nonzero(counts) / np.maximum(counts, 1))[labels]
    return result


def solved(problem: Problem) -> tuple[np.ndarray, np.ndarray]:
    """The best weights of features (K, D), and the biases (K,)."""
    weights = _solved(problem, EXACT)
    if problem.features is not None:
        of_examples = solve_triangular(problem.coordinates, weights.T, lower=True, trans="T", check_finite=False)
        weights = of_examples.T @ problem.features
    return weights[:, :-1], weights[:, -1]


def _solved(problem: Problem, tolerance: float) -> np.ndarray:
    """The best weights of coordinates (K, R); L-BFGS ends at a relative progress of `tolerance`."""
    rows, weights, classes = problem.coordinates, problem.weights, problem.n_classes
    if problem.objective == "ridge":
        roots = np.sqrt(weights)[:, None]
        weighted = roots * rows
        matrix = weighted.T @ weighted
        matrix[np.diag_indices_from(matrix)] += problem.penalty
        found: np.ndarray = solve(matrix, weighted.T @ (roots * _signs(problem.labels, classes)), assume_a="pos").T
        return found
    loss = _LOSSES[problem.objective]

    def value(flat: np.ndarray) -> tuple[float, np.ndarray]:
        now = flat.reshape(classes, -1)
        total, slope = loss(rows @ now.T, problem.labels, weights)
        gradient = slope.T @ rows + problem.penalty * now
        return total + problem.penalty / 2 * float(np.square(now).sum()), gradient.ravel()

    options = {"maxiter": ITERATIONS, "ftol": tolerance}
    result = minimize(value, np.zeros(classes * rows.shape[1]), jac=True, method="L-BFGS-B", options=options)
    return result.x.reshape(classes, -1)  # type: ignore[no-any-return]


def _signs(labels: np.ndarray, n_classes: int) -> np.ndarray:
    """1 for the own class and -1 for the others, shape (N, K)."""
    return np.where(labels[:, None] == np.arange(n_classes), 1.0, -1.0)


def _squares(scores: np.ndarray, labels: np.ndarray, weights: np.ndarray) -> tuple[float, np.ndarray]:
    """Half the squared distance of scores (N, K) to 1 and -1, weighted; and its slope."""
    missed = scores - _signs(labels, scores.shape[1])
    return float((weights @ np.square(missed)).sum()) / 2, weights[:, None] * missed


def _squared_hinge(scores: np.ndarray, labels: np.ndarray, weights: np.ndarray) -> tuple[float, np.ndarray]:
    """Squared hinge loss of one class against the rest, weighted; and its slope."""
    signs = _signs(labels, scores.shape[1])
    short = np.maximum(1 - signs * scores, 0)
    return float((weights @ np.square(short)).sum()), -2 * weights[:, None] * signs * short


def _logistic(scores: np.ndarray, labels: np.ndarray, weights: np.ndarray) -> tuple[float, np.ndarray]:
    """Multinomial logistic loss, weighted; and its slope."""
    each = np.arange(len(labels))
    slope = softmax(scores, axis=1)
    slope[each, labels] -= 1
    return -float(weights @ log_softmax(scores, axis=1)[each, labels]), weights[:, None] * slope


Loss = Callable[[np.ndarray, np.ndarray, np.ndarray], tuple[float, np.ndarray]]
_LOSSES: dict[str, Loss] = {"ridge": _squares, "squared_hinge": _squared_hinge, "logistic": _logistic}


def _left_out(problem: Problem, group: np.ndarray) -> np.ndarray:
    """Scores (N, K) of each example by the weights that are solved without its group (N,); all keep their weights."""
    rows, scores = problem.coordinates, np.zeros((len(group), problem.n_classes))
    groups = [group == one for one in np.unique(group)]
    if problem.objective != "ridge":
        for out in groups:
            scores[out] = rows[out] @ _solved(problem.part(~out), ROUGH).T
        return scores
    # Residuals without a group follow from those with it (cross-validation of ridge in closed form; M. Stone,
    # Journal of the Royal Statistical Society B 36(2), 1974): (I - H) e' = e, H the group's block of the hat matrix
    roots = np.sqrt(problem.weights)[:, None]
    weighted, targets = roots * rows, roots * _signs(problem.labels, problem.n_classes)
    matrix = weighted.T @ weighted
    matrix[np.diag_indices_from(matrix)] += problem.penalty
    inverse = solve(matrix, weighted.T, assume_a="pos")  # (R, N)
    residuals = targets - weighted @ (inverse @ targets)
    for out in groups:
        hat = weighted[out] @ inverse[:, out]
        scores[out] = (targets[out] - np.linalg.solve(np.eye(len(hat)) - hat, residuals[out])) / roots[out]
    return scores


def calibrated(problem: Problem, speakers: np.ndarray) -> float:
    """The temperature by which scores are divided so that their softmax fits speakers who were left out.

    Args:
        problem: Of all training speakers.
        speakers: A number for each example's speaker, shape (N,).
    """
    present, group = np.unique(speakers, return_inverse=True)
    if len(present) == 1:  # nobody to leave out: parts of the one speaker
        group = np.arange(len(speakers))
    scores = _left_out(problem, group % PARTS)

    def surprise(log_temperature: float) -> float:
        chances = log_softmax(scores / np.exp(log_temperature), axis=1)
        return -float(chances[np.arange(len(scores)), problem.labels].mean())

    return float(np.exp(minimize_scalar(surprise, bounds=(-7, 7), method="bounded").x))


def weighted_layers(
    features: np.ndarray, labels: np.ndarray, n_classes: int, objective: str, penalty: float
) -> np.ndarray:
    """Shares of layers, shape (C,), learned together with a classifier of the layers' weighted sum.

    Args:
        features: Shape (N, C, F).
        labels: Classes, shape (N,).
        n_classes: K.
        objective: As `Problem.objective`.
        penalty: As `Problem.penalty`.
    """
    layers, bands = features.shape[1:]
    examples = np.ascontiguousarray(features.transpose(1, 0, 2), dtype=np.float32).reshape(layers, -1)
    weights, loss = balanced(labels, n_classes), _LOSSES[objective]

    def value(flat: np.ndarray) -> tuple[float, np.ndarray]:
        shares, now = softmax(flat[:layers]), flat[layers:].reshape(n_classes, bands + 1)
        mixed = (shares.astype(np.float32) @ examples).reshape(-1, bands)
        total, slope = loss(mixed @ now[:, :-1].T + now[:, -1], labels, weights)
        gradient = np.column_stack([slope.T @ mixed, slope.sum(axis=0)]) + penalty * now
        of_shares = (examples @ (slope @ now[:, :-1]).astype(np.float32).ravel()).astype(np.float64)
        of_logits = shares * (of_shares - shares @ of_shares)
        total += penalty / 2 * float(np.square(now).sum())
        return total, np.concatenate([of_logits, gradient.ravel()])

    start = np.zeros(layers + n_classes * (bands + 1))
    options = {"maxiter": LAYER_ITERATIONS, "ftol": MEDIUM}
    result = minimize(value, start, jac=True, method="L-BFGS-B", options=options)
    learned: np.ndarray = softmax(result.x[:layers])
    return learned
