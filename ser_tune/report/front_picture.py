"""The picture of a Pareto front: the primary objective against each other objective."""

import math

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from ..drawing import BLUE, GREY, RED, Picture, draw, lettering_for
from ..metrics import Metric
from ..search import Front
from .reported import ReportedSearch

__all__ = ["front_picture"]

WIDE = 10.0
"""Ratio of the largest to the smallest value from which an axis is logarithmic."""


def front_picture(search: ReportedSearch, front: Front, chosen: int | None) -> Picture:
    """A panel for each objective after the first; `chosen` is the reported trial."""
    further = front.measures[1:]
    columns = min(3, len(further))
    rows = math.ceil(len(further) / columns)
    # A trial on a fresh seed is drawn where the searched trial is that it confirms
    chosen = next(
        (trial.confirms for trial in search.trials if trial.number == chosen and trial.confirms is not None), chosen
    )
    members = {trial.number for trial in front.trials}
    others = {trial.number for trial in search.complete} - members
    letters = lettering_for([measure.title for measure in front.measures])

    def fill(figure: Figure) -> None:
        grid = figure.subplots(rows, columns, sharey=True, squeeze=False)
        for axes in grid.flat[len(further) :]:
            axes.remove()
        for measure, axes in zip(further, grid.flat, strict=False):
            for marker, colour, numbers in (("o", GREY, others), ("o", BLUE, members), ("D", RED, {chosen})):
                shown = [trial for trial in search.complete if trial.number in numbers]
                values = [trial.further[measure.name] for trial in shown]
                axes.plot(values, [trial.score for trial in shown], marker, color=colour, markersize=5)
            axes.set_xlabel(letters(measure.title, 60))
            _scale(axes, measure, [trial.further[measure.name] for trial in search.complete])
        figure.supylabel(f"validation {letters(front.measures[0].title, 60)}")

    caption = (
        f"{front.sentence}. Blue: trials that no other trial beats in one objective without being worse in another; "
        "grey: the other complete searched trials; red: the reported trial."
    )
    return draw("front", caption, 2.6 * rows + 0.3, fill, letters=letters)


def _scale(axes: Axes, measure: Metric, values: list[float]) -> None:
    """Draw a cost on a logarithmic axis if its values differ widely."""
    if math.isfinite(measure.high) or min(values) <= 0 or max(values) < WIDE * min(values):
        return
    axes.set_xscale("log")
