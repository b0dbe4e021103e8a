"""What every way to train a fold's network is given, and what it returns."""

from dataclasses import dataclass

import numpy as np
from torch import nn

from ..prediction import SegmentReader, aggregate, segment_log_probabilities
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
    """Classes of the validation utterances, shape (V,)."""
    statistics: FoldStatistics
    seed: int
    """Of every random number."""
    aggregation: str
    """How segments are combined."""

    @property
    def utterances(self) -> np.ndarray:
        """Number of the utterance that each training segment is of, shape (S,); a copy has its clean utterance's."""
        numbers: np.ndarray = self.train[self.reader.plan.utterance % len(self.train)]
        return numbers

    @property
    def classes(self) -> np.ndarray:
        """Class of each training segment, shape (S,)."""
        labels: np.ndarray = self.data.labels[self.utterances]
        return labels

    def held_out_scores(self, network: nn.Module) -> np.ndarray:
        """Log probabilities of the validation utterances, shape (V, K); (0, K) where nobody validates."""
        if self.held_out is None:
            return np.empty((0, len(self.data.emotions)))
        scores = segment_log_probabilities(network, self.held_out)
        return aggregate(scores, self.held_out.plan.utterance, self.aggregation)


@dataclass(frozen=True, slots=True)
class Learned:
    """How a training went."""

    epoch: int
    """The epoch whose weights were kept, counted from 1."""
    history: tuple[EpochReport, ...]
    validation: np.ndarray
    """Log probabilities of the validation utterances at that epoch, shape (V, K)."""
