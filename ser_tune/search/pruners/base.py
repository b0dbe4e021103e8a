"""The object every pruner defines, and the judge of a trial that is never given up."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ...config import SearchSettings
from ...metrics import Metric

if TYPE_CHECKING:
    from optuna import Trial
    from optuna.trial import FrozenTrial

    from ...training import EpochReport
    from ..trial import Judge

__all__ = ["JudgedTrial", "Pruner", "Unpruned"]


@dataclass(frozen=True, slots=True)
class JudgedTrial:
    """A trial that starts, with the basis of its judge's decisions."""

    trial: "Trial"
    earlier: "Sequence[FrozenTrial]"
    """The searched trials of the study, itself among them; with several objectives those that are no worse than it in
    all but the primary one."""
    folds: int
    """Number of its folds if it is not pruned."""
    metric: Metric
    """The metric of its scores; with several objectives the primary one."""
    settings: SearchSettings
    """The study's."""


@dataclass(frozen=True, slots=True)
class Pruner:
    """A rule that stops poor trials early; a module of a built-in pruner defines it as `PRUNER`."""

    name: str
    judge: "Callable[[JudgedTrial], Judge]"
    """Returns the judge of a trial. After each fold Optuna first receives the mean of the folds so far."""
    citation: str


class Unpruned:
    """A judge that never stops the trial; folds run in the order of their numbers."""

    def __init__(self, folds: int) -> None:
        """Take all folds, of this number."""
        self.order: Sequence[int] = range(folds)

    def after_epoch(self, position: int, report: "EpochReport") -> str:
        """Go on."""
        return ""

    def after_fold(self, position: int, score: float) -> str:
        """Go on."""
        return ""
