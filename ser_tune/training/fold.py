"""What every way to train a fold's network is given, and what it returns."""

from dataclasses import dataclass

import numpy as np
from torch import nn

from ..prediction import SegmentReader, segment_outputs
from ..tasks import TASKS, Goal, Task
from .epochs import EpochReport
from .statistics import AnyTrial, FoldStatistics, TrainingData

__all__ = ["FoldTraining", "Learned"]


@dataclass(frozen=True, slots=True)
class FoldTraining:
    """A network, and what it learns from."""

    config: AnyTrial
    data: TrainingData
    train: np.ndarray
    """Numbers of the training utterances, shape (R,)."""
    network: nn.Module
    """On the device of training; training changes its weights."""
    reader: SegmentReader
    """Training segments, those of the copies after the clean ones."""
    held_out: SegmentReader | None
    """Segments of the validation utterances; None where nobody validates."""
    truth: np.ndarray
    """Values of the validation utterances, shape (V, ...)."""
    statistics: FoldStatistics
    seed: int
    """Of every random number."""
    goal: Goal
    """What is trained for."""

    @property
    def task(self) -> Task:
        """What is recognised."""
        return TASKS.get(self.goal.task)

    @property
    def names(self) -> tuple[str, ...]:
        """The name of each of the network's outputs."""
        return self.data.targets.names

    @property
    def utterances(self) -> np.ndarray:
        """Number of the utterance that each training segment is of, shape (S,); a copy has its clean utterance's."""
        numbers: np.ndarray = self.train[self.reader.plan.utterance % len(self.train)]
        return numbers

    @property
    def clean_segments(self) -> int:
        """How many training segments are of clean speech; they are the first."""
        return int(self.statistics.stratum_counts.sum())

    @property
    def values(self) -> np.ndarray:
        """Value of each training segment's utterance, shape (S, ...)."""
        values: np.ndarray = self.data.targets.values[self.utterances]
        return values

    @property
    def strata(self) -> np.ndarray:
        """Stratum of each training segment, shape (S,)."""
        strata: np.ndarray = self.data.targets.strata[self.utterances]
        return strata

    def held_out_outputs(self, network: nn.Module) -> np.ndarray:
        """Outputs of the validation utterances, shape (V, K); (0, K) where nobody validates."""
        if self.held_out is None:
            return np.empty((0, len(self.names)))
        outputs = segment_outputs(network, self.held_out, self.task)
        return self.task.aggregate(outputs, self.held_out.plan.utterance, self.goal.aggregation)


@dataclass(frozen=True, slots=True)
class Learned:
    """How a training went."""

    epoch: int
    """The epoch whose weights were kept, counted from 1."""
    history: tuple[EpochReport, ...]
    validation: np.ndarray
    """Outputs of the validation utterances at that epoch, shape (V, K)."""
