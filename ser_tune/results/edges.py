"""Search ranges that end where the best trials lie: what is better may be beyond."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

from ..config import FloatRange, IntRange, Value
from ..definition import StudyDefinition
from ..errors import ConfigError
from ..metrics import Ranking
from .trials import StudyTrial

__all__ = ["Edge", "edges_of"]

FEWEST = 8
"""Complete trials; the best of fewer says little about a range."""
NEAR = 0.05
"""How far from an end is near it: a fraction of the range, of its logarithm where that is what is sampled."""
TOP = 5
"""Best trials of which most may lie near an end, where the best itself does not."""


@dataclass(frozen=True, slots=True)
class Edge:
    """A setting whose best values lie at an end of its search range."""

    path: str
    """The setting's dotted path."""
    span: FloatRange | IntRange
    end: Value
    """The low or the high end of the range."""
    value: Value
    """Of the best trial."""

    def __str__(self) -> str:
        """In words."""
        value, end = (f"{one:.3g}" if isinstance(one, float) else str(one) for one in (self.value, self.end))
        return (
            f"the best trials lie at an end of the range of {self.path}: best trial {value}, range {self.span}; better "
            f"values may lie beyond {end}, which needs a wider range under `search:` of a study file"
        )


def edges_of(definition: StudyDefinition, trials: Sequence[StudyTrial]) -> list[Edge]:
    """Settings whose best values lie at an end of their range.

    That is so where the best searched trial, or most of the best five, lie near an end, and the setting could be beyond
    it: a dropout could not be below 0.

    Args:
        definition: Of the study, with the ranges that it searches.
        trials: Of the study.
    """
    complete = [one for one in trials if one.score is not None and one.confirms is None]
    if len(complete) < FEWEST:
        return []
    ranking = Ranking(definition.objective)
    best = ranking.best_first(complete, lambda one: one.score, lambda one: one.number)[:TOP]
    found = []
    for path, span in sorted(definition.search.items()):
        if isinstance(span, FloatRange | IntRange) and span.low < span.high:
            values = [one.values[path] for one in best if isinstance(one.values.get(path), int | float)]
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
    low, high, at = (math.log(one) if span.log else one for one in (span.low, span.high, value))
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
