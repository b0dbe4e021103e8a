"""Linear maps with an L2 penalty, solved: ridge in closed form, squared hinge and logistic by Newton's method.

Biases are weights of a feature that is always 1, penalised as all are, as in LIBLINEAR (Fan et al. 2008, JMLR 9): with
free biases the validation speakers of EmoDB were recognised slightly worse.
"""

from collections.abc import Callable, Mapping, Sequence

import numpy as np

from . import newton
from .hinge import left_out_squared_hinge, squared_hinge
from .newton import LOSSES, Fit, Objective
from .problem import Problem
from .ridge import left_out_ridge, ridge

__all__ = ["groups_of", "left_out", "solved"]

PARTS = 5
"""Groups of training speakers of which one after another is left out to calibrate probabilities."""
EXACT = 1e-3
"""Tolerance of scores, against those of the best weights, which separate classes at scores around 1 and -1."""
SMOOTH: Mapping[str, Callable[[Objective, Fit, float], Fit]] = {"logistic": newton.logistic, "binary": newton.binary}
"""Newton's method by the name of a smooth loss."""


def solved(problem: Problem) -> Fit:
    """The fit with the best weights."""
    if problem.supervision.loss == "ridge":
        weights = ridge(problem)
        return Fit(weights, problem.space.scores(weights))
    if problem.supervision.loss == "squared_hinge":
        return squared_hinge(problem, EXACT)
    objective = _objective(problem, problem.supervision.weights)
    return SMOOTH[problem.supervision.loss](objective, objective.start(), EXACT)


def left_out(problem: Problem, full: Fit, speakers: np.ndarray) -> np.ndarray:
    """Scores (N, K) of each example by the weights that are solved without its speaker and some others.

    Args:
        problem: The problem of all examples.
        full: Its solution, where the search for the others starts.
        speakers: The numbers of the examples' speakers, shape (N,).
    """
    group = groups_of(speakers)
    return _left_out(problem, full, [np.flatnonzero(group == number) for number in np.unique(group)])


def groups_of(speakers: np.ndarray) -> np.ndarray:
    """The number of each example's group, shape (N,), from those of speakers, (N,): groups are left out in turn."""
    present, group = np.unique(speakers, return_inverse=True)
    if len(present) == 1:  # parts of the only speaker are left out
        group = np.arange(len(speakers))
    groups: np.ndarray = group % PARTS
    return groups


def _left_out(problem: Problem, full: Fit, groups: Sequence[np.ndarray]) -> np.ndarray:
    """Scores (N, K) of each example by the weights that are solved without its group; all keep their weights.

    `groups` are the numbers of the examples of each.
    """
    supervision, space = problem.supervision, problem.space
    if supervision.loss == "ridge":
        return left_out_ridge(problem, groups)
    if supervision.loss == "squared_hinge":
        return left_out_squared_hinge(problem, full, groups, EXACT)
    scores = np.zeros(supervision.targets.shape)
    for out in groups:
        weights = supervision.weights.copy()
        weights[out] = 0
        start = Fit(*space.without(out, full.weights, full.scores))
        scores[out] = SMOOTH[supervision.loss](_objective(problem, weights), start, EXACT).scores[out]
    return scores


def _objective(problem: Problem, weights: np.ndarray) -> Objective:
    """The minimised function, where examples have other weights, (N,) or (N, K)."""
    supervision = problem.supervision
    return Objective(problem.space, supervision.targets, weights, problem.penalty, LOSSES[supervision.loss])
