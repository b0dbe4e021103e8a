"""`FoldTraining`: the network and data while a fold is trained; `FittedNetwork`: the result."""

import math
from dataclasses import dataclass, replace

import numpy as np
from torch import nn

from ..architectures.networks import set_threshold
from ..features import Scaling
from ..prediction import SegmentReader, segment_outputs
from ..tasks import TASKS, Goal, Task
from .balance import example_weights
from .epochs import EpochReport, judged
from .statistics import AnyTrial, FoldStatistics, TrainingData

__all__ = ["FittedNetwork", "FoldTraining"]


@dataclass(frozen=True, slots=True)
class FittedNetwork:
    """A trained network, and its validation results."""

    network: nn.Module
    """On the CPU, in evaluation mode."""
    scaling: Scaling | None
    epoch: int
    """The epoch whose weights were kept, counted from 1."""
    history: tuple[EpochReport, ...]
    validation: np.ndarray
    """The task's outputs of the validation utterances at that epoch, shape (V, K)."""


@dataclass(frozen=True, slots=True)
class FoldTraining:
    """A network, and the data that it is trained on."""

    config: AnyTrial
    data: TrainingData
    train: np.ndarray
    """Indices of the training utterances, shape (R,)."""
    network: nn.Module
    """On the training device; training changes its weights in place."""
    reader: SegmentReader
    """Training segments: first of clean speech, then of augmented copies."""
    held_out: SegmentReader | None
    """Segments of the validation utterances; None without validation speakers."""
    truth: np.ndarray
    """Values of the validation utterances, shape (V, ...)."""
    statistics: FoldStatistics
    seed: int
    """Seed of all random numbers."""
    goal: Goal

    @property
    def task(self) -> Task:
        """The task of the network, such as classification."""
        return TASKS.get(self.goal.task)

    @property
    def clean_segments(self) -> int:
        """Number of training segments of clean speech, which precede those of copies."""
        return int(self.statistics.stratum_counts.sum())

    def of_segments(self, utterances: np.ndarray) -> np.ndarray:
        """Expand values of utterances (U, ...) to their training segments (S, ...), including segments of copies."""
        segments: np.ndarray = utterances[self.train[self.reader.plan.utterance % len(self.train)]]
        return segments

    @property
    def weights(self) -> np.ndarray | None:
        """Weights of training segments, shape (S,), with mean 1, by `balance`; None where all are 1."""
        corpora = self.data.corpora
        return example_weights(
            self.config.balance,
            corpora=None if corpora is None else self.of_segments(corpora),
            strata=self.of_segments(self.data.targets.strata),
            speakers=self.of_segments(self.data.speakers),
        )

    def judged(self, report: EpochReport, network: nn.Module) -> tuple[EpochReport, np.ndarray]:
        """Score a network on the validation utterances.

        Returns:
            The report with validation scores, NaN without validation speakers; and the outputs, shape (V, K).

        Raises:
            NonFiniteLossError: The validation loss is not finite.
        """
        if self.held_out is None:
            unknown = dict.fromkeys(self.goal.metrics, math.nan)
            return replace(report, validation=unknown), np.empty((0, len(self.data.targets.names)))
        if self.task.thresholds is not None:
            set_threshold(network, np.zeros(len(self.data.targets.names)))
        segments = segment_outputs(network, self.held_out, self.task)
        outputs = self.task.aggregate(segments, self.held_out.plan.utterance, self.goal.aggregation)
        if self.task.thresholds is None:
            return judged(report, outputs, self.truth, self.goal), outputs
        thresholds = self.task.thresholds(outputs, self.truth).astype(outputs.dtype)
        set_threshold(network, thresholds)
        return judged(report, outputs, self.truth, self.goal, thresholds=thresholds), outputs - thresholds

    def fitted(self, epoch: int, history: tuple[EpochReport, ...], validation: np.ndarray) -> FittedNetwork:
        """Move the network to the CPU and return it with its results; arguments are fields of `FittedNetwork`."""
        return FittedNetwork(self.network.cpu().eval(), self.statistics.train_scaling, epoch, history, validation)
