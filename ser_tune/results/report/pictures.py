"""Pictures of a report, as SVG: the search's history, importances, slices, folds, learning curves, calibration."""

import io
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import matplotlib as mpl
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import LogLocator, MaxNLocator, NullFormatter

from ...config import FloatRange, IntRange, Value
from ...tracking import Predictions
from ..trials import StudyTrial
from .evidence import Report, Search

__all__ = ["Picture", "pictures_of"]

BLUE, RED, GREY = "#2b6cb0", "#c53030", "#a0aec0"
MOST_ROWS = 60
"""Trials of the heat map: the best ones."""
MOST_SLICES = 12
"""Settings that have a slice: the most important ones."""
BINS = 10
"""Of confidence, in the calibration."""
_STYLE: dict[Any, Any] = {
    "text.parse_math": False,  # a name may contain a dollar sign
    "svg.hashsalt": "ser-tune",  # the same picture is the same file
    "font.size": 9,
    "axes.spines.top": False,
    "axes.spines.right": False,
}


@dataclass(frozen=True, slots=True)
class Picture:
    """One picture and what it shows."""

    name: str
    """A file's name without its suffix."""
    caption: str
    svg: bytes


def pictures_of(report: Report) -> dict[str, Picture]:
    """Every picture that the report has the numbers for, by name."""
    found = []
    if (search := report.search) is not None and search.definition.search and search.summary.complete > 1:
        found.append(_history(search))
        if search.importances:
            found.append(_importances(search.importances))
        found.append(_slices(search, report.trial))
        if len(search.folds) > 1:
            found.append(_folds(search))
    if any(len(fold) > 1 for folds in report.curves.values() for fold in folds):
        found.append(_learning(report.curves))
    if (predictions := report.predictions.get("validation")) is not None and predictions.probabilities.size:
        found.append(_calibration(predictions))
    return {one.name: one for one in found}


def _draw(name: str, caption: str, size: tuple[float, float], fill: Callable[[Figure], None]) -> Picture:
    """Have a figure filled, and keep it as SVG."""
    with mpl.rc_context(_STYLE):
        figure = Figure(figsize=size, layout="constrained")
        fill(figure)
        file = io.BytesIO()
        figure.savefig(file, format="svg", metadata={"Date": None})
    return Picture(name, caption, file.getvalue())


def _history(search: Search) -> Picture:
    searched = [one for one in search.trials if one.confirms is None]
    complete = [(one.number, one.validation_uar) for one in searched if one.validation_uar is not None]
    again = [(one.number, one.validation_uar) for one in search.trials if one.confirms is not None]
    again = [(number, score) for number, score in again if score is not None]
    pruned = [one.number for one in searched if one.state == "PRUNED"]

    def fill(figure: Figure) -> None:
        axes = figure.subplots()
        numbers, scores = zip(*complete, strict=True)
        axes.plot(numbers, scores, "o", color=BLUE, markersize=4, label="complete")
        axes.step(numbers, np.maximum.accumulate(scores), where="post", color=RED, linewidth=1, label="best so far")
        if again:
            axes.plot(*zip(*again, strict=True), "D", color="black", markersize=4, label="confirmation, fresh seed")
        _rug(axes, pruned)
        axes.set(xlabel="trial", ylabel="pooled validation UAR")
        axes.xaxis.set_major_locator(MaxNLocator(integer=True))
        figure.legend(loc="outside upper left", ncols=4, frameon=False)

    return _draw("history", "Optimisation history. Marks on the axis: trials that were pruned.", (7.5, 3.2), fill)


def _rug(axes: Axes, places: Sequence[float]) -> None:
    """Marks along the lower edge, for trials without a score."""
    axes.plot(
        places,
        np.zeros(len(places)),
        "|",
        color="black",
        markersize=8,
        transform=axes.get_xaxis_transform(),
        clip_on=False,
    )


def _importances(shares: Mapping[str, float]) -> Picture:
    paths = list(shares)[::-1]

    def fill(figure: Figure) -> None:
        axes = figure.subplots()
        bars = axes.barh(paths, [shares[path] for path in paths], color=BLUE)
        axes.bar_label(bars, fmt="%.2f", padding=3)
        axes.set(xlabel="share of the importance", xlim=(0, 1.1 * max(shares.values())))

    caption = "Importance of the searched settings for the validation UAR (PED-ANOVA, complete searched trials)."
    return _draw("importances", caption, (7.5, 0.8 + 0.25 * len(paths)), fill)


def _slices(search: Search, chosen: int | None) -> Picture:
    paths = sorted(search.definition.search, key=lambda path: (-search.importances.get(path, 0.0), path))[:MOST_SLICES]
    columns = min(4, len(paths))
    rows = math.ceil(len(paths) / columns)
    complete = [one for one in search.trials if one.validation_uar is not None and one.confirms is None]
    scores = [one.validation_uar for one in complete]
    best = [one for one in search.trials if one.number == chosen and one.validation_uar is not None]

    def fill(figure: Figure) -> None:
        grid = figure.subplots(rows, columns, sharey=True, squeeze=False)
        for axes in grid.flat[len(paths) :]:
            axes.remove()
        for path, axes in zip(paths, grid.flat, strict=False):
            span = search.definition.search[path]
            numeric = isinstance(span, FloatRange | IntRange)
            names = [] if numeric else sorted({str(one.values.get(path)) for one in search.trials})
            for trials, colour, size in ((complete, BLUE, 4), (best, RED, 6)):
                points = [
                    (_place(one.values.get(path), names), one.validation_uar)
                    for one in trials
                    if _drawable(one, path, numeric)
                ]
                if points:
                    axes.plot(*zip(*points, strict=True), "o", color=colour, markersize=size, alpha=0.8)
            if isinstance(span, FloatRange | IntRange):  # the whole range, so that what was not tried shows
                axes.update_datalim([(span.low, scores[0]), (span.high, scores[0])])
                axes.autoscale_view()
            if isinstance(span, FloatRange | IntRange) and span.log:
                axes.set_xscale("log")
                axes.xaxis.set_major_locator(LogLocator(numticks=4))
                axes.xaxis.set_major_formatter(lambda value, _: f"{value:g}")
                axes.xaxis.set_minor_formatter(NullFormatter())
            if not numeric:
                axes.set_xticks(range(len(names)), names, rotation=30, ha="right")
                axes.margins(x=0.2)
            axes.set_xlabel(path)
        figure.supylabel("validation UAR")

    caption = "Validation UAR over each searched setting, the most important first. Red: the reported trial."
    return _draw("slices", caption, (7.5, 2.1 * rows + 0.2), fill)


def _drawable(trial: StudyTrial, path: str, numeric: bool) -> bool:
    """Whether a trial has a place in a slice: one may have a value that is no number, as trial 0 may."""
    value = trial.values.get(path)
    return not numeric or (isinstance(value, int | float) and not isinstance(value, bool))


def _place(value: Value, names: Sequence[str]) -> float:
    """Where a value is drawn: at its number, or of a choice at its position."""
    return float(names.index(str(value))) if names else float(value or 0.0)


def _folds(search: Search) -> Picture:
    best_first = sorted(search.folds, key=lambda number: -float(np.mean(search.folds[number])))[:MOST_ROWS]
    scores = np.array([search.folds[number] for number in best_first])

    def fill(figure: Figure) -> None:
        axes = figure.subplots()
        image = axes.imshow(scores, cmap="viridis", aspect="auto", interpolation="nearest")
        axes.set_yticks(range(len(best_first)), [str(number) for number in best_first], fontsize=7)
        axes.set_xticks(range(scores.shape[1]), [str(fold) for fold in range(scores.shape[1])])
        axes.set(xlabel="fold", ylabel="trial, the best mean first")
        figure.colorbar(image, ax=axes, label="validation UAR")

    caption = "Validation UAR of every fold of the complete searched trials. A dark column is a hard fold."
    return _draw("folds", caption, (7.5, 1.3 + 0.14 * len(best_first)), fill)


def _learning(curves: Mapping[str, Sequence[Sequence[float]]]) -> Picture:
    sides = [
        ("loss", (("train_loss", GREY, "training"), ("validation_loss", BLUE, "validation"))),
        ("UAR", (("validation_uar", BLUE, "validation"),)),
    ]

    def fill(figure: Figure) -> None:
        for axes, (quantity, metrics) in zip(figure.subplots(1, 2), sides, strict=True):
            for name, colour, label in metrics:
                folds = [np.asarray(fold) for fold in curves.get(name, ())]
                for fold in folds:
                    axes.plot(np.arange(1, len(fold) + 1), fold, color=colour, linewidth=0.6, alpha=0.4)
                shared = min(map(len, folds), default=0)
                mean = np.mean([fold[:shared] for fold in folds], axis=0) if shared else []
                axes.plot(np.arange(1, shared + 1), mean, color=colour, linewidth=2, label=f"{label}, mean")
            axes.set(xlabel="epoch", ylabel=quantity)
            axes.xaxis.set_major_locator(MaxNLocator(integer=True))
            axes.legend(frameon=False)

    return _draw("learning", "Learning curves of the reported trial: each fold, and the mean.", (7.5, 3.0), fill)


def _calibration(predictions: Predictions) -> Picture:
    from sklearn.calibration import calibration_curve  # a second

    confidence = np.clip(predictions.probabilities.max(axis=1), 0.0, 1.0)
    right = predictions.truth == predictions.predicted
    fraction, mean = calibration_curve(right, confidence, n_bins=BINS)

    def fill(figure: Figure) -> None:
        curve, counts = figure.subplots(1, 2)
        curve.plot([0, 1], [0, 1], color=GREY, linewidth=1)
        curve.plot(mean, fraction, "o-", color=BLUE)
        curve.set(xlabel="mean confidence", ylabel="fraction right", xlim=(0, 1.02), ylim=(0, 1.02))
        counts.hist(confidence, bins=np.linspace(0, 1, BINS + 1), color=BLUE)
        counts.set(xlabel="confidence", ylabel="utterances")

    caption = "Calibration on validation speakers: probability of the predicted emotion, and how often it is right."
    return _draw("calibration", caption, (7.5, 2.8), fill)
