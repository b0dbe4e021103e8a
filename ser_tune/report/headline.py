"""The score of a result that a report shows largest: the most honest of those that are known."""

from dataclasses import dataclass

from ..resampling import Interval, interval_of
from .reported import ReportedResult

__all__ = ["Tile", "tiles_of"]


@dataclass(frozen=True, slots=True)
class Tile:
    """A score, its interval, and in a few words what it is free of."""

    title: str
    value: float
    interval: Interval
    meaning: str


def tiles_of(report: ReportedResult) -> list[Tile]:
    """The scores of a result, the most honest first.

    Speakers that no part of the search saw come first, then test speakers that validate no fold, then the validation
    score without the choice among trials. A test score of speakers who validate other folds is not free of the choice.
    """
    name, title = report.objective.name, report.objective.title
    metrics, corrected = report.metrics, report.corrected
    free = report.test_is_free
    ranked = [
        ("holdout", metrics, f"Outer {title}", "of speakers that no part of the search saw"),
        *([("test", metrics, f"Test {title}", "of speakers that chose nothing")] if free else []),
        ("corrected", corrected, f"Corrected {title}", "validation speakers, without the choice among trials"),
        *(
            []
            if free
            else [("test", metrics, f"Test {title}", "its speakers validate other folds: not free of the choice")]
        ),
        ("validation", metrics, f"Validation {title}", "chose the trial: optimistic"),
    ]
    return [
        Tile(what, found[f"{side}_{name}"], interval_of(found, f"{side}_{name}"), meaning)
        for side, found, what, meaning in ranked
        if f"{side}_{name}" in found
    ]
