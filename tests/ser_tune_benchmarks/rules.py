"""Pruning rules, as the benchmark `search` simulates them on recorded curves."""

import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Protocol

import numpy as np
from scipy.stats import wilcoxon

from ser_tune.config import SearchSettings
from ser_tune.search.pruners.racing import Race

__all__ = ["RULES", "Halving", "Judge", "Racing", "Rule", "Today", "Unpruned", "running_scores"]

Judge = Callable[[np.ndarray], int | None]
"""From a trial's curves, shape (F, E), to the epochs after which it is given up, over all folds; None: never."""


class Rule(Protocol):
    """When trials are given up."""

    def judge(self, complete: np.ndarray, values: np.ndarray, finished: int) -> Judge | None:
        """What judges the next trial.

        Args:
            complete: Curves of the complete trials, in their order, shape (M, F, E).
            values: Their pooled UARs, shape (M,).
            finished: All trials so far.

        Returns:
            None where the next trial runs to its end whatever happens.
        """


@dataclass(frozen=True)
class Unpruned:
    """Every trial runs to its end."""

    def judge(self, complete: np.ndarray, values: np.ndarray, finished: int) -> Judge | None:
        """Nobody."""
        return None


@dataclass(frozen=True)
class Today:
    """Version 0.1: Wilcoxon's test against the best trial between folds, the median rule between epochs."""

    p: float = 0.1
    median_trials: int = 5
    warmup_folds: int = 1
    _known: dict[bytes, bool] = field(default_factory=dict)

    def judge(self, complete: np.ndarray, values: np.ndarray, finished: int) -> Judge | None:
        """Both rules."""
        if not len(complete):
            return None
        best = complete[int(np.argmax(values)), :, -1]
        running = running_scores(complete)
        medians = (
            np.median(running, axis=0) if len(complete) >= self.median_trials else np.full(running.shape[1:], -1.0)
        )

        def judged(curves: np.ndarray) -> int | None:
            below = running_scores(curves[None])[0] < medians
            below[: self.warmup_folds] = False
            folds, epochs = map(int, curves.shape)
            for fold in range(folds):
                if below[fold].any():
                    return fold * epochs + int(below[fold].argmax()) + 1
                if 0 < fold < folds - 1 and self.is_worse(curves[: fold + 1, -1], best):
                    return (fold + 1) * epochs
            return None

        return judged

    def is_worse(self, ends: np.ndarray, best: np.ndarray) -> bool:
        """Whether Optuna's WilcoxonPruner gives a trial up, from its folds so far and all of the best trial's."""
        if best.mean() <= ends.mean():
            return False
        key = (ends - best[: len(ends)]).tobytes()
        if key not in self._known:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                test = wilcoxon(ends - best[: len(ends)], alternative="less", zero_method="zsplit")
            self._known[key] = bool(test.pvalue < self.p)
        return self._known[key]


@dataclass(frozen=True)
class Halving:
    """Asynchronous successive halving over folds (Li et al. 2020, arXiv 1810.05934): the best of a rung go on."""

    rungs: tuple[int, ...] = (1, 3)
    factor: float = 3
    _scores: dict[int, list[float]] = field(default_factory=dict)

    def judge(self, complete: np.ndarray, values: np.ndarray, finished: int) -> Judge | None:
        """Every trial at every rung."""
        if not finished:
            self._scores.clear()

        def judged(curves: np.ndarray) -> int | None:
            for rung in self.rungs:
                score = float(curves[:rung, -1].mean())
                seen = self._scores.setdefault(rung, [])
                seen.append(score)
                if sum(one > score for one in seen) >= max(1, len(seen) / self.factor):
                    return rung * int(curves.shape[1])
            return None

        return judged


@dataclass(frozen=True)
class Racing:
    """The product's race, `study.pruner: racing`."""

    settings: SearchSettings = field(default_factory=SearchSettings)
    in_order: bool = False
    """Folds by number instead of by what they tell."""
    between_epochs: bool = True

    def judge(self, complete: np.ndarray, values: np.ndarray, finished: int) -> Judge | None:
        """A race, where the next trial has to run one."""
        if len(complete) < max(2, self.settings.race_after, self.settings.complete_share * (finished + 1)):
            return None
        best_first = complete[np.argsort(-values, kind="stable")]

        def judged(curves: np.ndarray) -> int | None:
            race = Race(best_first, error=self.settings.race_error)
            folds, epochs = map(int, curves.shape)
            order = range(folds) if self.in_order else race.order
            for place, fold in enumerate(order):
                ends = curves[fold].tolist()
                for epoch in range(1, epochs):
                    if self.between_epochs and race.epoch_ended(fold, epoch, ends[epoch - 1]):
                        return place * epochs + epoch
                if race.fold_ended(fold, ends[-1]) and place < folds - 1:
                    return (place + 1) * epochs
            return None

        return judged


def running_scores(curves: np.ndarray) -> np.ndarray:
    """Mean UAR of the finished folds and of the current epoch, of curves (M, F, E)."""
    before = np.cumsum(curves[:, :, -1], axis=1) - curves[:, :, -1]
    folds = np.arange(1, curves.shape[1] + 1)
    scores: np.ndarray = (before[:, :, None] + curves) / folds[:, None]
    return scores


RULES: Sequence[tuple[str, Rule]] = (
    ("no pruning", Unpruned()),
    ("Wilcoxon and median", Today()),
    ("successive halving", Halving()),
    ("racing", Racing()),
)
