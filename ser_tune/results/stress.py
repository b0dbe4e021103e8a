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
from ..resampling import Difference, Scores, compare_paired, score
from .evaluate import Evaluation

if TYPE_CHECKING:
    from matplotlib.figure import Figure

__all__ = ["Stressed", "draw_stress", "stress"]


@dataclass(frozen=True, slots=True)
class Stressed:
    """What is left of a score in one condition."""

    kind: str
    severity: str
    """Empty where the kind has only one."""
    scores: Scores
    difference: Difference
    """Of the objective: the score less that of the clean recordings; the interval is paired by speaker."""


def stress(evaluation: Evaluation, *, on_condition: Callable[[str], None] = lambda note: None) -> Iterator[Stressed]:
    """Judge the utterances of an evaluation again in every condition.

    Args:
        evaluation: Of the clean recordings.
        on_condition: Is told each condition before it is judged, and why one is left out.

    Returns:
        The conditions' scores, when they are judged; a condition that leaves too little of an utterance is left out.
    """
    examined = evaluation.examined
    corpus, columns, metrics = examined.judge.corpus, examined.columns, examined.metrics
    speakers = np.unique([one.speaker for one in examined.utterances], return_inverse=True)[1]
    disturbance = Disturbance(corpus)
    for condition in CONDITIONS:
        if not disturbance.possible(condition):
            on_condition(f"{condition.name} is left out: the corpus has one speaker")
            continue
        on_condition(condition.name)
        try:
            predicted = examined.task.decide(examined.judge(disturbance.of(condition))[:, columns])
        except AudioError as error:
            on_condition(f"{condition.name} is left out: {error}")
            continue
        paired = compare_paired(evaluation.truth, predicted, evaluation.predicted, speakers, metrics[:1], len(columns))
        yield Stressed(
            kind=condition.kind,
            severity=condition.severity,
            scores=score([(evaluation.truth, predicted, speakers)], metrics, len(columns)),
            difference=paired.primary,
        )


def draw_stress(path: Path, title: str, metric: Metric, clean: float, conditions: Sequence[Stressed]) -> None:
    """A picture of a score against severity: a line for each kind, and a point where a kind has one severity.

    Args:
        path: Where to write.
        title: What was evaluated.
        metric: Which score.
        clean: The score of the clean recordings.
        conditions: In the order of the picture.
    """
    kinds = list(dict.fromkeys(one.kind for one in conditions))
    letters = lettering_for([title])

    def fill(figure: "Figure") -> None:
        axes = figure.subplots()
        axes.axhline(clean, color="grey", linewidth=1)
        for kind in kinds:
            places = [number for number, one in enumerate(conditions) if one.kind == kind]
            own = [conditions[one].scores[metric.name] for one in places]
            values = [one.value for one in own]
            ends = [
                (one.value - one.interval.low, one.interval.high - one.value) if one.interval.known else (0, 0)
                for one in own
            ]
            axes.errorbar(places, values, yerr=np.transpose(ends), marker="o", capsize=2, label=kind)
        names = [f"{one.kind} {one.severity}".strip() for one in conditions]
        axes.set_xticks(range(len(names)), names, rotation=60, ha="right")
        axes.set(ylabel=metric.title, title=f"{letters(title)}; grey: clean {clean:.3f}", ylim=metric.limits)

    draw_to(path, 4.5, fill, width=max(8, 0.42 * len(conditions)), dpi=100, letters=letters)
