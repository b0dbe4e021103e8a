"""The Pareto front of a study with several objectives: complete searched trials that no other dominates.

A trial dominates another that it is no worse than in any objective, and better than in at least one. Trials of a
confirmation are left out: they repeat configurations on other seeds.

The hypervolume is the share of the objectives' box that the front dominates (E. Zitzler, L. Thiele: Multiobjective
Evolutionary Algorithms, IEEE Transactions on Evolutionary Computation 3(4), 1999), 0 to 1. The box of each objective
reaches from the reference point to the ideal one. The ideal is the best possible value, such as UAR 1 and size 0. The
reference is the worst possible value, such as UAR 0; where that is infinite, it lies a tenth of the way from the ideal
beyond the worst value of the complete searched trials (as H. Ishibuchi et al. advise: How to Specify a Reference Point
in Hypervolume Calculation for Fair Performance Comparison, Evolutionary Computation 26(3), 2018).
"""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from ..coordination import best_trials, complete_trials, hypervolume, searched_trials
from ..metrics import Metric, Ranking

if TYPE_CHECKING:
    from optuna.trial import FrozenTrial

__all__ = ["BEYOND", "Front", "FrontTrial", "candidates_first", "front_of", "is_on_front"]

BEYOND = 0.1
"""Share of an open range, from the ideal value to the worst one found, by which the reference point lies beyond it."""


@dataclass(frozen=True, slots=True)
class FrontTrial:
    """A trial of a front."""

    number: int
    values: tuple[float, ...]
    """By the study's objectives, in their order."""


@dataclass(frozen=True, slots=True)
class Front:
    """The Pareto front of a study."""

    measures: tuple[Metric, ...]
    """Name, title, direction and range of each objective; the first is the primary one."""
    trials: tuple[FrontTrial, ...]
    """By the primary objective, the best first; of equal ones the earlier."""
    searched: int
    """Complete searched trials, which the front is of."""
    hypervolume: float
    """Share of the objectives' box, from the reference point to the ideal point, that the front dominates."""
    reference: tuple[float, ...]
    """The reference point, by objective."""

    @property
    def names(self) -> tuple[str, ...]:
        """The names of the objectives."""
        return tuple(measure.name for measure in self.measures)

    @property
    def sentence(self) -> str:
        """Size and hypervolume of the front, in words."""
        point = ", ".join(
            f"{measure.name} {value:.4g}" for measure, value in zip(self.measures, self.reference, strict=True)
        )
        return (
            f"Pareto front: {len(self.trials)} of {self.searched} complete trials, hypervolume {self.hypervolume:.4f} "
            f"(reference point {point})"
        )

    def best_by(self, name: str) -> FrontTrial:
        """The trial of the front that is best by an objective; of equal ones the first, which is best by the primary.

        Args:
            name: One of `names`.
        """
        place = self.names.index(name)
        best = Ranking(self.measures[place]).best(self.trials, lambda trial: trial.values[place])
        assert best is not None
        return best


def is_on_front(keys: np.ndarray) -> np.ndarray:
    """Whether each point is dominated by no other point, shape (T,); equal points do not dominate each other.

    Args:
        keys: Values that are higher where they are better, shape (T, J); a point with a missing value, NaN, is on no
            front and dominates nothing.

    >>> is_on_front(np.array([[0.9, -5.0], [0.8, -2.0], [0.8, -3.0], [0.8, -2.0], [1.0, np.nan]])).tolist()
    [True, True, False, True, False]
    """
    found, front = np.full(len(keys), False), np.empty((0, keys.shape[1]))
    known = np.flatnonzero(~np.isnan(keys).any(axis=1))
    # In this order a point is dominated, if at all, by an earlier one, and then by one of the front
    for number in known[np.lexsort(-keys[known].T[::-1])]:
        point = keys[number]
        if not ((front >= point).all(axis=1) & (front > point).any(axis=1)).any():
            found[number], front = True, np.vstack([front, point])
    return found


def front_of(trials: "Iterable[FrozenTrial]", measures: Sequence[Metric]) -> Front | None:
    """The front of a study's trials; None with one objective, and where no searched trial is complete."""
    complete = _rankable(trials, measures)
    if len(measures) < 2 or not complete:
        return None
    values = np.array([trial.values for trial in complete])
    keys = np.column_stack([Ranking(measure).keys(column) for measure, column in zip(measures, values.T, strict=True)])
    chosen = [trial for trial, is_best in zip(complete, is_on_front(keys), strict=True) if is_best]
    boxes = [_box(measure, column) for measure, column in zip(measures, values.T, strict=True)]
    points = [[_place(value, *box) for value, box in zip(trial.values, boxes, strict=True)] for trial in chosen]
    return Front(
        measures=tuple(measures),
        trials=tuple(
            FrontTrial(trial.number, tuple(map(float, trial.values))) for trial in best_trials(chosen, measures[0])
        ),
        searched=len(complete),
        hypervolume=hypervolume(np.array(points)),
        reference=tuple(worst for worst, _ in boxes),
    )


def candidates_first(trials: "Iterable[FrozenTrial]", measures: Sequence[Metric]) -> "list[FrozenTrial]":
    """Complete searched trials, those of the front before all others, each part the best by the primary first."""
    best_first = best_trials(searched_trials(complete_trials(trials)), measures[0])
    front = front_of(best_first, measures)
    first = set() if front is None else {trial.number for trial in front.trials}
    return sorted(best_first, key=lambda trial: trial.number not in first)


def _rankable(trials: "Iterable[FrozenTrial]", measures: Sequence[Metric]) -> "list[FrozenTrial]":
    """Complete searched trials with a value by each objective."""
    complete = searched_trials(complete_trials(trials))
    return [trial for trial in complete if not any(map(Ranking.is_missing, trial.values[: len(measures)]))]


def _box(measure: Metric, values: np.ndarray) -> tuple[float, float]:
    """Reference and ideal value of an objective with these values, shape (T,)."""
    ranking = Ranking(measure)
    worst, ideal = (measure.low, measure.high) if measure.higher_is_better else (measure.high, measure.low)
    ordered = ranking.best_first(values[np.isfinite(values)].tolist(), lambda value: value) or [0.0]
    if not math.isfinite(ideal):
        ideal = ordered[0]
    if not math.isfinite(worst):
        worst = ordered[-1] + BEYOND * (ordered[-1] - ideal)
    return worst, ideal


def _place(value: float, worst: float, ideal: float) -> float:
    """The place of a value in its box, 0 at the reference and 1 at the ideal."""
    if worst == ideal:
        return 1.0
    return min(max((value - worst) / (ideal - worst), 0.0), 1.0) if math.isfinite(value) else 0.0
