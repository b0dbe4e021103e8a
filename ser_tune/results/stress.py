"""UAR of an evaluated version under worse microphones, in rising severity, paired with the clean recordings."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from ..drawing import draw_to, lettering_for
from ..errors import AudioError
from ..features import CONDITIONS, Disturbance
from ..resampling import Interval
from ..resampling.old import compare_paired, score
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
    uar: float
    wa: float
    uar_interval: Interval
    """95 %, by bootstrap over speakers."""
    difference: float
    """UAR less the clean recordings' UAR."""
    difference_interval: Interval
    """95 %, paired by speaker."""


def stress(evaluation: Evaluation, *, on_condition: Callable[[str], None] = lambda note: None) -> Iterator[Stressed]:
    """Judge the utterances of an evaluation again in every condition.

    Args:
        evaluation: Of the clean recordings.
        on_condition: Is told each condition before it is judged, and why one is left out.

    Returns:
        The conditions' scores, when they are judged; a condition that leaves too little of an utterance is left out.
    """
    examined = evaluation.examined
    corpus, columns = examined.judge.corpus, [examined.mapping.labels.index(one) for one in examined.mapping.shared]
    speakers = np.unique([one.speaker for one in examined.utterances], return_inverse=True)[1]
    clean = evaluation.probabilities.argmax(axis=1)
    disturbance = Disturbance(corpus)
    for condition in CONDITIONS:
        if not disturbance.possible(condition):
            on_condition(f"{condition.name} is left out: the corpus has one speaker")
            continue
        on_condition(condition.name)
        try:
            predicted = examined.judge(disturbance.of(condition))[:, columns].argmax(axis=1)
        except AudioError as error:
            on_condition(f"{condition.name} is left out: {error}")
            continue
        scores = score([(evaluation.truth, predicted, speakers)])
        paired = compare_paired(evaluation.truth, predicted, clean, speakers, len(columns))
        yield Stressed(
            kind=condition.kind,
            severity=condition.severity,
            uar=scores.uar,
            wa=scores.wa,
            uar_interval=scores.uar_interval,
            difference=paired.uar_difference,
            difference_interval=paired.uar_interval,
        )


def draw_stress(path: Path, title: str, clean: float, conditions: Sequence[Stressed]) -> None:
    """A picture of UAR against severity: a line for each kind, and a point where a kind has one severity."""
    kinds = list(dict.fromkeys(one.kind for one in conditions))
    letters = lettering_for([title])

    def fill(figure: "Figure") -> None:
        axes = figure.subplots()
        axes.axhline(clean, color="grey", linewidth=1)
        for kind in kinds:
            places = [number for number, one in enumerate(conditions) if one.kind == kind]
            own = [conditions[one] for one in places]
            ends = [
                (one.uar - one.uar_interval.low, one.uar_interval.high - one.uar) if one.uar_interval.known else (0, 0)
                for one in own
            ]
            axes.errorbar(places, [one.uar for one in own], yerr=np.transpose(ends), marker="o", capsize=2, label=kind)
        names = [f"{one.kind} {one.severity}".strip() for one in conditions]
        axes.set_xticks(range(len(names)), names, rotation=60, ha="right")
        axes.set(ylabel="UAR", title=f"{letters(title)}; grey: clean {clean:.3f}", ylim=(0, 1))

    draw_to(path, 4.5, fill, width=max(8, 0.42 * len(conditions)), dpi=100, letters=letters)
