"""Losses of linear maps with an L2 penalty, and Newton's method for a loss whose outputs are solved in turn.

A step that changes no score by more than the tolerance ends the search. Lengths and products of weights are those of
the features' weights, also where weights are of examples. `smooth` has the method for problems that are solved at once.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import TypeAlias

import numpy as np
from scipy.special import expit, log_expit, log_softmax, softmax

from .problem import ByExamples, ByFeatures

__all__ = [
    "CONJUGATE_STEPS",
    "LOSSES",
    "SHORTEST",
    "STEPS",
    "Fit",
    "Loss",
    "Objective",
    "Point",
    "conjugate",
    "minimum",
]

STEPS = 200
"""Most steps of Newton's method; the hardest problem that was tried took 60."""
CONJUGATE_STEPS = 1_000
"""Most iterations of conjugate gradients for a step."""
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
class Fit:
    """Weights of a linear map, and the scores of the examples."""

    weights: np.ndarray
    """Shape (K, R), of the space of the examples."""
    scores: np.ndarray
    """Shape (N, K)."""


@dataclass(frozen=True, slots=True)
class Point(Fit):
    """A point of the search."""

    value: float
    """Sum of loss and penalty."""
    slope: np.ndarray
    """Slope of the loss by the scores, shape (N, K)."""


@dataclass(frozen=True, slots=True)
class Objective:
    """A minimised sum of loss and penalty."""

    space: ByFeatures | ByExamples
    targets: np.ndarray
    """Shape (N, K)."""
    counts: np.ndarray
    """Weight of each example, shape (N,), or of each of its outputs, (N, K); 0 leaves an example out."""
    penalty: float
    """The squared weights count half of it."""
    loss: Loss

    def output(self, number: int) -> "Objective":
        """The objective of a single output."""
        counts = self.counts if self.counts.ndim == 1 else self.counts[:, number]
        return replace(self, targets=self.targets[:, number : number + 1], counts=counts)

    def at(self, weights: np.ndarray, scores: np.ndarray) -> Point:
        """The point of some weights (K, R), and their scores (N, K)."""
        loss, slope = self.loss(scores, self.targets, self.counts)
        size = self.space.product(weights, scores, weights)
        return Point(weights, scores, loss + self.penalty / 2 * size, slope)

    def start(self) -> Fit:
        """Weights of 0."""
        return Fit(np.zeros((self.targets.shape[1], self.space.size)), np.zeros(self.targets.shape))


Bend: TypeAlias = Callable[[np.ndarray], np.ndarray]
"""From a change of the scores (N, K) to the change of the slope (N, K)."""
Step: TypeAlias = Callable[[Point, np.ndarray, float], tuple[np.ndarray, np.ndarray]]
"""From a point, its gradient (K, R), and what conjugate gradients leave of it, to Newton's step of the weights (K, R)
and of the scores (N, K)."""


def minimum(objective: Objective, start: Fit, step: Step, tolerance: float, lefts: tuple[float, ...]) -> Fit:
    """The fit with the least loss and penalty; each of Newton's steps is halved until it descends enough.

    `lefts` are the fractions of the gradient that conjugate gradients leave: each until a step is short.
    """
    space, penalty = objective.space, objective.penalty
    now = objective.at(start.weights, start.scores)
    left, *more_exact = lefts
    for _ in range(STEPS):
        gradient = space.pulled(now.slope) + penalty * now.weights
        change, moved = step(now, gradient, left)
        descent, share = space.product(change, moved, gradient), 1.0
        then = objective.at(now.weights + change, now.scores + moved)
        while then.value > now.value + 1e-4 * share * descent and share > SHORTEST:
            share /= 2
            then = objective.at(now.weights + share * change, now.scores + share * moved)
        if then.value >= now.value:  # as far down as rounding lets it
            break
        now = then
        if share == 1 and np.abs(moved).max() < tolerance * min(1.0, np.abs(now.scores).max()):
            if not more_exact:
                break
            left = more_exact.pop(0)
    return Fit(now.weights, now.scores)


def conjugate(objective: Objective, gradient: np.ndarray, bend: Bend, left: float) -> tuple[np.ndarray, np.ndarray]:
    """Newton's step by conjugate gradients, which end where only a fraction `left` of the gradient's length is left."""
    space = objective.space
    rest, of_rest = -gradient, space.scores(-gradient)
    size = space.product(rest, of_rest, rest)
    enough = left**2 * size
    direction, of_direction = rest, of_rest
    change, moved = np.zeros_like(rest), np.zeros_like(of_rest)
    for _ in range(CONJUGATE_STEPS):
        if size <= enough:
            break
        curved = space.pulled(bend(of_direction)) + objective.penalty * direction
        curvature = space.product(direction, of_direction, curved)
        if curvature <= 0:  # of equal examples rounding errors are left
            break
        reach = size / curvature
        change, moved, rest = change + reach * direction, moved + reach * of_direction, rest - reach * curved
        of_rest = space.scores(rest)
        before, size = size, space.product(rest, of_rest, rest)
        direction, of_direction = rest + size / before * direction, of_rest + size / before * of_direction
    return change, moved
