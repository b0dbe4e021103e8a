"""`none`: every trial runs to the end."""

from collections.abc import Sequence

from optuna import Trial
from optuna.trial import FrozenTrial

from ...config import SearchSettings
from .base import Pruner, Unpruned

__all__ = ["PRUNER"]


def judge(settings: SearchSettings, trials: Sequence[FrozenTrial], folds: int, trial: Trial) -> Unpruned:
    """Make the judge of a trial."""
    return Unpruned(folds)


PRUNER = Pruner(name="none", judge=judge, citation="none")
