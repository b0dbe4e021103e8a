"""Search ranges that end where the best trials lie: better values may lie beyond."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

from ..config import FloatRange, IntRange, Value
from ..definition import StudyDefinition
from ..errors import ConfigError
from ..metrics import Ranking
from .study_trials import StudyTrial

__all__ = ["Edge", "edges_of"]

FEWEST = 8
"""Complete trials; with fewer, the best trial is too uncertain."""
NEAR = 0.05
"""Distance from an end that counts as near, as a fraction of the range; of its logarithm where that is sampled."""
TOP = 5
"""Number of the best trials; most of them near an end count as the best trial near an end does."""


@dataclass(frozen=True, slots=True)
class Edge:
    """A setting whose best values lie at an end of its search range."""

    path: str
    """Dotted path of the setting."""
    span: FloatRange | IntRange
    end: Value
    """The low or the high end of the range."""
    value: Value
    """Value of the best trial."""

    def __str__(self) -> str:
        """In words."""
        value, end = (
            f"{number:.3g}" if isinstance(number, float) else str(number) for number in (self.value, self.end)
        )
        return (
            f"the best trials lie at an end of the range of {self.path}: best trial {value}, range {self.span}; better "
            f"values may lie beyond {end}, which needs a wider range under `search:` of a study file"
        )


def edges_of(definition: StudyDefinition, trials: Sequence[StudyTrial]) -> list[Edge]:
    """Settings whose best values lie at an end of their range.

    The best searched trial, or most of the best five, lie near the end, and the setting can have a value beyond it: a
    dropout cannot be below 0.
    """
    complete = [trial for trial in trials if trial.score is not None and trial.confirms is None]
    if len(complete) < FEWEST:
        return []
    ranking = Ranking(definition.objective)
    best = ranking.best_first(complete, lambda trial: trial.score, lambda trial: trial.number)[:TOP]
    found = []
    for path, span in sorted(definition.search.items()):
        if isinstance(span, FloatRange | IntRange) and span.low < span.high:
            values = [trial.values[path] for trial in best if isinstance(trial.values.get(path), int | float)]
            for end in (span.low, span.high):
                near = [_near(span, end, value) for value in values]
                if near and (near[0] or sum(near) > len(best) / 2) and _reaches_beyond(definition, path, span, end):
                    found.append(Edge(path=path, span=span, end=end, value=values[0]))
    return found


def _near(span: FloatRange | IntRange, end: float, value: Value) -> bool:
    """Whether a value is near an end of a range, or beyond it."""
    assert isinstance(value, int | float)
    if span.log and value <= 0:
        return end == span.low
    low, high, at = (math.log(number) if span.log else number for number in (span.low, span.high, value))
    distance = at - low if end == span.low else high - at
    return distance <= NEAR * (high - low)


def _reaches_beyond(definition: StudyDefinition, path: str, span: FloatRange | IntRange, end: float) -> bool:
    """Whether a setting can have a value beyond an end of its range."""
    if isinstance(span, IntRange):
        beyond: Value = span.low - span.step if end == span.low else span.high + span.step
    elif span.log:
        share = (span.high / span.low) ** NEAR
        beyond = span.low / share if end == span.low else span.high * share
    else:
        width = NEAR * (span.high - span.low)
        beyond = span.low - width if end == span.low else span.high + width
    try:
        definition.trial({path: beyond})
    except ConfigError:
        return False
    return True
