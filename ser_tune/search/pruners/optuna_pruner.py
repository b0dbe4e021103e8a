"""Any pruner class of Optuna, by its name."""

from collections.abc import Iterable, Sequence

from optuna import Trial, pruners
from optuna.pruners import BasePruner

from ...coordination import as_uninterrupted, trial_as_stored
from ...errors import ConfigError
from ...training import EpochReport
from ..optuna_classes import class_named, names_of, object_of
from .base import JudgedTrial, Pruner

__all__ = ["OptunaJudge", "names", "pruner_of"]

SINGLE_SCORES = {"WilcoxonPruner"}
"""Pruners that test the scores of single folds; the intermediate values of a trial are means."""


def names() -> Iterable[str]:
    """Names of Optuna's pruner classes whose objects need no arguments."""
    able = []
    for name in names_of(pruners, BasePruner):
        try:
            pruner_of(name)
        except ConfigError:
            continue
        able.append(name)
    return able


def pruner_of(name: str) -> Pruner | None:
    """The component that uses one of Optuna's pruner classes; None if there is no such class.

    Args:
        name: Of the class, such as `MedianPruner`.

    Raises:
        ConfigError: Its objects need arguments, or scores of single folds.
    """
    if (cls := class_named(name, pruners, BasePruner)) is None:
        return None
    if name in SINGLE_SCORES:
        raise ConfigError(
            f"pruner '{name}' of Optuna tests the scores of single folds, and Optuna is told the mean of the folds so "
            "far; choose racing, which compares fold by fold"
        )
    pruner: BasePruner = object_of("pruner", cls, {})

    def judge(judged: JudgedTrial) -> OptunaJudge:
        return OptunaJudge(pruner, judged.trial, judged.folds)

    return Pruner(name=name, judge=judge, citation="T. Akiba et al.: Optuna, KDD 2019, arXiv 1907.10902")


class OptunaJudge:
    """A judge that calls Optuna's pruner with the mean of the finished folds; folds run in the order of their numbers.

    Optuna's pruners compare a trial with all others of the study that are as far as it is.
    """

    def __init__(self, pruner: BasePruner, trial: Trial, folds: int) -> None:
        """Judge a trial with this number of folds.

        Raises:
            ConfigError: Its study has several objectives.
        """
        if len(trial.study.directions) > 1:
            raise ConfigError(
                f"{type(pruner).__name__} of Optuna decides by a single objective; expected study.pruner racing or none"
            )
        self._pruner, self._trial = pruner, trial
        self.order: Sequence[int] = range(folds)

    def after_epoch(self, position: int, report: EpochReport) -> str:
        """Go on: Optuna has a value for each fold."""
        return ""

    def after_fold(self, position: int, score: float) -> str:
        """Return a reason if Optuna's pruner prunes the trial."""
        so_far = trial_as_stored(self._trial)
        if not self._pruner.prune(*as_uninterrupted(self._trial.study, so_far)):
            return ""
        folds = len(so_far.intermediate_values)
        return f"{type(self._pruner).__name__}: hopeless by the mean of {folds} fold{'s' * (folds > 1)}"
