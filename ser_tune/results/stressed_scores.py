"""Scores of an evaluated version under worse microphones, in rising severity, paired with the clean recordings."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from ..drawing import draw_to, lettering_for
from ..errors import AudioError
from ..features import CONDITIONS, Disturbance
from ..metrics import Metric
from ..resampling import Estimate, Scores, compare_paired, condition_interval, score, sums_of
from .evaluation_scores import Evaluation

if TYPE_CHECKING:
    from matplotlib.figure import Figure

__all__ = ["Stressed", "draw_stress", "mean_of_conditions", "stress"]


@dataclass(frozen=True, slots=True)
class Stressed:
    """Scores in one condition."""

    kind: str
    severity: str
    """Empty where the kind has only one severity."""
    scores: Scores
    difference: Estimate
    """Objective score less that of the clean recordings; the interval is paired by speaker."""
    sums: np.ndarray
    """The objective's sums of every speaker, shape (S, ...)."""

    @property
    def name(self) -> str:
        """Such as `white noise 10 dB`."""
        return f"{self.kind} {self.severity}".strip()


def stress(evaluation: Evaluation, *, on_condition: Callable[[str], None] = lambda note: None) -> Iterator[Stressed]:
    """Judge the utterances of an evaluation again in every condition.

    `on_condition` is called with each condition before it is judged, and with the reason why a condition is left out.

    Yields:
        The scores of each condition; a condition that leaves too little of an utterance is left out.
    """
    setup = evaluation.setup
    metrics, size = setup.metrics, len(setup.shared)
    speakers = np.unique([utterance.speaker for utterance in setup.utterances], return_inverse=True)[1]
    disturbance = Disturbance(setup.networks.corpus)
    for condition in CONDITIONS:
        if not disturbance.possible(condition):
            on_condition(f"{condition.name} is left out: the corpus has one speaker")
            continue
        on_condition(condition.name)
        try:
            predicted = setup.task.decide(setup.over_shared(setup.networks.outputs(condition)))
        except AudioError as error:
            on_condition(f"{condition.name} is left out: {error}")
            continue
        paired = compare_paired(evaluation.truth, [predicted], [evaluation.predicted], speakers, metrics[:1], size)
        yield Stressed(
            kind=condition.kind,
            severity=condition.severity,
            scores=score([(evaluation.truth, predicted, speakers)], metrics, size),
            difference=paired.primary,
            sums=sums_of(metrics[0], evaluation.truth, predicted, speakers, size),
        )


def mean_of_conditions(metric: Metric, conditions: Sequence[Stressed]) -> Estimate:
    """The mean of the objective's scores over conditions, at least one, of equal weight."""
    value = float(np.mean([condition.scores[metric.name].value for condition in conditions]))
    return Estimate(value, condition_interval(metric, np.stack([condition.sums for condition in conditions])))


def draw_stress(path: Path, title: str, metric: Metric, clean: float, conditions: Sequence[Stressed]) -> None:
    """Draw a score over severity: a line for each kind of condition, a point where a kind has one severity."""
    kinds = list(dict.fromkeys(condition.kind for condition in conditions))
    letters = lettering_for([title])

    def fill(figure: "Figure") -> None:
        axes = figure.subplots()
        axes.axhline(clean, color="grey", linewidth=1)
        for kind in kinds:
            places = [place for place, condition in enumerate(conditions) if condition.kind == kind]
            scores = [conditions[place].scores[metric.name] for place in places]
            values = [score.value for score in scores]
            lengths = [
                (score.value - score.interval.low, score.interval.high - score.value)
                if score.interval.known
                else (0, 0)
                for score in scores
            ]
            axes.errorbar(places, values, yerr=np.transpose(lengths), marker="o", capsize=2, label=kind)
        axes.set_xticks(range(len(conditions)), [condition.name for condition in conditions], rotation=60, ha="right")
        axes.set(ylabel=metric.title, title=f"{letters(title)}; grey: clean {clean:.3f}", ylim=metric.limits)

    draw_to(path, 4.5, fill, width=max(8, 0.42 * len(conditions)), dpi=100, letters=letters)
