"""A comparison in parts: by output of the task, such as a class, and by speaker."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from ..metrics import Metric
from ..resampling import Estimate, part_differences
from ..tracking import Predictions
from .compare import Comparison

__all__ = ["ComparedOutput", "ComparedSpeaker", "compared_outputs", "compared_speakers"]


@dataclass(frozen=True, slots=True)
class ComparedOutput:
    """A class, or another output of the task, by two results."""

    name: str
    values: tuple[float, float]
    """Values by A and by B, such as recalls; of several seeds their means."""
    difference: Estimate
    """The value of A minus that of B, with its interval over speakers."""


@dataclass(frozen=True, slots=True)
class ComparedSpeaker:
    """A speaker, by two results."""

    name: str
    utterances: int
    scores: tuple[float, float]
    """The objective's values by A and by B; of several seeds their means; NaN where undefined."""

    @property
    def difference(self) -> float:
        """The score of A minus that of B."""
        return self.scores[0] - self.scores[1]


def compared_outputs(comparison: Comparison) -> tuple[Metric | None, Sequence[ComparedOutput]]:
    """The first metric that has a value for every output, and these values; None and none where no metric has."""
    metric = next((metric for metric in comparison.metrics if metric.parts is not None), None)
    if metric is None or metric.parts is None:
        return None, []
    ours, theirs = comparison.predictions
    first = ours[0]
    a, b = ([seed.predicted for seed in side] for side in comparison.predictions)
    found = part_differences(first.truth, a, b, first.speaker_numbers, metric, len(first.names))
    of_a, of_b = (
        np.mean([metric.parts(seed.sums(metric).sum(axis=0)) for seed in seeds], axis=0) for seeds in (ours, theirs)
    )
    return metric, [
        ComparedOutput(first.names[output], (float(of_a[output]), float(of_b[output])), difference)
        for output, difference in found.items()
    ]


def compared_speakers(comparison: Comparison) -> list[ComparedSpeaker]:
    """Every speaker, those first whose scores by A and B differ most; speakers without a score last."""
    metric, (ours, theirs) = comparison.protocol.objective, comparison.predictions
    names, counts = np.unique(ours[0].speakers, return_counts=True)
    of_a, of_b = (_scores(metric, seeds) for seeds in (ours, theirs))
    rows = [
        ComparedSpeaker(str(name), int(count), (float(a), float(b)))
        for name, count, a, b in zip(names, counts, of_a, of_b, strict=True)
    ]
    return sorted(rows, key=lambda row: (np.isnan(row.difference), -abs(row.difference), row.name))


def _scores(metric: Metric, seeds: Sequence[Predictions]) -> np.ndarray:
    """The score of every speaker, shape (S,); of several seeds their means."""
    scores: np.ndarray = np.mean([metric.value(seed.sums(metric)) for seed in seeds], axis=0)
    return scores
