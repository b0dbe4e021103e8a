"""Reports of epochs, and the choice of the epoch whose network a fold keeps."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from ..errors import NonFiniteLossError
from ..metrics import Metric, Ranking
from ..tasks import TASKS, Goal

__all__ = ["Contest", "EpochReport", "judged"]

SMOOTHED_EPOCHS = 3
"""Epochs whose score is averaged: an epoch and the two before it, because of those after it no weights are kept."""


@dataclass(frozen=True, slots=True)
class EpochReport:
    """Losses and scores of an epoch; validation scores are of utterances, and NaN without validation speakers."""

    epoch: int
    """Counted from 1."""
    train_loss: float
    learning_rate: float
    """At the epoch's end."""
    seconds: float
    validation_loss: float = math.nan
    """As the task computes it; of classification, the mean negative log probability of the true class."""
    validation: Mapping[str, float] = field(default_factory=dict)
    """Validation scores by the metric's name, in the order of the goal's metrics: the first is the objective's."""
    kept: float = math.nan
    """Validation score by the objective of the epoch that the fold would keep if this were its last, which is what
    pruning goes by."""

    @property
    def score(self) -> float:
        """Validation score by the objective; NaN without validation speakers, or if it is not defined."""
        return next(iter(self.validation.values()), math.nan)

    @property
    def curves(self) -> dict[str, float]:
        """The learning curves' values, by the names that MLflow has behind the fold's."""
        return {
            "train_loss": self.train_loss,
            "validation_loss": self.validation_loss,
            **{f"validation_{name}": score for name, score in self.validation.items()},
            "learning_rate": self.learning_rate,
            "seconds": self.seconds,
        }


def judged(
    report: EpochReport, outputs: np.ndarray, truth: np.ndarray, goal: Goal, *, thresholds: np.ndarray | None = None
) -> EpochReport:
    """The report with validation figures.

    Args:
        report: Of the training.
        outputs: The task's outputs of the validation utterances, shape (V, K).
        truth: Their values, shape (V, ...).
        goal: The task and the metrics.
        thresholds: Of decisions, shape (K,), which scores are of and the loss is not; None where the task has none.

    Raises:
        NonFiniteLossError: The validation loss is not finite.
    """
    task = TASKS.get(goal.task)
    loss = task.error(outputs, truth)
    if not math.isfinite(loss):
        raise NonFiniteLossError(f"the validation loss of epoch {report.epoch} is {loss}")
    decided = outputs if thresholds is None else outputs - thresholds
    predicted, n_outputs = task.decide(decided), outputs.shape[1]
    scores = {name: task.metric(name).score(truth, predicted, n_outputs) for name in goal.metrics}
    return replace(report, validation_loss=loss, validation=scores)


class Contest:
    """The choice of the epoch that a fold keeps, as its epochs end."""

    def __init__(self, selection: str, objective: Metric) -> None:
        """Start without an epoch; `selection` is as `training.selection`, `objective` the metric of the scores."""
        self._selection, self._ranking = selection, Ranking(objective)
        self._competing: list[EpochReport] = []
        self._best = (False, -math.inf, -math.inf)
        self._best_epoch = 0
        self.kept: EpochReport
        """The epoch whose network the fold keeps if it ends now; missing before the first."""

    def enter(self, report: EpochReport, *, competes: bool = True) -> bool:
        """Let an epoch compete; returns whether it is now the epoch to keep.

        An epoch that does not compete is better than those before it that do not, and worse than all that do.
        """
        if competes:
            self._competing.append(report)
        rank = _rank(self._competing, self._selection, self._ranking) if competes else (float(report.epoch), 0.0)
        if better := (competes, *rank) > self._best:
            self._best, self._best_epoch = (competes, *rank), report.epoch
        if better or self._selection == "last":
            self.kept = report
        return self.kept is report

    def epochs_without_better(self, epoch: int) -> int:
        """Epochs since the best."""
        return epoch - self._best_epoch


def _rank(reports: Sequence[EpochReport], selection: str, ranking: Ranking) -> tuple[float, float]:
    """The rank of the last of some epochs; larger is better."""
    last = reports[-1]
    if math.isnan(last.validation_loss):  # no validation speakers: keep the last epoch
        return (0.0, float(last.epoch))
    if selection == "best_validation_loss":
        return (-last.validation_loss, ranking.key(last.score))
    window = reports[-SMOOTHED_EPOCHS:] if selection == "smoothed_validation_score" else [last]
    mean_score = sum(report.score for report in window) / len(window)  # NaN where the score of an epoch is missing
    mean_loss = sum(report.validation_loss for report in window) / len(window)
    return (ranking.key(mean_score), -mean_loss)
