"""Linear maps with a smooth loss and an L2 penalty, by Newton's method; problems of the same examples share products.

Logistic loss takes rough steps of conjugate gradients (C. Lin, R. Weng, S. Keerthi: Trust region Newton method, JMLR 9,
2008). Those of all left-out groups are taken together: the Gram matrix is read once for all of them.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
from scipy.special import expit, log_expit, softmax

from .newton import CONJUGATE_STEPS, SHORTEST, STEPS, Fit
from .problem import ByExamples, ByFeatures, Problem

__all__ = ["left_out_smooth", "smooth"]

LEFTS = (0.1, 0.01)
"""Fractions of the gradient's length that conjugate gradients leave, on the way and in the last step."""

Slopes: TypeAlias = tuple[np.ndarray, np.ndarray]
"""Losses of problems, shape (P,), and slopes by the scores, shape (K, P, N)."""


def smooth(problem: Problem, tolerance: float) -> Fit:
    """The fit with the least logistic loss, multinomial or of each output.

    Args:
        problem: Targets are shares of classes that sum to 1, or 1 and -1 for each output.
        tolerance: How far scores may be from the optimum's; of scores below 1, as a fraction of the largest.
    """
    outputs, count = problem.supervision.targets.T.shape
    everything = _Together.of(problem, np.ones((1, count)))
    start = np.zeros((outputs, 1, problem.space.size))
    weights, scores = everything.solved(start, np.zeros((outputs, 1, count)), tolerance)
    return Fit(weights[:, 0], scores[:, 0].T)


def left_out_smooth(problem: Problem, full: Fit, groups: Sequence[np.ndarray], tolerance: float) -> np.ndarray:
    """Scores (N, K) of each example by the weights that are solved without its group.

    Args:
        problem: As for `smooth`.
        full: Its solution, where the search for the others starts.
        groups: The numbers of the examples of each group.
        tolerance: As for `smooth`.
    """
    present = np.ones((len(groups), len(full.scores)))
    for number, out in enumerate(groups):
        present[number, out] = 0
    weights, scores = (np.repeat(every[:, None], len(groups), axis=1) for every in (full.weights, full.scores.T))
    _, scores = _Together.of(problem, present).solved(weights, scores, tolerance)
    result = np.zeros(full.scores.shape)
    for number, out in enumerate(groups):
        result[out] = scores[:, number, out].T
    return result


@dataclass(frozen=True, slots=True)
class _Curvature:
    """Second derivatives of losses by scores."""

    counts: np.ndarray
    """Weights, shape (1, P, N), or second derivatives of outputs that do not depend on one another, (K, P, N)."""
    chances: np.ndarray | None
    """Chances of classes, shape (K, P, N); None where outputs do not depend on one another."""

    def __call__(self, change: np.ndarray) -> np.ndarray:
        """From a change of the scores to that of the slopes, both of shape (K, P, N)."""
        if self.chances is None:
            bent: np.ndarray = self.counts * change
            return bent
        weighted: np.ndarray = self.chances * change
        weighted -= self.chances * weighted.sum(axis=0)
        weighted *= self.counts
        return weighted

    def part(self, which: np.ndarray) -> "_Curvature":
        """Those of some problems, shape (P,), bool."""
        return _Curvature(self.counts[:, which], None if self.chances is None else self.chances[:, which])


@dataclass(frozen=True, slots=True)
class _Loss:
    """A smooth loss."""

    slopes: Callable[[np.ndarray, np.ndarray, np.ndarray], Slopes]
    """From scores (K, P, N), targets (K, 1, N), and weights (1 or K, P, N)."""
    curvature: Callable[[np.ndarray, np.ndarray], _Curvature]
    """From scores and weights."""


def _multinomial(scores: np.ndarray, shares: np.ndarray, counts: np.ndarray) -> Slopes:
    """Multinomial logistic loss with shares of classes, which sum to 1."""
    highest = scores.max(axis=0)
    chances = np.exp(scores - highest)
    total = chances.sum(axis=0)
    surprise = np.log(total) + highest - (shares * scores).sum(axis=0)
    chances /= total
    chances -= shares
    chances *= counts
    return (counts[0] * surprise).sum(axis=1), chances


def _binary(scores: np.ndarray, signs: np.ndarray, counts: np.ndarray) -> Slopes:
    """Logistic loss of each output with signs 1 and -1."""
    margins = signs * scores
    return -(counts * log_expit(margins)).sum(axis=(0, 2)), -counts * signs * expit(-margins)


_LOSSES: Mapping[str, _Loss] = {
    "logistic": _Loss(_multinomial, lambda scores, counts: _Curvature(counts, softmax(scores, axis=0))),
    "binary": _Loss(_binary, lambda scores, counts: _Curvature(counts * expit(scores) * expit(-scores), None)),
}
"""Smooth losses by name."""


@dataclass(frozen=True, slots=True)
class _Points:
    """Points of the search, of some problems."""

    weights: np.ndarray
    """Shape (K, P, R)."""
    scores: np.ndarray
    """Shape (K, P, N)."""
    values: np.ndarray
    """Sums of loss and penalty, shape (P,)."""
    slopes: np.ndarray
    """Slopes of the losses by the scores, shape (K, P, N)."""

    def part(self, which: np.ndarray) -> "_Points":
        """Those of some problems, shape (P,), bool."""
        return _Points(self.weights[:, which], self.scores[:, which], self.values[which], self.slopes[:, which])


@dataclass(frozen=True, slots=True)
class _Together:
    """P problems that differ in the weights of examples; 0 leaves an example out."""

    space: ByFeatures | ByExamples
    targets: np.ndarray
    """Shape (K, 1, N)."""
    counts: np.ndarray
    """Weights of examples, shape (1, P, N), or of each of their outputs, (K, P, N)."""
    penalty: float
    """The squared weights count half of it."""
    loss: _Loss

    @classmethod
    def of(cls, problem: Problem, present: np.ndarray) -> "_Together":
        """Problems of the examples that are present, shape (P, N), 1 or 0."""
        supervision = problem.supervision
        counts = supervision.weights.T.reshape(-1, 1, len(supervision.weights)) * present
        targets = np.ascontiguousarray(supervision.targets.T)[:, None]
        return cls(problem.space, targets, counts, problem.penalty, _LOSSES[supervision.loss])

    def part(self, which: np.ndarray) -> "_Together":
        """Some of the problems, shape (P,), bool."""
        return _Together(self.space, self.targets, self.counts[:, which], self.penalty, self.loss)

    def solved(self, weights: np.ndarray, scores: np.ndarray, tolerance: float) -> tuple[np.ndarray, np.ndarray]:
        """The best weights (K, P, R), and their scores (K, P, N), from first ones; `tolerance` is as for `smooth`.

        Each step is halved until it descends enough.
        """
        found, found_scores = weights.copy(), scores.copy()
        unfinished, stage = np.arange(weights.shape[1]), np.zeros(weights.shape[1], dtype=np.int64)
        problems, now = self, self._at(weights, scores)
        for _ in range(STEPS):
            then, moved, shares = problems.next_points(now, np.asarray(LEFTS)[stage])
            descended = ~(then.values >= now.values)  # or it is as far down as rounding lets it
            found[:, unfinished[descended]] = then.weights[:, descended]
            found_scores[:, unfinished[descended]] = then.scores[:, descended]
            reached = np.abs(then.scores).max(axis=(0, 2))
            short = (shares == 1) & (np.abs(moved).max(axis=(0, 2)) < tolerance * np.minimum(1.0, reached))
            kept = descended & ~(short & (stage == len(LEFTS) - 1))
            if not kept.any():
                break
            stage = (stage + short)[kept]
            now = then
            if not kept.all():
                unfinished, problems, now = unfinished[kept], problems.part(kept), then.part(kept)
        return found, found_scores

    def next_points(self, now: _Points, left: np.ndarray) -> tuple[_Points, np.ndarray, np.ndarray]:
        """Points after a step, the change of the scores (K, P, N) of a whole step, and the fraction (P,) that is taken.

        `left` are the fractions (P,) of the gradient that conjugate gradients leave.
        """
        gradient = self._pulled(now.slopes) + self.penalty * now.weights
        change, moved = self._step(now, gradient, left)
        descent, shares = self._products(change, moved, gradient), np.ones(len(left))
        then = self._at(now.weights + change, now.scores + moved)
        while ((steep := then.values > now.values + 1e-4 * shares * descent) & (shares > SHORTEST)).any():
            shares = np.where(steep & (shares > SHORTEST), shares / 2, shares)
            taken = shares[:, None]
            then = self._at(now.weights + taken * change, now.scores + taken * moved)
        return then, moved, shares

    def _step(self, now: _Points, gradient: np.ndarray, left: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Newton's steps by conjugate gradients: changes of the weights (K, P, R), and of the scores (K, P, N)."""
        curvature, active = self.loss.curvature(now.scores, self.counts), np.arange(len(left))
        change, moved = np.zeros_like(gradient), np.zeros_like(now.scores)
        rest, of_rest = -gradient, self._scores(-gradient)
        size = self._products(rest, of_rest, rest)
        enough, direction, of_direction = left**2 * size, rest, of_rest
        going = size > enough
        for _ in range(CONJUGATE_STEPS):
            if not going.any():
                break
            if not going.all():
                active, size, enough, curvature = active[going], size[going], enough[going], curvature.part(going)
                rest, direction, of_direction = rest[:, going], direction[:, going], of_direction[:, going]
            curved = self._pulled(curvature(of_direction)) + self.penalty * direction
            bent = self._products(direction, of_direction, curved)
            going = bent > 0  # of equal examples rounding errors are left
            reach = np.where(going, size / np.where(going, bent, 1.0), 0.0)[:, None]
            change[:, active] += reach * direction
            moved[:, active] += reach * of_direction
            rest = rest - reach * curved
            of_rest = self._scores(rest)
            before, size = size, self._products(rest, of_rest, rest)
            share = (size / before)[:, None]
            direction, of_direction = rest + share * direction, of_rest + share * of_direction
            going = going & (size > enough)
        return change, moved

    def _at(self, weights: np.ndarray, scores: np.ndarray) -> _Points:
        """The points of weights (K, P, R) and their scores (K, P, N)."""
        losses, slopes = self.loss.slopes(scores, self.targets, self.counts)
        sizes = self._products(weights, scores, weights)
        return _Points(weights, scores, losses + self.penalty / 2 * sizes, slopes)

    def _scores(self, weights: np.ndarray) -> np.ndarray:
        """Scores (K, P, N) of all examples, from weights (K, P, R)."""
        return self.space.scores(weights.reshape(-1, weights.shape[2])).T.reshape(*weights.shape[:2], -1)

    def _pulled(self, slopes: np.ndarray) -> np.ndarray:
        """Gradients (K, P, R) by the weights, from slopes (K, P, N) by the scores."""
        return self.space.pulled(slopes.reshape(-1, slopes.shape[2]).T).reshape(*slopes.shape[:2], -1)

    def _products(self, weights: np.ndarray, scores: np.ndarray, others: np.ndarray) -> np.ndarray:
        """Products (P,) of the maps of two weights (K, P, R), of which the first have scores (K, P, N)."""
        first = scores if isinstance(self.space, ByExamples) else weights
        products: np.ndarray = np.einsum("kpr,kpr->p", first, others)
        return products
