"""Adaptation of a network to speakers by sets of their utterances, without labels."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from ..features import Moments, Scaling, Weighed
from ..tasks import TASKS, Task
from .prototypes import Prototypes, scaled_means
from .recipe import Recipe
from .segments import SegmentReader, UtteranceFeatures, segment_outputs
from .speaker_sets import SpeakerSets

if TYPE_CHECKING:
    from torch import nn

__all__ = ["AdaptedNetwork", "Evidence"]

STEPS = 20
"""Steps of expectation maximisation, after which class frequencies change by less than a thousandth."""
LEAST = 1e-6
"""The least frequency of a class in training, by which others are divided."""


@dataclass(frozen=True, slots=True)
class Evidence:
    """Statistics of a speaker, which hold no single utterance."""

    statistics: Weighed
    """Mean and variance of the features."""
    residual: np.ndarray | None = None
    """Mean distance of the features from the prototypes of their classes, as a network scales them, shape (C, F)."""
    counts: np.ndarray | None = None
    """Utterances of each class by a network's corrected probabilities, shape (K,)."""


@dataclass(frozen=True, slots=True)
class AdaptedNetwork:
    """A network, and facts of its training that adaptation to another speaker takes."""

    recipe: Recipe
    network: "nn.Module"
    scaling: Scaling | None
    """The training speakers'; None where normalisation by speaker weighs nothing against the speaker's."""
    prototypes: Prototypes | None
    """None where the adaptation takes none."""

    @property
    def task(self) -> Task:
        """The network's task."""
        return TASKS.get(self.recipe.task)

    def outputs(
        self, utterances: UtteranceFeatures, which: np.ndarray, sets: SpeakerSets, before: Evidence | None = None
    ) -> tuple[np.ndarray, SegmentReader, Evidence]:
        """Run the network on utterances, adapted to each by its set.

        Args:
            utterances: Features of all utterances.
            which: Numbers of those to judge, shape (R,).
            sets: Of these.
            before: What was heard earlier of the speaker of every set.

        Returns:
            The task's outputs of segments (S, K), the reader with their plan, and what is now known of the speaker of
            the first set.
        """
        kind, moments = self.recipe.adaptation.kind, utterances.moments
        residual = counts = None
        if kind == "prototypes":
            residuals = self._residuals(utterances, sets, before)
            reader = self._reader(utterances, which, [self._shifted(*found) for found in residuals], sets.number)
            outputs, residual = segment_outputs(self.network, reader, self.task), residuals[0][0]
        elif kind == "prior":
            found = self._class_counts(utterances, sets, before)
            reader = self._reader(utterances, which, self._trained, np.zeros_like(sets.number))
            ratios = np.stack([self._ratio(counted) for counted in found])[sets.number[which][reader.plan.utterance]]
            corrected = segment_outputs(self.network, reader, self.task) + np.log(ratios)
            outputs = (corrected - np.logaddexp.reduce(corrected, axis=1, keepdims=True)).astype(np.float32)
            counts = found[0]
        else:
            scalings = [self._blended(moments, own, before) for own in sets.members]
            reader = self._reader(utterances, which, scalings, sets.number)
            outputs = segment_outputs(self.network, reader, self.task)
        statistics = moments.weighed(sets.members[0])
        statistics = statistics if before is None else before.statistics.joined(statistics)
        return outputs, reader, Evidence(statistics, residual, counts)

    def _reader(
        self, utterances: UtteranceFeatures, which: np.ndarray, scalings: Sequence[Scaling], number: np.ndarray
    ) -> SegmentReader:
        return self.recipe.reader(utterances, which, (scalings, number), overlap=False)

    @property
    def _trained(self) -> list[Scaling]:
        """The training speakers' scaling."""
        assert self.scaling is not None
        return [self.scaling]

    @property
    def _weight(self) -> "float | np.ndarray":
        """Utterances that the training counts for, of all features or of each, shape (C, F)."""
        ratios = None if self.prototypes is None else self.prototypes.ratios
        return self.recipe.adaptation.weight * (1.0 if ratios is None else ratios.astype(np.float64))

    def _blended(self, moments: Moments, own: np.ndarray, before: Evidence | None) -> Scaling:
        """The scaling by a set's speaker, weighed against the training speakers."""
        known = None if self.scaling is None else Weighed.of(self.scaling, self._weight)
        if before is not None:
            known = before.statistics if known is None else known.joined(before.statistics)
        return moments.scaling(own, self.recipe.normalisation, known)

    def _classes(self, utterances: UtteranceFeatures, which: np.ndarray) -> np.ndarray:
        """Probabilities of the classes of utterances (R, K) by the network without adaptation."""
        reader = self._reader(utterances, which, self._trained, np.zeros(len(utterances.moments.count), np.int64))
        outputs = segment_outputs(self.network, reader, self.task)
        combined = self.task.aggregate(outputs, reader.plan.utterance, self.recipe.aggregation)
        return self.task.show(combined).astype(np.float64)

    def _residuals(
        self, utterances: UtteranceFeatures, sets: SpeakerSets, before: Evidence | None
    ) -> list[tuple[np.ndarray, float]]:
        """The mean distance (C, F) of each set's speaker from the classes' prototypes, and of how many utterances."""
        assert self.prototypes is not None
        heard = np.unique(np.concatenate(sets.members))
        away = scaled_means(utterances.moments, heard, self._trained[0])
        away -= np.tensordot(self._classes(utterances, heard), self.prototypes.means, axes=1)
        found = []
        for own in sets.members:
            total, count = away[np.searchsorted(heard, own)].sum(axis=0), float(len(own))
            if before is not None and before.residual is not None:
                earlier = float(before.statistics.utterances)
                total, count = total + earlier * before.residual, count + earlier
            found.append((total / count, count))
        return found

    def _shifted(self, residual: np.ndarray, count: float) -> Scaling:
        """The training speakers' scaling, shifted towards a speaker."""
        (trained,) = self._trained
        share = count / (count + self._weight)
        return Scaling((trained.shift + share * residual * trained.spread).astype(np.float32), trained.spread)

    def _class_counts(
        self, utterances: UtteranceFeatures, sets: SpeakerSets, before: Evidence | None
    ) -> list[np.ndarray]:
        """Utterances of each class (K,) that each set's speaker has, by probabilities that their own ratio corrects."""
        heard = np.unique(np.concatenate(sets.members))
        classes, found = self._classes(utterances, heard), []
        earlier = np.zeros(classes.shape[1]) if before is None or before.counts is None else before.counts
        for own in sets.members:
            counts, of_set = earlier, classes[np.searchsorted(heard, own)]
            for _ in range(STEPS):
                corrected = of_set * self._ratio(counts)
                counts = (corrected / corrected.sum(axis=1, keepdims=True)).sum(axis=0) + earlier
            found.append(counts)
        return found

    def _ratio(self, counts: np.ndarray) -> np.ndarray:
        """The frequencies of classes by counts (K,) and by the weight of the training, divided by the training's."""
        assert self.prototypes is not None
        trained, weight = np.maximum(self.prototypes.shares.astype(np.float64), LEAST), self.recipe.adaptation.weight
        shares = (counts + weight * trained) / max(counts.sum() + weight * trained.sum(), LEAST)
        ratio: np.ndarray = np.maximum(shares if counts.sum() + weight else trained, LEAST) / trained
        return ratio
