"""Comparison of scores: the only module that reads a metric's direction, and defines a missing score."""

import math
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from itertools import accumulate
from typing import Any, Literal, TypeVar

import numpy as np

from .base import Metric

__all__ = ["Ranking", "score_in"]

T = TypeVar("T")


def score_in(values: Mapping[str, float], name: str) -> float | None:
    """The score of this name; None where it is missing, or not a number.

    >>> score_in({"validation_ccc": -0.02}, "validation_ccc"), score_in({}, "validation_ccc")
    (-0.02, None)
    """
    value = values.get(name)
    return None if Ranking.is_missing(value) else value


@dataclass(frozen=True, slots=True)
class Ranking:
    """Compares the scores of one metric; a missing score, None or NaN, is worse than any other."""

    metric: Metric

    def key(self, value: float | None) -> float:
        """A number that is higher where the score is better: minus infinity where it is missing.

        >>> Ranking(Metric("error", "error", "", None, None, higher_is_better=False)).key(0.3)
        -0.3
        """
        if value is None or math.isnan(value):
            return -math.inf
        return float(value) if self.metric.higher_is_better else -float(value)

    def keys(self, values: np.ndarray) -> np.ndarray:
        """The keys of many scores, of any shape; NaN is a missing score."""
        return np.where(np.isnan(values), -np.inf, values if self.metric.higher_is_better else -values)

    @staticmethod
    def is_missing(value: float | None) -> bool:
        """Whether there is no score; 0 and negative numbers are scores.

        >>> [Ranking.is_missing(value) for value in (None, math.nan, 0.0, -0.02)]
        [True, True, False, False]
        """
        return value is None or math.isnan(value)

    def gain(self, value: float, other: float) -> float:
        """The difference by which the first score is better than the second; negative where it is worse."""
        return value - other if self.metric.higher_is_better else other - value

    def is_better(self, value: float | None, other: float | None) -> bool:
        """Whether the first score is better than the second."""
        return self.key(value) > self.key(other)

    def worse(self, value: float, other: float) -> float:
        """The worse of two scores, such as of the ends of an interval; NaN where either is missing."""
        return other if self.is_better(value, other) else value

    def best_first(
        self, items: Iterable[T], score: Callable[[T], float | None], then: Callable[[T], Any] = lambda _: 0
    ) -> list[T]:
        """Sort items, the best score first.

        Args:
            items: In any order, which equal items keep.
            score: Of an item.
            then: Sorts items of equal scores, the least first.
        """
        return sorted(items, key=lambda item: (-self.key(score(item)), then(item)))

    def best(
        self, items: Iterable[T], score: Callable[[T], float | None], then: Callable[[T], Any] = lambda _: 0
    ) -> T | None:
        """The item with the best score, the first of `best_first`; None where there are no items."""
        return next(iter(self.best_first(items, score, then)), None)

    def best_so_far(self, values: Iterable[float]) -> list[float]:
        """The best of each value and those before it.

        >>> from ser_tune.metrics import METRICS
        >>> Ranking(METRICS.get("uar")).best_so_far([0.4, 0.6, 0.5])
        [0.4, 0.6, 0.6]
        """

        def better(best: float, value: float) -> float:
            return value if self.is_better(value, best) else best

        return list(accumulate(values, better))

    @property
    def worse_end(self) -> Literal["low", "high"]:
        """The worse end of a score's interval."""
        return "low" if self.metric.higher_is_better else "high"

    @property
    def direction(self) -> Literal["maximize", "minimize"]:
        """The direction in Optuna's words."""
        return "maximize" if self.metric.higher_is_better else "minimize"
