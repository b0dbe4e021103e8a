"""A model's numbers beside the thresholds of its tests.

The kinds of tests are those of A. Derington et al.: Testing Speech Emotion Recognition Machine Learning Models, arXiv
2312.06270, 2023: correctness, fairness between groups, robustness; and calibration, time and size.
"""

import statistics
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from ..audio import SAMPLE_RATE_HZ, Heard
from ..config import ModelTests
from ..corpora import Utterance, group_names, grouped_by
from ..errors import AudioError, ConfigError, valid_names
from ..features import CONDITIONS, Condition
from ..metrics import METRICS, Metric, Ranking, reliability
from ..resampling import UNKNOWN, Estimate, Interval, compare_paired, largest_gap, part_intervals, score
from ..tasks import Task

if TYPE_CHECKING:
    from ..tracking import LoadedModel

__all__ = ["CheckedNumber", "JudgedUtterances", "check_numbers", "failed_in_words", "refuse_unknown_tests", "size_of"]

MEAN, WORST = "mean", "worst"
"""Names of losses over all conditions."""
TIMED = 4
"""Utterances that are predicted together to measure the time."""
RUNS = 5
"""Timed predictions, after one that is not; the median counts."""


@dataclass(frozen=True, slots=True)
class CheckedNumber:
    """A number of a model, and its threshold."""

    kind: str
    """Such as `scores` or `stress`, as the tests file has it."""
    name: str
    """Such as `uar` or `white noise 10 dB`; the kind where it has a single number."""
    threshold: float
    at_least: bool
    """Whether the number may not be lower than the threshold; otherwise not higher."""
    value: float | None
    """None where it cannot be measured."""
    interval: Interval = UNKNOWN
    detail: str = ""
    """Further words, such as the groups of a gap, or why there is no number."""
    by_bound: bool = False
    """Whether the worse end of the interval is compared, where it is known."""

    @property
    def compared(self) -> float | None:
        """The number that is compared with the threshold."""
        if self.value is None or not (self.by_bound and self.interval.known):
            return self.value
        return self.interval.low if self.at_least else self.interval.high

    @property
    def margin(self) -> float | None:
        """Distance to the threshold, negative on the wrong side; None without a number."""
        if self.compared is None:
            return None
        return self.compared - self.threshold if self.at_least else self.threshold - self.compared

    @property
    def passed(self) -> bool:
        """Whether the number is on the right side; a number that cannot be measured fails."""
        return self.margin is not None and self.margin >= 0

    @property
    def title(self) -> str:
        """Kind and name, as tables and sentences have it."""
        return self.name if self.kind == self.name else f"{self.kind} {self.name}"


@dataclass(frozen=True, slots=True)
class JudgedUtterances:
    """Utterances that a model's networks judged, and what else of the model is measured."""

    task: Task
    metrics: Sequence[Metric]
    """The first is the objective."""
    names: tuple[str, ...]
    """The outputs' names."""
    truth: np.ndarray
    """Shape (N, ...)."""
    shown: np.ndarray
    """Shown numbers, shape (N, K)."""
    predicted: np.ndarray
    """Shape (N, ...)."""
    utterances: Sequence[Utterance]
    in_condition: Callable[[Condition], np.ndarray | None]
    """From a condition to the predictions in it, shape (N, ...); None where the corpus cannot have it."""
    model: "LoadedModel"
    size_bytes: int

    @property
    def speakers(self) -> np.ndarray:
        """A number for each utterance's speaker, shape (N,)."""
        return np.unique([utterance.speaker for utterance in self.utterances], return_inverse=True)[1]


def refuse_unknown_tests(tests: ModelTests, path: Path) -> None:
    """Refuse tests of metrics or conditions that do not exist, before anything is measured.

    Raises:
        ConfigError: There is no such metric, value of outputs, or condition.
    """
    parts = sorted({metric.part for metric in map(METRICS.get, METRICS.names()) if metric.part})
    conditions = [MEAN, WORST, *dict.fromkeys(name for found in CONDITIONS for name in (found.kind, found.name))]
    for kind, known in (("scores", METRICS.names()), ("parts", parts), ("stress", conditions)):
        for name in getattr(tests, kind):
            if name not in known:
                raise ConfigError(f"{path}: {kind} has '{name}'; expected one of: {valid_names(name, known)}")


def check_numbers(
    tests: ModelTests, judged: JudgedUtterances, on_condition: Callable[[str], None] = lambda name: None
) -> Sequence[CheckedNumber]:
    """Measure every number that the tests have a threshold for.

    Args:
        tests: Thresholds.
        judged: What is measured.
        on_condition: Receives the name of each condition before it is judged.
    """
    by_bound = tests.judged_by == "bound"
    found = [*_scores(tests, judged), *_parts(tests, judged), *_gaps(tests, judged)]
    found += [*_losses(tests, judged, on_condition), *_costs(tests, judged)]
    return [replace(number, by_bound=by_bound) for number in found]


def failed_in_words(numbers: Sequence[CheckedNumber]) -> str:
    """The failed tests in a line, with their numbers and thresholds; empty where all pass."""
    return "; ".join(
        f"{number.title} "
        + ("is unknown" if number.value is None else f"{number.compared:.4f}")
        + f", expected {'at least' if number.at_least else 'at most'} {number.threshold:g}"
        for number in numbers
        if not number.passed
    )


def _scores(tests: ModelTests, judged: JudgedUtterances) -> Iterator[CheckedNumber]:
    for name, threshold in tests.scores.items():
        metric = METRICS.get(name)
        if metric.predictions not in judged.task.kinds:
            reason = f"it is no metric of {judged.task.title}"
            yield CheckedNumber("scores", name, threshold, metric.higher_is_better, None, detail=reason)
            continue
        fitting = judged.task.metric(name)
        found = score([(judged.truth, judged.predicted, judged.speakers)], [fitting], len(judged.names))[name]
        yield CheckedNumber("scores", name, threshold, metric.higher_is_better, found.value, found.interval)


def _parts(tests: ModelTests, judged: JudgedUtterances) -> Iterator[CheckedNumber]:
    """The worst output's value of each kind of values."""
    together = np.zeros(len(judged.truth), dtype=np.int64)
    for part, threshold in tests.parts.items():
        metric = next((found for found in judged.metrics if found.part == part and found.parts is not None), None)
        if metric is None or metric.parts is None:
            yield CheckedNumber("parts", part, threshold, True, None, detail=f"no metric of the model has a {part}")
            continue
        values = metric.parts(metric.sums(judged.truth, judged.predicted, together, 1, len(judged.names))[0])
        known = {number: float(value) for number, value in enumerate(values.tolist()) if value == value}
        worst = Ranking(metric).best_first(known, known.get)[-1]
        intervals = part_intervals(judged.truth, judged.predicted, judged.speakers, metric, len(judged.names))
        interval = intervals.get(worst, UNKNOWN)
        value, at_least, detail = known[worst], metric.higher_is_better, judged.names[worst]
        yield CheckedNumber("parts", part, threshold, at_least, value, interval, detail)


def _gaps(tests: ModelTests, judged: JudgedUtterances) -> Iterator[CheckedNumber]:
    metric, size = judged.metrics[0], len(judged.names)
    for kind, threshold in tests.gaps.items():
        gap = None
        if kind in group_names(judged.utterances):
            groups = grouped_by(judged.utterances, kind)
            gap = largest_gap(judged.truth, judged.predicted, judged.speakers, groups, metric, size)
        if gap is None:
            yield CheckedNumber("gaps", kind, threshold, False, None, detail=f"the corpus has no two groups of {kind}")
        else:
            detail = f"{gap.best} and {gap.worst}"
            yield CheckedNumber("gaps", kind, threshold, False, gap.difference, gap.interval, detail)


def _losses(
    tests: ModelTests, judged: JudgedUtterances, on_condition: Callable[[str], None]
) -> Iterator[CheckedNumber]:
    if not tests.stress:
        return
    every = {MEAN, WORST} & set(tests.stress)
    losses = {
        condition: loss
        for condition in CONDITIONS
        if every or condition.name in tests.stress or condition.kind in tests.stress
        if (loss := _loss(judged, condition, on_condition)) is not None
    }
    by_loss = sorted(losses, key=lambda condition: losses[condition].value)
    for name, threshold in tests.stress.items():
        own = [found for found in by_loss if name in (found.kind, found.name)] if name not in (MEAN, WORST) else by_loss
        if not own:
            yield CheckedNumber("stress", name, threshold, False, None, detail="the corpus cannot have this condition")
        elif name == MEAN:
            mean = statistics.fmean(loss.value for loss in losses.values())
            yield CheckedNumber("stress", name, threshold, False, mean, detail=f"of {len(losses)} conditions")
        else:
            found = losses[own[-1]]
            detail = "" if own[-1].name == name else own[-1].name
            yield CheckedNumber("stress", name, threshold, False, found.value, found.interval, detail)


def _loss(judged: JudgedUtterances, condition: Condition, on_condition: Callable[[str], None]) -> Estimate | None:
    """Loss of the objective in a condition, positive where it is worse; the interval is paired by speaker."""
    on_condition(condition.name)
    try:
        predicted = judged.in_condition(condition)
    except AudioError:  # trimming leaves too little of an utterance
        return None
    if predicted is None:
        return None
    metric = judged.metrics[0]
    higher, lower = judged.predicted, predicted
    if not metric.higher_is_better:
        higher, lower = lower, higher
    return compare_paired(judged.truth, [higher], [lower], judged.speakers, [metric], len(judged.names)).primary


def _costs(tests: ModelTests, judged: JudgedUtterances) -> Iterator[CheckedNumber]:
    """Calibration, time and size."""
    if tests.calibration_error is not None:
        name, threshold = "calibration_error", tests.calibration_error
        if judged.truth.ndim > 1 or not judged.task.has_probabilities:
            yield CheckedNumber(name, name, threshold, False, None, detail="the model has no probabilities of classes")
        else:
            shown = judged.shown / judged.shown.sum(axis=1, keepdims=True)
            ece = reliability(shown, judged.truth, predicted=judged.predicted).ece
            yield CheckedNumber(name, name, threshold, False, ece)
    if tests.seconds_per_second is not None:
        name = "seconds_per_second"
        yield CheckedNumber(name, name, tests.seconds_per_second, False, _seconds(judged), detail="on this machine")
    if tests.size_mb is not None:
        yield CheckedNumber("size_mb", "size_mb", tests.size_mb, False, judged.size_bytes / 1e6)


def _seconds(judged: JudgedUtterances) -> float:
    """Time for a second of speech: of some recordings of one speaker together, the median of several predictions."""
    speaker = judged.utterances[0].speaker
    own = [utterance for utterance in judged.utterances if utterance.speaker == speaker][:TIMED]
    heard = [Heard(str(utterance.path), utterance.speech()) for utterance in own]
    sound_s = sum(len(recording.speech) for recording in heard) / SAMPLE_RATE_HZ
    times = []
    for _ in range(RUNS + 1):
        start = time.perf_counter()
        judged.model.predict_heard(heard)
        times.append(time.perf_counter() - start)
    return statistics.median(times[1:]) / sound_s


def size_of(folder: Path) -> int:
    """Bytes of all files in a folder."""
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())
