"""Pictures of a search: history, importances, parallel coordinates, slices, folds, cost."""

import math
from collections.abc import Sequence
from typing import TypeGuard

import numpy as np
from matplotlib import colormaps
from matplotlib.figure import Figure
from matplotlib.ticker import LogLocator, MaxNLocator

from ..config import FloatRange, IntRange, Value
from ..drawing import BLUE, RED, Lettering, Picture, draw, lettering_for
from ..metrics import Metric, Ranking
from ..results import StudyTrial
from .front_picture import front_picture
from .reported import ReportedSearch
from .words import displayed

__all__ = ["search_pictures"]

MOST_ROWS = 40
"""Trials of the heat map: the best ones."""
MOST_SLICES = 12
"""Settings that have a slice: the most important ones."""
MOST_AXES = 8
"""Settings of the parallel coordinates: the most important ones."""


def search_pictures(search: ReportedSearch, chosen: int | None) -> list[Picture]:
    """Every picture that a search of two or more complete trials has numbers for; `chosen` is the reported trial."""
    found = [_history(search)]
    if search.importances:
        found.append(_importances(search))
    if search.summary.front is not None:
        found.append(front_picture(search, search.summary.front, chosen))
    found += [_parallel(search, chosen), _slices(search, chosen), _cost(search, chosen)]
    if len(search.folds) > 1:
        found.append(_folds(search, chosen))
    return found


def _by_importance(search: ReportedSearch) -> list[str]:
    """Searched settings, the most important first."""
    return sorted(search.definition.search, key=lambda path: (-search.importances.get(path, 0.0), path))


def _scores(trials: Sequence[StudyTrial]) -> list[float]:
    """Scores of trials that have one."""
    return [trial.score for trial in trials if trial.score is not None]


def _history(search: ReportedSearch) -> Picture:
    """Scores of trials in their order, and the best so far."""
    complete = search.complete
    again = [trial for trial in search.trials if trial.confirms is not None and trial.score is not None]
    pruned = [trial.number for trial in search.trials if trial.confirms is None and trial.state == "PRUNED"]

    def fill(figure: Figure) -> None:
        axes = figure.subplots()
        numbers, scores = [trial.number for trial in complete], _scores(complete)
        best = search.ranking.best_so_far(scores)
        axes.plot(numbers, scores, "o", color=BLUE, markersize=4, label="complete")
        axes.step(numbers, best, where="post", color=RED, linewidth=1, label="best so far")
        if again:
            fresh = [trial.number for trial in again], _scores(again)
            axes.plot(*fresh, "D", color="black", markersize=4, label="confirmation, fresh seed")
        axes.plot(
            pruned,
            np.zeros(len(pruned)),
            "|",
            color="black",
            markersize=8,
            transform=axes.get_xaxis_transform(),
            clip_on=False,
        )
        axes.set(xlabel="trial", ylabel=f"pooled validation {search.objective.title}")
        axes.xaxis.set_major_locator(MaxNLocator(integer=True))
        figure.legend(loc="outside upper left", ncols=4, frameon=False)

    return draw("history", "Optimisation history. Marks on the axis: trials that were pruned.", 3.4, fill)


def _colours(objective: Metric) -> str:
    """The colour map that is dark where a score is bad."""
    return "viridis" if objective.higher_is_better else "viridis_r"


def _importances(search: ReportedSearch) -> Picture:
    """A bar for the importance of each setting."""
    shares = search.importances
    paths = list(shares)[::-1]

    def fill(figure: Figure) -> None:
        axes = figure.subplots()
        bars = axes.barh(paths, [shares[path] for path in paths], color=BLUE)
        axes.bar_label(bars, fmt="%.2f", padding=3)
        axes.set(xlabel="share of the importance", xlim=(0, 1.1 * max(shares.values())))

    caption = (
        f"Importance of the searched settings for the validation {search.objective.title} (PED-ANOVA, complete "
        "searched trials)."
    )
    return draw("importances", caption, 0.8 + 0.25 * len(paths), fill)


def _slices(search: ReportedSearch, chosen: int | None) -> Picture:
    """The score over each searched setting."""
    paths = _by_importance(search)[:MOST_SLICES]
    columns = min(4, len(paths))
    rows = math.ceil(len(paths) / columns)
    complete = search.complete
    scores, title = _scores(complete), search.objective.title
    reported = [trial for trial in search.trials if trial.number == chosen and trial.score is not None]
    letters = _letters(search, paths)

    def fill(figure: Figure) -> None:
        grid = figure.subplots(rows, columns, sharey=True, squeeze=False)
        for axes in grid.flat[len(paths) :]:
            axes.remove()
        for path, axes in zip(paths, grid.flat, strict=False):
            span = search.definition.search[path]
            numeric = isinstance(span, FloatRange | IntRange)
            names = [] if numeric else sorted({displayed(path, trial.values.get(path)) for trial in complete})
            for trials, colour, size in ((complete, BLUE, 4), (reported, RED, 6)):
                places = [(_place(path, trial.values.get(path), names), trial.score) for trial in trials]
                points = [(place, score) for place, score in places if place is not None]
                if points:
                    axes.plot(*zip(*points, strict=True), "o", color=colour, markersize=size, alpha=0.8)
            if isinstance(span, FloatRange | IntRange):  # the whole range, so that what was not tried shows
                axes.update_datalim([(span.low, scores[0]), (span.high, scores[0])])
                axes.autoscale_view()
            if isinstance(span, FloatRange | IntRange) and span.log:
                axes.set_xscale("log")
                axes.xaxis.set_major_locator(LogLocator(numticks=4))
            if not numeric:
                axes.set_xticks(range(len(names)), [letters(name, 24) for name in names], rotation=30, ha="right")
                axes.margins(x=0.2)
            axes.set_xlabel(path)
        figure.supylabel(f"validation {title}")

    caption = f"Validation {title} over each searched setting, the most important first. Red: the reported trial."
    return draw("slices", caption, 2.3 * rows + 0.2, fill, letters=letters)


def _place(path: str, value: Value | None, names: Sequence[str]) -> float | None:
    """The value, or the position of a choice; None of a word in a range of numbers, which trial 0 may have."""
    if names:
        return float(names.index(displayed(path, value)))
    return float(value) if _is_number(value) else None


def _is_number(value: Value | None) -> TypeGuard[int | float]:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _folds(search: ReportedSearch, chosen: int | None) -> Picture:
    """A heat map of the score of every fold."""
    objective = search.objective
    best_first = search.ranking.best_first(search.folds, lambda number: float(np.mean(search.folds[number])))
    best_first = best_first[:MOST_ROWS]
    scores = np.array([search.folds[number] for number in best_first])

    def fill(figure: Figure) -> None:
        axes = figure.subplots()
        image = axes.imshow(scores, cmap=_colours(objective), aspect="auto", interpolation="nearest")
        axes.set_yticks(range(len(best_first)), [str(number) for number in best_first], fontsize=7)
        for label, number in zip(axes.get_yticklabels(), best_first, strict=True):
            if number == chosen:
                label.set(color=RED, fontweight="bold")
        axes.set_xticks(range(scores.shape[1]), [str(fold) for fold in range(scores.shape[1])])
        axes.set(xlabel="fold", ylabel="trial, the best mean first")
        figure.colorbar(image, ax=axes, label=f"validation {objective.title}")

    shown = "" if len(search.folds) <= MOST_ROWS else f" The best {MOST_ROWS}."
    caption = (
        f"Validation {objective.title} of every fold of the complete searched trials.{shown} A dark column is a hard "
        "fold; red: the reported trial."
    )
    return draw("folds", caption, 1.3 + 0.13 * len(best_first), fill)


def _cost(search: ReportedSearch, chosen: int | None) -> Picture:
    """Score over training time, with the trials that no other trial beats in both."""
    title = search.objective.title
    points = _quickest_first(search.complete, search.ranking)
    reported = _quickest_first([trial for trial in search.complete if trial.number == chosen], search.ranking)
    front = _front(points, search.ranking)

    def fill(figure: Figure) -> None:
        axes = figure.subplots()
        axes.plot(
            [seconds for seconds, _ in points], [score for _, score in points], "o", color=BLUE, markersize=4, alpha=0.8
        )
        if front:
            axes.step(*zip(*front, strict=True), where="post", color=RED, linewidth=1)
        if reported:
            axes.plot(*zip(*reported, strict=True), "o", color=RED, markersize=6)
        axes.set(xlabel="seconds a trial, all folds", ylabel=f"validation {title}")
        if points and points[-1][0] > 10 * max(points[0][0], 1e-3):
            axes.set_xscale("log")

    caption = (
        f"{title} against cost: training time of the complete searched trials, as measured while the study ran. Line: "
        "no trial is both faster and better. Red dot: the reported trial."
    )
    return draw("cost", caption, 3.0, fill)


def _front(points: Sequence[tuple[float, float]], ranking: Ranking) -> list[tuple[float, float]]:
    """The points that no other point beats in both; the points are sorted, the quickest first."""
    front: list[tuple[float, float]] = []
    for point in points:
        if not front or ranking.is_better(point[1], front[-1][1]):
            front.append(point)
    return front


def _quickest_first(trials: Sequence[StudyTrial], ranking: Ranking) -> list[tuple[float, float]]:
    """Seconds and score of trials that have both, of equally quick trials the best first."""
    points = [(trial.seconds, trial.score) for trial in trials if trial.seconds is not None and trial.score is not None]
    return sorted(points, key=lambda point: (point[0], -ranking.key(point[1])))


def _parallel(search: ReportedSearch, chosen: int | None) -> Picture:
    """Parallel coordinates: a line for each complete trial, coloured by its score."""
    paths = _by_importance(search)[:MOST_AXES]
    objective = search.objective
    trials = sorted(search.complete, key=lambda trial: (trial.number == chosen, search.ranking.key(trial.score)))
    scores = np.array(_scores(trials))
    low, high = float(scores.min()), float(scores.max())
    colours = colormaps[_colours(objective)]
    letters = _letters(search, paths)
    columns = [_axis(search, path, trials, letters) for path in paths]
    heights = np.array([column for column, _ in columns] + [(scores - low) / max(high - low, 1e-9)]).T

    def fill(figure: Figure) -> None:
        axes = figure.subplots()
        for trial, line, score in zip(trials, heights, scores, strict=True):
            is_chosen = trial.number == chosen
            colour = RED if is_chosen else colours((score - low) / max(high - low, 1e-9))
            axes.plot(range(len(line)), line, color=colour, linewidth=2.2 if is_chosen else 1.0, alpha=0.8)
        for place, ticks in enumerate([*(ticks for _, ticks in columns), [(0.0, f"{low:.3f}"), (1.0, f"{high:.3f}")]]):
            axes.axvline(place, color="#718096", linewidth=0.8)
            for height, text in ticks:
                box = {"facecolor": "white", "alpha": 0.8, "edgecolor": "none", "pad": 1.0}
                axes.text(place + 0.03, height, text, fontsize=8, va="center", color="#1a202c", zorder=5, bbox=box)
        axes.set_xticks(
            range(len(paths) + 1), [*(path.replace(".", ".\n") for path in paths), f"validation\n{objective.title}"]
        )
        axes.set(yticks=[], ylim=(-0.08, 1.08), xlim=(-0.1, len(paths) + 0.35))
        axes.spines[["left", "bottom"]].set_visible(False)

    worst, best = ("lowest", "highest") if objective.higher_is_better else ("highest", "lowest")
    caption = (
        f"Parallel coordinates: every complete searched trial is a line, from dark ({worst} {objective.title}) to "
        f"yellow ({best}); the most important settings first. Red: the reported trial."
    )
    return draw("parallel", caption, 3.8, fill, letters=letters)


def _letters(search: ReportedSearch, paths: Sequence[str]) -> Lettering:
    """Fonts for the values of settings, such as names of folders."""
    return lettering_for(displayed(path, trial.values.get(path)) for path in paths for trial in search.trials)


def _axis(
    search: ReportedSearch, path: str, trials: Sequence[StudyTrial], letters: Lettering
) -> tuple[list[float], list[tuple[float, str]]]:
    """The height at which each trial crosses a setting's axis, 0 to 1 (NaN: it has no place), and the axis's ticks."""
    span = search.definition.search[path]
    values = [trial.values.get(path) for trial in trials]
    if not isinstance(span, FloatRange | IntRange):
        names = sorted({displayed(path, value) for value in values if value is not None})
        steps = max(len(names) - 1, 1)
        place = {name: number / steps for number, name in enumerate(names)}
        return [place.get(displayed(path, value), math.nan) for value in values], [
            (at, letters(name, 24)) for name, at in place.items()
        ]
    scale = math.log if span.log else float
    low, high = scale(span.low), scale(span.high)

    def height(value: Value | None) -> float:
        if not _is_number(value) or (span.log and value <= 0):
            return math.nan
        return min(max((scale(value) - low) / (high - low or 1.0), -0.05), 1.05)

    return [height(value) for value in values], [(0.0, f"{span.low:g}"), (1.0, f"{span.high:g}")]
