"""Losses of linear maps with an L2 penalty, and Newton's method for squared hinge and logistic loss.

A step that changes no score by more than the tolerance ends the search. Squared hinge is piecewise quadratic, and each
output is a problem of its own: the step to the optimum of the present piece is solved for exactly (S. Keerthi,
D. DeCoste: A modified finite Newton method, JMLR 6, 2005), in the smaller of both shapes. Logistic, and what is too
large to be factorised, takes conjugate gradients (C. Lin, R. Weng, S. Keerthi: Trust region Newton method, JMLR 9,
2008), of which the last step is more exact: a rough step may be short far from the optimum.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import TypeAlias

import numpy as np
from scipy.linalg import cho_factor, cho_solve
from scipy.special import expit, log_expit, log_softmax, softmax

__all__ = ["LOSSES", "Loss", "binary", "logistic", "squared_hinge"]

STEPS = 200
"""Most steps of Newton's method; the hardest problem that was tried took 60."""
CONJUGATE_STEPS = 1_000
"""Most iterations of conjugate gradients for a step."""
SMOOTH, PIECEWISE = (0.1, 0.01), (1e-6,)
"""Fractions of the gradient's length that conjugate gradients leave, on the way and in the last step: of logistic loss;
and of squared hinge, where a rough step ends in another piece."""
FACTORISED = 2_000
"""Rows of the largest matrix that is factorised for a step."""
SHORTEST = 2.0**-30
"""Shortest fraction of Newton's step; below it rounding errors dominate."""


Loss: TypeAlias = Callable[[np.ndarray, np.ndarray, np.ndarray], tuple[float, np.ndarray]]
"""From scores (N, K), targets (N, K), and weights of examples (N,) or of each of their outputs (N, K), to the loss and
its slope by the scores (N, K)."""


def _sum(losses: np.ndarray, counts: np.ndarray) -> float:
    """Sum losses (N, K) with weights (N,) or (N, K)."""
    return float((counts @ losses).sum() if counts.ndim == 1 else (counts * losses).sum())


def _columns(counts: np.ndarray) -> np.ndarray:
    """Weights (N,) or (N, K) as (N, 1) or (N, K)."""
    return counts.reshape(len(counts), -1)


def square_loss(scores: np.ndarray, targets: np.ndarray, counts: np.ndarray) -> tuple[float, np.ndarray]:
    """Half the squared distance of scores to targets; as `Loss`."""
    missed = scores - targets
    return _sum(np.square(missed), counts) / 2, _columns(counts) * missed


def hinge_loss(scores: np.ndarray, signs: np.ndarray, counts: np.ndarray) -> tuple[float, np.ndarray]:
    """Squared hinge loss of each output with signs 1 and -1; as `Loss`."""
    short = np.maximum(1 - signs * scores, 0)
    return _sum(np.square(short), counts), -2 * _columns(counts) * signs * short


def logistic_loss(scores: np.ndarray, shares: np.ndarray, counts: np.ndarray) -> tuple[float, np.ndarray]:
    """Multinomial logistic loss with shares of classes, of which rows sum to 1 and `counts` are (N,); as `Loss`."""
    surprise = -(shares * log_softmax(scores, axis=1)).sum(axis=1)
    return float(counts @ surprise), counts[:, None] * (softmax(scores, axis=1) - shares)


def binary_loss(scores: np.ndarray, signs: np.ndarray, counts: np.ndarray) -> tuple[float, np.ndarray]:
    """Logistic loss of each output with signs 1 and -1; as `Loss`."""
    margins = signs * scores
    return _sum(-log_expit(margins), counts), -_columns(counts) * signs * expit(-margins)


LOSSES: Mapping[str, Loss] = {
    "ridge": square_loss,
    "squared_hinge": hinge_loss,
    "logistic": logistic_loss,
    "binary": binary_loss,
}
"""Losses by name."""


@dataclass(frozen=True, slots=True)
class _Point:
    """A point of the search."""

    weights: np.ndarray
    """Shape (K, R)."""
    scores: np.ndarray
    """Scores of the examples, shape (N, K)."""
    value: float
    """Sum of loss and penalty."""
    slope: np.ndarray
    """Slope of the loss by the scores, shape (N, K)."""


@dataclass(frozen=True, slots=True)
class _Posed:
    """The minimised function; the fields are the arguments of `squared_hinge`."""

    rows: np.ndarray
    targets: np.ndarray
    counts: np.ndarray
    penalty: float
    loss: Loss

    def output(self, number: int) -> "_Posed":
        """The function of a single output."""
        counts = self.counts if self.counts.ndim == 1 else self.counts[:, number]
        return replace(self, targets=self.targets[:, number : number + 1], counts=counts)

    def at(self, weights: np.ndarray, scores: np.ndarray) -> _Point:
        """The point of some weights, and their scores."""
        loss, slope = self.loss(scores, self.targets, self.counts)
        return _Point(weights, scores, loss + self.penalty / 2 * float(np.square(weights).sum()), slope)


Bend: TypeAlias = Callable[[np.ndarray], np.ndarray]
"""From a change of the scores (N, K) to the change of the slope (N, K)."""
Step: TypeAlias = Callable[[_Point, np.ndarray, float], tuple[np.ndarray, np.ndarray]]
"""From a point, its gradient (K, R), and what conjugate gradients leave of it, to Newton's step of the weights (K, R)
and of the scores (N, K)."""


def squared_hinge(
    rows: np.ndarray, signs: np.ndarray, counts: np.ndarray, penalty: float, tolerance: float
) -> np.ndarray:
    """The best weights (K, R) of the squared hinge loss; each output is a problem of its own.

    Args:
        rows: Examples, shape (N, R).
        signs: 1 where an output applies to an example, otherwise -1, shape (N, K).
        counts: Weight of each example, shape (N,), or of each of its outputs, (N, K).
        penalty: The squared weights count half of it.
        tolerance: How far scores may be from the optimum's; of scores below 1, as a fraction of the largest.
    """
    gram = rows @ rows.T if len(rows) <= min(rows.shape[1], FACTORISED) else None
    posed = _Posed(rows, signs, counts, penalty, hinge_loss)
    return np.concatenate([_hinge_weights(posed.output(number), gram, tolerance) for number in range(signs.shape[1])])


def _hinge_weights(posed: _Posed, gram: np.ndarray | None, tolerance: float) -> np.ndarray:
    """The weights (1, R) of a single output."""
    rows, counts, penalty = posed.rows, posed.counts, posed.penalty
    signs = posed.targets[:, 0]

    def step(at: _Point, gradient: np.ndarray, left: float) -> tuple[np.ndarray, np.ndarray]:
        active = signs * at.scores[:, 0] < 1
        inside, twice = rows[active], 2 * counts[active]
        if min(inside.shape) > FACTORISED:
            return _conjugate(rows, gradient, penalty, lambda change: 2 * (counts * active)[:, None] * change, left)
        if len(inside) < rows.shape[1]:
            matrix = inside @ inside.T if gram is None else gram[np.ix_(active, active)]
            matrix[np.diag_indices_from(matrix)] += penalty / twice
            weights = _solve(matrix, signs[active]) @ inside
        else:
            matrix = (twice[:, None] * inside).T @ inside
            matrix[np.diag_indices_from(matrix)] += penalty
            weights = _solve(matrix, (twice * signs[active]) @ inside)
        change = weights - at.weights[0]
        return change[None], (rows @ change)[:, None]

    return _minimum(posed, step, tolerance, PIECEWISE)


def logistic(rows: np.ndarray, shares: np.ndarray, counts: np.ndarray, penalty: float, tolerance: float) -> np.ndarray:
    """The best weights (K, R) of the multinomial logistic loss.

    `shares` (N, K) of classes sum to 1 for each example; weights `counts` are (N,). Other arguments are those of
    `squared_hinge`.
    """

    def step(at: _Point, gradient: np.ndarray, left: float) -> tuple[np.ndarray, np.ndarray]:
        chances = softmax(at.scores, axis=1)

        def bend(change: np.ndarray) -> np.ndarray:
            weighted = chances * change
            bent: np.ndarray = counts[:, None] * (weighted - chances * weighted.sum(axis=1, keepdims=True))
            return bent

        return _conjugate(rows, gradient, penalty, bend, left)

    return _minimum(_Posed(rows, shares, counts, penalty, logistic_loss), step, tolerance, SMOOTH)


def binary(rows: np.ndarray, signs: np.ndarray, counts: np.ndarray, penalty: float, tolerance: float) -> np.ndarray:
    """The best weights (K, R) of a logistic loss for each output; the arguments are those of `squared_hinge`."""

    def step(at: _Point, gradient: np.ndarray, left: float) -> tuple[np.ndarray, np.ndarray]:
        bent = _columns(counts) * expit(at.scores) * expit(-at.scores)
        return _conjugate(rows, gradient, penalty, lambda change: bent * change, left)

    return _minimum(_Posed(rows, signs, counts, penalty, binary_loss), step, tolerance, SMOOTH)


def _minimum(posed: _Posed, step: Step, tolerance: float, lefts: tuple[float, ...]) -> np.ndarray:
    """The weights (K, R) of the least loss and penalty; each of Newton's steps is halved until it descends enough.

    `lefts` are the fractions of the gradient that conjugate gradients leave: each until a step is short.
    """
    rows, penalty = posed.rows, posed.penalty
    now = posed.at(np.zeros((posed.targets.shape[1], rows.shape[1])), np.zeros(posed.targets.shape))
    left, *more_exact = lefts
    for _ in range(STEPS):
        gradient = now.slope.T @ rows + penalty * now.weights
        change, moved = step(now, gradient, left)
        descent, share = float((gradient * change).sum()), 1.0
        then = posed.at(now.weights + change, now.scores + moved)
        while then.value > now.value + 1e-4 * share * descent and share > SHORTEST:
            share /= 2
            then = posed.at(now.weights + share * change, now.scores + share * moved)
        if then.value >= now.value:  # as far down as rounding lets it
            return now.weights
        now = then
        if share == 1 and np.abs(moved).max() < tolerance * min(1.0, np.abs(now.scores).max()):
            if not more_exact:
                break
            left = more_exact.pop(0)
    return now.weights


def _conjugate(
    rows: np.ndarray, gradient: np.ndarray, penalty: float, bend: Bend, left: float
) -> tuple[np.ndarray, np.ndarray]:
    """Newton's step by conjugate gradients, which end where only a fraction `left` of the gradient's length is left."""
    length = float(np.square(gradient).sum())
    enough = left**2 * length
    change, moved = np.zeros_like(gradient), np.zeros((len(rows), len(gradient)))
    rest, direction, size = -gradient, -gradient, length
    for _ in range(CONJUGATE_STEPS):
        if size <= enough:
            break
        of_scores = rows @ direction.T
        curved = bend(of_scores).T @ rows + penalty * direction
        reach = size / float((direction * curved).sum())
        change, moved, rest = change + reach * direction, moved + reach * of_scores, rest - reach * curved
        before, size = size, float(np.square(rest).sum())
        direction = rest + size / before * direction
    return change, moved


def _solve(matrix: np.ndarray, right: np.ndarray) -> np.ndarray:
    """Solve a symmetric positive definite system."""
    factor = cho_factor(matrix, overwrite_a=True, check_finite=False)
    solution: np.ndarray = cho_solve(factor, right, check_finite=False)
    return solution
