"""How an epoch went, and which epoch's network a fold keeps."""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from ..errors import NonFiniteLossError
from ..resampling.old import uar, wa

__all__ = ["Contest", "EpochReport", "judged"]

SMOOTHED_EPOCHS = 3
"""Epochs whose UAR is averaged: an epoch and the two before it, because of those after it the weights are not kept."""


@dataclass(frozen=True, slots=True)
class EpochReport:
    """How one epoch went; validation figures are utterance level, and absent where nothing validates."""

    epoch: int
    """Counted from 1."""
    train_loss: float
    learning_rate: float
    """At the epoch's end."""
    seconds: float
    validation_loss: float = math.nan
    """Mean negative log probability of the true class."""
    validation_uar: float = math.nan
    validation_wa: float = math.nan
    kept_uar: float = math.nan
    """Validation UAR of the epoch that the fold would keep if this were its last, which is what pruning goes by."""


def judged(report: EpochReport, scores: np.ndarray, truth: np.ndarray) -> EpochReport:
    """The report with validation figures.

    Args:
        report: Of the training.
        scores: Log probabilities of the validation utterances, shape (V, K).
        truth: Their classes, shape (V,).

    Raises:
        NonFiniteLossError: The validation loss is not finite.
    """
    loss = -float(scores[np.arange(len(truth)), truth].mean())
    if not math.isfinite(loss):
        raise NonFiniteLossError(f"the validation loss of epoch {report.epoch} is {loss}")
    predicted = scores.argmax(axis=1)
    return replace(
        report, validation_loss=loss, validation_uar=uar(truth, predicted), validation_wa=wa(truth, predicted)
    )


class Contest:
    """Which epoch a fold keeps, as its epochs end."""

    def __init__(self, selection: str) -> None:
        """Start without an epoch.

        Args:
            selection: As `training.selection`.
        """
        self._selection = selection
        self._competing: list[EpochReport] = []
        self._best = (False, -math.inf, -math.inf)
        self._best_epoch = 0
        self.kept: EpochReport | None = None
        """The epoch whose network the fold keeps if it ends now."""

    def enter(self, report: EpochReport, *, competes: bool = True) -> bool:
        """Let an epoch compete.

        Args:
            report: How it went.
            competes: Where it does not, it is better than those before it that do not, and worse than all that do.

        Returns:
            Whether it is now the epoch to keep.
        """
        if competes:
            self._competing.append(report)
        first, second = _rank(self._competing, self._selection) if competes else (float(report.epoch), 0.0)
        if better := (competes, first, second) > self._best:
            self._best, self._best_epoch = (competes, first, second), report.epoch
        if better or self._selection == "last":
            self.kept = report
        return self.kept is report

    def epochs_without_better(self, epoch: int) -> int:
        """How many epochs ago the best one was."""
        return epoch - self._best_epoch


def _rank(reports: Sequence[EpochReport], selection: str) -> tuple[float, float]:
    """How good the last of some epochs is: of two, the better has the larger rank."""
    last = reports[-1]
    if math.isnan(last.validation_uar):  # nobody validates: the later, the better
        return (0.0, float(last.epoch))
    if selection == "best_validation_loss":
        return (-last.validation_loss, last.validation_uar)
    window = reports[-SMOOTHED_EPOCHS:] if selection == "smoothed_validation_score" else [last]
    mean_uar = sum(one.validation_uar for one in window) / len(window)
    mean_loss = sum(one.validation_loss for one in window) / len(window)
    return (mean_uar, -mean_loss)
