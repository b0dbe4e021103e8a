"""Evaluating a registered version on any corpus: scores by group, calibration, and what was left out."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from ..errors import ConfigError
from ..metrics import (
    Coverage,
    Metric,
    Reliability,
    accuracy_by_coverage,
    fit_temperature,
    reliability,
    with_temperature,
)
from ..protocol import Protocol
from ..resampling import UNKNOWN, Gap, GroupScore, Interval, largest_gap, part_intervals, score_groups
from ..tracking import Predictions, Workspace, protocol_of, read_predictions
from .examine import Examined
from .judges import OwnFolds

__all__ = ["Evaluation", "score_judged"]

CALIBRATION_NOTE = "the temperature was fitted on validation predictions of single fold networks"


@dataclass(frozen=True, slots=True)
class Evaluation:
    """Scores of a version on a corpus. Classes are the mapping's shared ones; the task decides among these."""

    examined: Examined
    truth: np.ndarray
    """Numbers of shared classes, shape (N,)."""
    predicted: np.ndarray
    """Numbers of shared classes, shape (N,)."""
    probabilities: np.ndarray
    """Of the shared classes, rows sum to 1, shape (N, K); with the temperature where there is one."""
    overall: GroupScore
    parts: Mapping[str, Mapping[str, tuple[float, Interval]]]
    """What a metric's values of single classes are called, such as `recall`, to those of every class that occurs."""
    groups: Mapping[str, Sequence[GroupScore]]
    """`speaker`, `gender` where it is known, `duration`, and what was asked for."""
    gaps: Mapping[str, Gap]
    """The largest of the objective, by the same names."""
    reliability: Reliability
    temperature: float | None
    """Fitted on the version's validation predictions; None where that was not asked for."""
    coverage: Sequence[Coverage]
    protocol: Protocol

    @property
    def metrics(self) -> tuple[Metric, ...]:
        """What was computed; the first is the objective."""
        return self.examined.metrics

    @property
    def objective(self) -> Metric:
        """The model's."""
        return self.metrics[0]


def score_judged(
    workspace: Workspace,
    examined: Examined,
    outputs: np.ndarray,
    *,
    groups: Mapping[str, Sequence[str]],
    calibrate: bool = False,
) -> Evaluation:
    """Score what the judge of an evaluation returned.

    Args:
        workspace: The project's stores.
        examined: Version and corpus.
        outputs: Of the model, shape (N, K).
        groups: What `groups_of` returned for its utterances.
        calibrate: Whether to fit a temperature on the version's validation predictions.

    Raises:
        ConfigError: The version has no validation predictions of the shared classes.
    """
    task, metrics, mapping = examined.task, examined.metrics, examined.mapping
    truth = task.read([mapping.targets[one] for one in examined.texts], mapping.shared)
    speakers = np.unique([one.speaker for one in examined.utterances], return_inverse=True)[1]
    shared = outputs[:, examined.columns]
    temperature, facts = None, {}
    if calibrate:
        temperature = _temperature(workspace, examined, mapping.shared)
        facts["temperature"] = f"{temperature:.4f}"
        same = " of the same speakers, so the calibration error is optimistic"
        note = CALIBRATION_NOTE + (same if isinstance(examined.judge, OwnFolds) else "")
        examined = replace(examined, notes=[*examined.notes, note])
    probabilities = with_temperature(shared, temperature or 1.0)
    predicted, size = task.decide(shared), len(mapping.shared)
    return Evaluation(
        examined=examined,
        truth=truth,
        predicted=predicted,
        probabilities=probabilities,
        overall=score_groups(truth, predicted, speakers, ["all"] * len(truth), metrics, size)[0],
        parts=_parts(metrics, mapping.shared, truth, predicted, speakers),
        groups={
            name: score_groups(truth, predicted, speakers, values, metrics, size) for name, values in groups.items()
        },
        gaps={
            name: gap
            for name, values in groups.items()
            if (gap := largest_gap(truth, predicted, speakers, values, metrics[0], size)) is not None
        },
        reliability=reliability(probabilities, truth, predicted=predicted),
        temperature=temperature,
        coverage=accuracy_by_coverage(probabilities, truth, predicted=predicted),
        protocol=_protocol(examined, facts),
    )


def _parts(
    metrics: Sequence[Metric], names: Sequence[str], truth: np.ndarray, predicted: np.ndarray, speakers: np.ndarray
) -> dict[str, dict[str, tuple[float, Interval]]]:
    """The values of every class that has one; where metrics call theirs alike, those of the first."""
    found: dict[str, dict[str, tuple[float, Interval]]] = {}
    together = np.zeros(len(truth), dtype=np.int64)
    for metric in metrics:
        if metric.parts is None or metric.part in found:
            continue
        values = metric.parts(metric.sums(truth, predicted, together, 1, len(names))[0])
        intervals = part_intervals(truth, predicted, speakers, metric, len(names))
        found[metric.part] = {
            name: (float(value), intervals.get(number, UNKNOWN))
            for number, (name, value) in enumerate(zip(names, values, strict=True))
            if not np.isnan(value)
        }
    return found


def _temperature(workspace: Workspace, examined: Examined, shared: Sequence[str]) -> float:
    """Fitted on validation utterances of the shared classes, over these classes."""
    found: Predictions | None = read_predictions(workspace, examined.run, "validation")
    if found is None:
        raise ConfigError(f"--calibrate: {examined.model} has no validation predictions")
    numbers = [found.names.index(one) for one in shared]
    own = np.isin(found.truth, numbers)
    if not own.any():
        raise ConfigError(f"--calibrate: {examined.model} has no validation predictions of {', '.join(shared)}")
    said = np.log(np.maximum(found.shown[own][:, numbers], 1e-6))  # six decimals are stored
    return fit_temperature(said, np.array([numbers.index(one) for one in found.truth[own]]))


def _protocol(examined: Examined, facts: Mapping[str, str]) -> Protocol:
    corpus, mapping, trained = examined.judge.corpus, examined.mapping, protocol_of(examined.run)
    return Protocol(
        facts={
            "score": f"pooled {examined.metrics[0].title} of a registered version, utterance level, "
            f"{examined.task.decision} over the shared classes",
            "corpus": corpus.name,
            "corpus_digest": corpus.digest,
            **trained.elsewhere(mapping.shared),
            "mapping": mapping.renamed,
            f"left_out_{examined.task.answers}": mapping.left_out,
            "unused_classes": mapping.unused,
            "judged_by": examined.judge.description,
            "normalisation_scope": examined.facts["normalisation_scope"],
            "trained_under": examined.facts["fingerprint"],
            "utterances": str(len(examined.judge.numbers)),
            **facts,
        }
    )
