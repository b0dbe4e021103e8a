"""The object every pruner defines, and the judge of a trial that is never given up."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ...config import SearchSettings

if TYPE_CHECKING:
    from optuna import Trial
    from optuna.trial import FrozenTrial

    from ...training import EpochReport
    from ..trial import Judge

__all__ = ["Pruner", "Unpruned"]


@dataclass(frozen=True, slots=True)
class Pruner:
    """When a trial is given up; every module of this room defines one as `PRUNER`."""

    name: str
    judge: "Callable[[SearchSettings, Sequence[FrozenTrial], int, Trial], Judge]"
    """From the study's search settings, the searched trials so far, the number of folds and the trial that starts to
    the trial's judge. Optuna has the mean of the trial's folds so far, as its intermediate values, before the judge is
    asked after a fold."""
    citation: str


class Unpruned:
    """The judge of a trial that runs to the end, its folds in the order of their numbers."""

    def __init__(self, folds: int) -> None:
        """Take all folds.

        Args:
            folds: Number of folds.
        """
        self.order: Sequence[int] = range(folds)

    def after_epoch(self, position: int, report: "EpochReport") -> str:
        """Go on."""
        return ""

    def after_fold(self, position: int, score: float) -> str:
        """Go on."""
        return ""
