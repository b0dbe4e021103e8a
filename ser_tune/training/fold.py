"""`FoldTraining`: the network and data while a fold is trained; `FittedNetwork`: the result."""

import math
from dataclasses import dataclass, replace

import numpy as np
from torch import nn

from ..architectures.networks import set_threshold
from ..features import Scaling
from ..prediction import (
    AdaptedNetwork,
    Draw,
    Prototypes,
    Recipe,
    SegmentReader,
    SpeakerSets,
    segment_outputs,
    speaker_ratios,
)
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
    prototypes: Prototypes | None = None
    """The classes of the training utterances; None where no adaptation takes them."""


@dataclass(frozen=True, slots=True)
class FoldTraining:
    """A network, and the data that it is trained on."""

    config: AnyTrial
    recipe: Recipe
    data: TrainingData
    train: np.ndarray
    """Indices of the training utterances, shape (R,)."""
    validation: np.ndarray
    """Indices of the validation utterances, shape (V,)."""
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
    changed: SegmentReader | None = None
    """Segments of clean speech, then of perturbed copies, between which a solver changes no score; None for others."""
    unlabelled: SegmentReader | None = None
    """Segments of unlabelled speech of the target; None where there is none."""

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
        segments = self._validation_outputs(network, self.held_out)
        outputs = self.task.aggregate(segments, self.held_out.plan.utterance, self.goal.aggregation)
        if self.task.thresholds is None:
            return judged(report, outputs, self.truth, self.goal), outputs
        thresholds = self.task.thresholds(outputs, self.truth).astype(outputs.dtype)
        set_threshold(network, thresholds)
        return judged(report, outputs, self.truth, self.goal, thresholds=thresholds), outputs - thresholds

    def _validation_outputs(self, network: nn.Module, reader: SegmentReader) -> np.ndarray:
        """Outputs (S, K) of the segments of the validation utterances, adapted to their speakers where it is asked."""
        if not self.recipe.adapts:
            return segment_outputs(network, reader, self.task)
        adapted = AdaptedNetwork(self.recipe, network, self.statistics.train_scaling, self.prototypes)
        sets = SpeakerSets.of(self.data.speakers, self.validation, Draw(self.recipe.adaptation.heard))
        outputs, _, _ = adapted.outputs(self.data.features, self.validation, sets)
        return outputs

    @property
    def prototypes(self) -> Prototypes | None:
        """The classes of the training utterances; None where no adaptation takes them."""
        adaptation, moments = self.recipe.adaptation, self.data.features.moments
        if not adaptation.needs_classes and not adaptation.needs_ratios:
            return None
        classes = np.ones((len(self.train), 1))  # statistics take all utterances for a class
        if adaptation.needs_classes:
            classes = self.task.encoded(self.data.targets.values[self.train], len(self.data.targets.names))
        scaling = (self.statistics.scalings, self.statistics.scaling_number)
        found, trained = Prototypes.of(moments, self.train, classes, scaling), self.statistics.train_scaling
        if trained is None or not adaptation.needs_ratios:
            return found
        ratios = speaker_ratios(moments, self.train, classes, found.means, trained, self.data.speakers)
        return replace(found, ratios=ratios)

    def fitted(self, epoch: int, history: tuple[EpochReport, ...], validation: np.ndarray) -> FittedNetwork:
        """Move the network to the CPU and return it with its results; arguments are fields of `FittedNetwork`."""
        network = self.network.cpu().eval()
        return FittedNetwork(network, self.statistics.train_scaling, epoch, history, validation, self.prototypes)
