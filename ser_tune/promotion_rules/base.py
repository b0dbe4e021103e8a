"""The object every promotion rule defines, and the comparison that it is given."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from ..metrics import Metric

__all__ = ["Comparison", "PromotionRule", "Ruling", "WorseScores"]


@dataclass(frozen=True, slots=True)
class Ruling:
    """The decision of a rule."""

    replaces: bool
    """Whether the new version becomes champion."""
    reason: str
    """The end of a sentence that begins with `… as champion (`."""
    tags: Mapping[str, str] = field(default_factory=dict)
    """Numbers that the rule alone compared; the new version gets them as tags."""


@dataclass(frozen=True, slots=True)
class WorseScores:
    """A model's scores of the validation speakers, as recorded and in worse recordings."""

    as_recorded: float
    worse: Mapping[str, float]
    """By condition, such as `babble`; empty where the model cannot be loaded."""


@dataclass(frozen=True, slots=True)
class Comparison:
    """A new version beside the present champion, both scored under one protocol; test scores are not among it."""

    champion: str
    """Such as `version 3`."""
    metric: Metric
    by_score: Callable[[], Ruling]
    """The decision by the scores alone: means over fresh seeds where both are confirmed, the lower bound of the new
    version where it alone is, else the scores of the searches."""
    confirmed: bool
    """Whether fresh seeds confirmed the new version."""
    same_search: bool
    """Whether the champion is the unconfirmed best of the search whose configuration fresh seeds confirm."""
    p_value: float | None
    """From the paired permutation test over speakers, corrected for the searched trials; None where predictions are
    gone."""
    searched: int
    """Complete trials of the larger search, by which `p_value` is corrected."""
    in_worse_recordings: Callable[[], tuple[WorseScores, WorseScores]]
    """Scores the new version and the champion in worse recordings, which takes minutes."""


@dataclass(frozen=True, slots=True)
class PromotionRule:
    """A rule by which a new version becomes champion; every module of this room defines one as `PROMOTION_RULE`."""

    name: str
    decide: Callable[[Comparison], Ruling]
    """Called if a champion of the same protocol exists; a champion of another protocol is never replaced."""
    worse_recordings: bool
    """Whether it needs scores on degraded recordings."""
    citation: str
    tests: bool = False
    """Whether a version must pass the tests of the setting `study.tests` too, also where there is no champion."""
