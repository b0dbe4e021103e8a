"""Linear maps with an L2 penalty, solved: ridge in closed form, squared hinge and logistic by Newton's method.

Biases are weights of a feature that is always 1, penalised as all are, as in LIBLINEAR (Fan et al. 2008, JMLR 9): with
free biases the validation speakers of EmoDB were recognised slightly worse.
"""

import numpy as np

from .hinge import left_out_squared_hinge, squared_hinge
from .newton import Fit
from .problem import Problem
from .ridge import left_out_ridge, ridge
from .smooth import left_out_smooth, smooth

__all__ = ["groups_of", "left_out", "solved"]

PARTS = 5
"""Groups of training speakers of which one after another is left out to calibrate probabilities."""
EXACT = 1e-3
"""Tolerance of scores, against those of the best weights, which separate classes at scores around 1 and -1."""


def solved(problem: Problem) -> Fit:
    """The fit with the best weights."""
    if problem.supervision.loss == "ridge":
        weights = ridge(problem)
        return Fit(weights, problem.space.scores(weights))
    if problem.supervision.loss == "squared_hinge":
        return squared_hinge(problem, EXACT)
    return smooth(problem, EXACT)


def left_out(problem: Problem, full: Fit, speakers: np.ndarray) -> np.ndarray:
    """Scores (N, K) of each example by the weights that are solved without its speaker and some others.

    The other examples keep their weights.

    Args:
        problem: The problem of all examples.
        full: Its solution, where the search for the others starts.
        speakers: The numbers of the examples' speakers, shape (N,).
    """
    group = groups_of(speakers)
    groups = [np.flatnonzero(group == number) for number in np.unique(group)]
    if problem.supervision.loss == "ridge":
        return left_out_ridge(problem, groups)
    if problem.supervision.loss == "squared_hinge":
        return left_out_squared_hinge(problem, full, groups, EXACT)
    return left_out_smooth(problem, full, groups, EXACT)


def groups_of(speakers: np.ndarray) -> np.ndarray:
    """The number of each example's group, shape (N,), from those of speakers, (N,): groups are left out in turn."""
    present, group = np.unique(speakers, return_inverse=True)
    if len(present) == 1:  # parts of the only speaker are left out
        group = np.arange(len(speakers))
    groups: np.ndarray = group % PARTS
    return groups
