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
    """The searched trials of the study, itself among them."""
    folds: int
    """Number of its folds, unless it is given up."""
    metric: Metric
    """The metric of its scores."""
    settings: SearchSettings
    """The study's."""


@dataclass(frozen=True, slots=True)
class Pruner:
    """Decides when a trial is given up; every module of this room defines a `PRUNER`."""

    name: str
    judge: "Callable[[JudgedTrial], Judge]"
    """Makes the judge of a trial. Before it is asked after a fold, Optuna is told the mean of the folds so far."""
    citation: str


class Unpruned:
    """The judge of a trial that runs to the end, its folds in the order of their numbers."""

    def __init__(self, folds: int) -> None:
        """Take all folds, of this number."""
        self.order: Sequence[int] = range(folds)

    def after_epoch(self, position: int, report: "EpochReport") -> str:
        """Go on."""
        return ""

    def after_fold(self, position: int, score: float) -> str:
        """Go on."""
        return ""
