"""Evaluating a registered version on any corpus: scores by group, calibration, and what was left out."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from ..audio import length_s
from ..audit import Crowd, model_against_crowd
from ..corpora import Annotation, Utterance, group_names, grouped_by
from ..errors import ConfigError
from ..metrics import Coverage, Metric, Reliability, fit_temperature
from ..protocol import Protocol
from ..resampling import UNKNOWN, Gap, GroupScore, Interval, largest_gap, part_intervals, score_groups
from ..tracking import Workspace, protocol_of, read_predictions
from .answer_kinds import Calibration
from .evaluation_setup import EvaluationSetup

__all__ = ["Evaluation", "groups_of", "protocol_of_evaluation", "score_evaluation", "temperature_of"]

CALIBRATION_NOTE = "the temperature was fitted on validation predictions of single fold networks"


@dataclass(frozen=True, slots=True)
class Evaluation:
    """Scores of a version on a corpus. Outputs are the mapping's shared ones; the task decides among these."""

    setup: EvaluationSetup
    truth: np.ndarray
    """Targets over the shared outputs, such as numbers of shared classes, shape (N, ...)."""
    predicted: np.ndarray
    """Predictions, shape (N, ...)."""
    calibration: Calibration
    overall: GroupScore
    parts: Mapping[str, Mapping[str, tuple[float, Interval]]]
    """Name of a metric's values of outputs, such as `recall`, to the value of every output that has one."""
    groups: Mapping[str, Sequence[GroupScore]]
    """`speaker`, `gender` where it is known, `duration`, and the kinds that the user names."""
    gaps: Mapping[str, Gap]
    """The largest gap of the objective for each kind of group."""
    temperature: float | None
    """Fitted on the version's validation predictions; None without calibration."""
    protocol: Protocol
    crowd: Crowd | None = None
    """The predictions against the judgements of annotators; None where these are not known."""

    @property
    def shown(self) -> np.ndarray:
        """Shown numbers of the shared outputs, such as probabilities, with the temperature if any, shape (N, K)."""
        return self.calibration.shown

    @property
    def reliability(self) -> Reliability | None:
        """Accuracy by confidence; None where predictions have no confidence."""
        return self.calibration.reliability

    @property
    def coverage(self) -> Sequence[Coverage]:
        """Accuracy of the most confident utterances; empty where predictions have no confidence."""
        return self.calibration.coverage

    @property
    def metrics(self) -> tuple[Metric, ...]:
        """The first is the objective."""
        return self.setup.metrics

    @property
    def compared(self) -> int:
        """The number of outputs that scores are of: classes of the truth, or all that model and corpus share."""
        return self.overall.strata if self.setup.kind.has_classes else len(self.setup.shared)

    @property
    def objective(self) -> Metric:
        """The model's objective."""
        return self.metrics[0]


def score_evaluation(
    setup: EvaluationSetup,
    outputs: np.ndarray,
    *,
    groups: Mapping[str, Sequence[str]],
    temperature: float | None = None,
) -> Evaluation:
    """Score the outputs of the networks of an evaluation.

    Args:
        setup: Version and corpus.
        outputs: Of `setup.networks`, shape (N, K).
        groups: As `groups_of` returns them for the utterances.
        temperature: As `temperature_of` returns it; None is no calibration.
    """
    metrics, names, truth = setup.metrics, setup.shared, setup.matched.truth
    speakers = np.unique([utterance.speaker for utterance in setup.utterances], return_inverse=True)[1]
    shared = setup.over_shared(outputs)
    if temperature is not None:
        same = " of the same speakers, so the calibration error is optimistic" if setup.of_own_folds else ""
        setup = replace(setup, notes=[*setup.notes, CALIBRATION_NOTE + same])
    predicted, size = setup.task.decide(shared), len(names)

    def grouped(values: Sequence[str]) -> Sequence[GroupScore]:
        return score_groups(truth, predicted, speakers, values, metrics, size)

    gaps = {kind: largest_gap(truth, predicted, speakers, values, metrics[0], size) for kind, values in groups.items()}
    calibration = setup.kind.calibrate(setup.task, shared, truth, predicted, temperature or 1.0)
    return Evaluation(
        setup=setup,
        truth=truth,
        predicted=predicted,
        calibration=calibration,
        overall=grouped(["all"] * len(truth))[0],
        parts=_parts(metrics, names, truth, predicted, speakers),
        groups={kind: grouped(values) for kind, values in groups.items()},
        gaps={kind: gap for kind, gap in gaps.items() if gap is not None},
        temperature=temperature,
        protocol=protocol_of_evaluation(setup, temperature),
        crowd=_crowd(setup, calibration.shown, speakers),
    )


def _crowd(setup: EvaluationSetup, shown: np.ndarray, speakers: np.ndarray) -> Crowd | None:
    """Compare predictions with votes in the model's words; with ratings, on the corpus that trained it alone.

    The ratings of another corpus may be on another scale.
    """
    targets, own = setup.mapping.targets, setup.of_own_folds or setup.version is None
    annotations = []
    for utterance in setup.utterances:
        votes: Counter[str] = Counter()
        for name, count in utterance.annotation.votes:
            votes[targets.get(name, name)] += count
        known = utterance.annotation if own else Annotation()
        annotations.append(replace(known, votes=tuple(sorted(votes.items()))))
    return model_against_crowd(setup.task.encoding, setup.shared, shown, speakers, annotations)


def _parts(
    metrics: Sequence[Metric], names: Sequence[str], truth: np.ndarray, predicted: np.ndarray, speakers: np.ndarray
) -> dict[str, dict[str, tuple[float, Interval]]]:
    """The values of every output that has one; of metrics whose values have the same name, those of the first."""
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


def temperature_of(workspace: Workspace, setup: EvaluationSetup) -> float:
    """Fit a temperature on the version's validation utterances of the shared classes, over these classes.

    Raises:
        ConfigError: The version has no validation predictions of the shared classes, or does not predict classes.
    """
    if not setup.kind.has_classes:
        raise ConfigError(
            f"--calibrate fits a temperature of the probabilities of classes, and {setup.model} predicts "
            f"{setup.task.title}; leave it out"
        )
    shared = setup.shared
    found = read_predictions(workspace, setup.run, "validation")
    if found is None:
        raise ConfigError(f"--calibrate: {setup.model} has no validation predictions")
    numbers = [found.names.index(label) for label in shared]
    own = np.isin(found.truth, numbers)
    if not own.any():
        raise ConfigError(f"--calibrate: {setup.model} has no validation predictions of {', '.join(shared)}")
    logits = np.log(np.maximum(found.shown[own][:, numbers], 1e-6))  # six decimals are stored
    return fit_temperature(logits, np.array([numbers.index(label) for label in found.truth[own]]))


def protocol_of_evaluation(setup: EvaluationSetup, temperature: float | None = None) -> Protocol:
    """The protocol of the evaluation's scores."""
    networks, mapping, trained = setup.networks, setup.mapping, protocol_of(setup.run)
    return Protocol(
        facts={
            "score": f"pooled {setup.metrics[0].title} of a registered version, utterance level, "
            f"{setup.task.decision} over the shared {setup.task.outputs}",
            # Sorted, because the order of `--corpus` means nothing
            "corpus": "+".join(sorted({utterance.corpus for utterance in networks.utterances}))
            if networks.corpus.is_union
            else networks.corpus.reader,
            "corpus_digest": networks.corpus.digest,
            **trained.elsewhere(mapping.shared),
            "mapping": mapping.renamed,
            f"left_out_{setup.task.answers}": mapping.left_out,
            f"unused_{setup.task.outputs}": mapping.unused,
            **setup.matched.facts,
            "judged_by": networks.description,
            "normalisation_scope": setup.facts["normalisation_scope"],
            "trained_under": setup.facts["fingerprint"],
            "utterances": str(len(networks.numbers)),
            **({} if temperature is None else {"temperature": f"{temperature:.4f}"}),
        }
    )


def groups_of(utterances: Sequence[Utterance], by: Sequence[str]) -> Mapping[str, Sequence[str]]:
    """The group of each utterance: by speaker, gender and official split where known, duration, and other attributes.

    Args:
        utterances: At least one.
        by: Names of attributes, such as `style`, `text`, `session` or a manifest's column `meta_NAME`.

    Returns:
        The kind of group to the name of each utterance's group, in the most frequent of several spellings; empty where
        the group of an utterance is not known.

    Raises:
        ConfigError: No utterance has such an attribute.
    """
    known = group_names(utterances) - {"speaker"}
    for name in by:
        if name not in known:
            expected = f"expected one of {', '.join(sorted(known))}" if known else "this corpus has no such attributes"
            raise ConfigError(f"--by: no utterance has '{name}'; {expected}")
    named = dict.fromkeys([*(name for name in ("gender", "split") if name in known), *by])
    return {
        **{name: grouped_by(utterances, name) for name in ("speaker", *named)},
        "duration": _thirds(
            [length_s(utterance.path, start_s=utterance.start_s, end_s=utterance.end_s) for utterance in utterances]
        ),
    }


def _thirds(lengths_s: Sequence[float]) -> list[str]:
    """Names of the thirds of the durations, in seconds."""
    lower, upper = np.quantile(lengths_s, [1 / 3, 2 / 3])
    names = (f"short, to {lower:.2f} s", f"medium, to {upper:.2f} s", f"long, over {upper:.2f} s")
    return [names[int(length > lower) + int(length > upper)] for length in lengths_s]
