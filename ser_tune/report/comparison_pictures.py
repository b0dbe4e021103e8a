"""Pictures of a comparison: both searches, and the differences by output of the task and by speaker."""

import math
from collections.abc import Mapping, Sequence
from itertools import accumulate

from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from ..drawing import BLUE, GREY, RED, Picture, draw, lettering_for
from ..metrics import Metric
from ..results import ComparedOutput, ComparedSpeaker
from .reported import ReportedSearch

__all__ = ["comparison_pictures"]

COLOURS = (BLUE, RED)
"""The colours of A and of B."""
MOST_SPEAKERS = 40
"""Speakers whose scores are drawn: those that differ most."""
UPRIGHT = 12
"""More names below an axis are turned."""
UNITS = ((1.0, "seconds"), (60.0, "minutes"), (3600.0, "hours"))
"""Units of training time, each used from two of it on."""


def comparison_pictures(
    objective: Metric,
    searches: Sequence[ReportedSearch | None],
    metric: Metric | None,
    outputs: Sequence[ComparedOutput],
    speakers: Sequence[ComparedSpeaker],
) -> dict[str, Picture]:
    """Every picture that a comparison has the numbers for, by name.

    Args:
        objective: Of both results.
        searches: The search of A and of B; None where there is none.
        metric: Whose values the outputs have; None where there are no outputs.
        outputs: Of the task.
        speakers: Those that differ most first.
    """
    found = []
    drawn = {mark: search for mark, search in zip("AB", searches, strict=True) if search and len(search.complete) > 1}
    if drawn:
        found.append(_searches(drawn, objective))
    if metric is not None and outputs:
        found.append(_outputs(outputs, metric))
    if scored := [row for row in speakers if not math.isnan(row.difference)]:
        found.append(_speakers(scored[:MOST_SPEAKERS], objective, every=len(scored)))
    return {picture.name: picture for picture in found}


def _searches(searches: Mapping[str, ReportedSearch], objective: Metric) -> Picture:
    """Scores of both searches' trials, over their order and over the time that they took."""
    seconds = {
        mark: list(accumulate((trial.seconds or 0.0 for trial in search.trials if trial.confirms is None), initial=0.0))
        for mark, search in searches.items()
    }
    longest = max(times[-1] for times in seconds.values())
    unit_s, unit = [(size, name) for size, name in UNITS if longest >= 2 * size or size == 1.0][-1]

    def fill(figure: Figure) -> None:
        by_order, by_time = figure.subplots(1, 2, sharey=True)
        for mark, search in searches.items():
            colour = COLOURS["AB".index(mark)]
            searched = [trial for trial in search.trials if trial.confirms is None]
            points = [
                (number, seconds[mark][number] / unit_s, trial.score)
                for number, trial in enumerate(searched, start=1)
                if trial.score is not None
            ]
            orders, times, scores = (list(column) for column in zip(*points, strict=True))
            best = search.ranking.best_so_far(scores)
            for axes, places in ((by_order, orders), (by_time, times)):
                axes.plot(places, scores, "o", color=colour, markersize=3, alpha=0.45)
                axes.step(places, best, where="post", color=colour, linewidth=1.8, label=f"{mark}, best so far")
        by_order.set(xlabel="trials", ylabel=f"pooled validation {objective.title}")
        by_order.xaxis.set_major_locator(MaxNLocator(integer=True))
        by_time.set_xlabel(f"{unit} of training, all trials before included")
        handles, labels = by_order.get_legend_handles_labels()
        figure.legend(handles, labels, loc="outside upper left", ncols=2, frameon=False)

    caption = f"Both searches: validation {objective.title} of every complete trial, and the best so far."
    return draw("searches", caption, 3.2, fill)


def _outputs(outputs: Sequence[ComparedOutput], metric: Metric) -> Picture:
    """The difference for every output with its interval."""
    letters = lettering_for(row.name for row in outputs)

    def fill(figure: Figure) -> None:
        axes = figure.subplots()
        axes.axvline(0, color="#718096", linewidth=0.8)
        for place, row in enumerate(outputs):
            interval, colour = row.difference.interval, _colour(row, metric)
            if interval.known:
                axes.plot([interval.low, interval.high], [place, place], color=colour, linewidth=2)
            axes.plot([row.difference.value], [place], "o", color=colour, markersize=6)
        axes.set_yticks(range(len(outputs)), [letters(row.name, 24) for row in outputs])
        axes.set(xlabel=f"{metric.part} of A minus that of B", ylim=(len(outputs) - 0.5, -0.5))
        axes.grid(axis="x", color="#e2e8f0")

    caption = (
        f"Difference of every {metric.part}, with 95 % intervals by bootstrap over speakers. Blue: A is better, red: B "
        "is better, grey: the interval includes 0."
    )
    return draw("differences", caption, 0.9 + 0.34 * len(outputs), fill, letters=letters)


def _colour(row: ComparedOutput, metric: Metric) -> str:
    """The colour of the better result; grey where no difference is shown."""
    interval = row.difference.interval
    if not interval.known or interval.low <= 0 <= interval.high:
        return GREY
    return COLOURS[(row.difference.value > 0) != metric.higher_is_better]


def _speakers(rows: Sequence[ComparedSpeaker], objective: Metric, *, every: int) -> Picture:
    """The scores of every speaker by A and by B, joined by a line."""
    letters = lettering_for(row.name for row in rows)
    ordered = sorted(rows, key=lambda row: row.difference)

    def fill(figure: Figure) -> None:
        axes = figure.subplots()
        for place, row in enumerate(ordered):
            axes.plot([place, place], row.scores, color=GREY, linewidth=1.5, zorder=1)
        for side, mark in enumerate("AB"):
            heights = [row.scores[side] for row in ordered]
            # Equal scores show both: a small dot in a larger one
            axes.plot(range(len(ordered)), heights, "o", color=COLOURS[side], markersize=(8, 4.5)[side], label=mark)
        names = [letters(row.name, 10) for row in ordered]
        axes.set_xticks(range(len(ordered)), names, rotation=90 if len(names) > UPRIGHT else 0, fontsize=8)
        axes.set_ylabel(objective.title)
        axes.grid(axis="y", color="#e2e8f0")
        figure.legend(loc="outside upper left", ncols=2, frameon=False)

    shown = "" if len(rows) == every else f" The {len(rows)} of {every} speakers that differ most."
    caption = f"{objective.title} of every speaker by A and by B, from the best for B to the best for A.{shown}"
    if not objective.higher_is_better:
        caption = f"{objective.title} of every speaker by A and by B, lower is better.{shown}"
    return draw("speakers", caption, 2.8, fill, letters=letters)
