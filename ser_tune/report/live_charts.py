"""Charts of a running search, as numbers that a template draws in SVG: quick enough to be drawn every few seconds."""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from ..coordination import TrialCourse
from ..metrics import Metric, Ranking

__all__ = ["HEIGHT", "WIDTH", "Chart", "Dot", "Line", "charts_of"]

WIDTH, HEIGHT = 480, 240
"""The size of a drawing, in units of SVG."""
LEFT, RIGHT, TOP, BOTTOM = 58, 12, 10, 44
"""Margins around the axes."""
TICKS = 5
"""Ticks of an axis, about."""
MOST_LINES = 60
"""Trials of the chart of folds: the newest ones, and the best."""


@dataclass(frozen=True, slots=True)
class Line:
    """A line of a chart."""

    kind: str
    """The class that gives it a colour: `best`, `running` or `ended`."""
    points: str
    """As SVG has them: `x,y x,y`."""


@dataclass(frozen=True, slots=True)
class Dot:
    """A point of a chart, which shows its title under the pointer."""

    kind: str
    x: float
    y: float
    title: str


@dataclass(frozen=True, slots=True)
class Chart:
    """A chart in units of SVG."""

    caption: str
    x_label: str
    y_label: str
    lines: Sequence[Line]
    dots: Sequence[Dot]
    x_ticks: Sequence[tuple[float, str]]
    y_ticks: Sequence[tuple[float, str]]


@dataclass(frozen=True, slots=True)
class _Axes:
    """The ranges of both axes, in units of the data."""

    low_x: float
    high_x: float
    low_y: float
    high_y: float

    @classmethod
    def around(cls, xs: Iterable[float], ys: Iterable[float]) -> "_Axes":
        """The axes that show these points, with some room above and below."""
        xs, ys = list(xs), [y for y in ys if math.isfinite(y)] or [0.0]
        room = 0.06 * (max(ys) - min(ys)) or 0.05
        return cls(min(xs), max(max(xs), min(xs) + 1), min(ys) - room, max(ys) + room)

    def x(self, value: float) -> float:
        """The place of a value on the horizontal axis."""
        return round(LEFT + (value - self.low_x) / (self.high_x - self.low_x) * (WIDTH - LEFT - RIGHT), 1)

    def y(self, value: float) -> float:
        """The place of a value on the vertical axis."""
        return round(HEIGHT - BOTTOM - (value - self.low_y) / (self.high_y - self.low_y) * (HEIGHT - TOP - BOTTOM), 1)

    def line(self, kind: str, points: Iterable[tuple[float, float]]) -> Line:
        """A line through points; those without a value are left out."""
        return Line(kind, " ".join(f"{self.x(x)},{self.y(y)}" for x, y in points if math.isfinite(y)))

    def chart(self, caption: str, labels: tuple[str, str], lines: Sequence[Line], dots: Sequence[Dot] = ()) -> Chart:
        """A chart on these axes."""
        x_ticks = [(self.x(value), f"{value:g}") for value in _round_numbers(self.low_x, self.high_x, whole=True)]
        y_ticks = [(self.y(value), f"{value:g}") for value in _round_numbers(self.low_y, self.high_y)]
        return Chart(caption, *labels, lines, dots, x_ticks, y_ticks)


def charts_of(trials: Sequence[TrialCourse], objective: Metric) -> list[Chart]:
    """The charts that a search has the numbers for: its trials, their folds, and the epochs of the best."""
    ranking = Ranking(objective)
    searched = [trial for trial in trials if trial.confirms is None]
    complete = [trial for trial in searched if trial.score is not None]
    best = ranking.best(complete, lambda trial: trial.score, lambda trial: trial.number)
    found = []
    if complete:
        found.append(_history(searched, complete, ranking, objective))
    lines = [trial for trial in searched if len(trial.after_folds) > 1]
    if lines:
        found.append(_folds(lines, best, objective))
    if best is not None and any(len(fold) > 1 for fold in best.after_epochs):
        found.append(_epochs(best, objective))
    return found


def _history(
    searched: Sequence[TrialCourse], complete: Sequence[TrialCourse], ranking: Ranking, objective: Metric
) -> Chart:
    """Scores of trials in their order, and the best so far; pruned and failed trials at the bottom."""
    scores = [trial.score for trial in complete if trial.score is not None]
    best = ranking.best_so_far(scores)
    axes = _Axes.around([trial.number for trial in searched], scores)
    steps, last = list[tuple[float, float]](), searched[-1].number
    for trial, height in zip(complete, best, strict=True):
        steps += [(trial.number, steps[-1][1] if steps else height), (trial.number, height)]
    steps.append((last, best[-1]))
    dots = [
        Dot("complete", axes.x(trial.number), axes.y(score), f"trial {trial.number}: {objective.title} {score:.4f}")
        for trial, score in zip(complete, scores, strict=True)
    ]
    ended = {"PRUNED": "pruned", "FAIL": "failed"}
    dots += [
        Dot(
            ended[trial.state], axes.x(trial.number), HEIGHT - BOTTOM - 4, f"trial {trial.number}: {ended[trial.state]}"
        )
        for trial in searched
        if trial.state in ended
    ]
    caption = "Every trial, and the best so far. Marks on the axis: pruned or failed."
    return axes.chart(caption, ("trial", f"validation {objective.title}"), [axes.line("best", steps)], dots)


def _folds(trials: Sequence[TrialCourse], best: TrialCourse | None, objective: Metric) -> Chart:
    """The mean score after each fold: of the newest trials, of the running ones and of the best."""
    marked = {trial.number: "running" for trial in trials if trial.state == "RUNNING"}
    if best is not None:
        marked[best.number] = "best"
    chosen = [trial for trial in trials[-MOST_LINES:] if trial.number not in marked]
    chosen += [trial for trial in trials if trial.number in marked]
    points = {trial.number: list(enumerate(trial.after_folds, start=1)) for trial in chosen}
    axes = _Axes.around(*zip(*(point for line in points.values() for point in line), strict=True))
    lines = [axes.line(marked.get(number, "ended"), line) for number, line in points.items()]
    dots = [
        Dot(marked.get(number, "ended"), axes.x(line[-1][0]), axes.y(line[-1][1]), f"trial {number}: {line[-1][1]:.4f}")
        for number, line in points.items()
        if math.isfinite(line[-1][1])
    ]
    caption = (
        "Mean score after each fold: a line is a trial. Red: the best. Blue: running now. Shorter lines were pruned."
    )
    return axes.chart(caption, ("folds that have ended", f"mean validation {objective.title}"), lines, dots)


def _epochs(best: TrialCourse, objective: Metric) -> Chart:
    """The score that each fold of the best trial would keep after each epoch."""
    folds = [list(enumerate(fold, start=1)) for fold in best.after_epochs if len(fold) > 1]
    axes = _Axes.around(*zip(*(point for fold in folds for point in fold), strict=True))
    caption = f"Trial {best.number}, the best: the score of each fold after each epoch."
    lines = [axes.line("fold", fold) for fold in folds]
    return axes.chart(caption, ("epoch", f"validation {objective.title}"), lines)


def _round_numbers(low: float, high: float, *, whole: bool = False) -> list[float]:
    """Round numbers in a range, about `TICKS` of them.

    >>> _round_numbers(0.63, 0.92)
    [0.65, 0.7, 0.75, 0.8, 0.85, 0.9]
    >>> _round_numbers(0, 4, whole=True)
    [0.0, 1.0, 2.0, 3.0, 4.0]
    """
    size = 10 ** math.floor(math.log10((high - low) / TICKS))
    step = next(factor * size for factor in (1, 2, 5, 10) if factor * size >= (high - low) / TICKS * 0.8)
    step = max(step, 1.0) if whole else step
    first = math.ceil(low / step - 1e-9)
    return [round(number * step, 10) + 0.0 for number in range(first, math.floor(high / step + 1e-9) + 1)]
