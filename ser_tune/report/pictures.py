"""Pictures of a report, by name: the search, the training, and the predictions by class and by speaker."""

import math
from collections.abc import Callable, Mapping, Sequence

import numpy as np
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from ..drawing import BLUE, GREY, RED, Picture, draw, lettering_for
from ..metrics import Metric, reliability
from ..tracking import Predictions
from .output_pictures import ratings_picture, shares_picture, speakers_picture
from .reported import ReportedResult
from .search_pictures import search_pictures
from .tables import confusions_of, outputs_of, parted, speakers_of

__all__ = ["pictures_of"]

BINS = 10
"""Bins of confidence in the calibration."""
MOST_SPEAKERS = 24
"""Speakers with a confusion matrix of their own: the hardest ones."""
COLOURS = {"validation": GREY, "test": BLUE, "holdout": RED}


def pictures_of(report: ReportedResult) -> dict[str, Picture]:
    """Every picture that the report has the numbers for, by name."""
    found = []
    if (search := report.search) is not None and search.definition.search and search.summary.complete > 1:
        found += search_pictures(search, report.trial)
    if any(len(fold) > 1 for folds in report.curves.values() for fold in folds):
        found.append(_learning(report.curves, report.objective))
    if report.predictions:
        found += _of_predictions(report)
    return {picture.name: picture for picture in found}


def _of_predictions(report: ReportedResult) -> list[Picture]:
    """Pictures of single outputs on all sides, and of the speakers and the kind of predictions on the last side."""
    found, (side, last) = [], list(report.predictions.items())[-1]
    if (metric := parted(report.scored)) is not None:
        found.append(_outputs(report.predictions, metric, report.task.answer))
    return [*found, *_BY_KIND.get(report.task.predictions, _of_speakers)(report, side, last)]


def _of_classes(report: ReportedResult, side: str, last: Predictions) -> list[Picture]:
    found = [_speakers(side, last, report.objective)]
    if last.shown.size:
        found.append(_calibration(side, last, report.task.answer))
    return found


def _of_speakers(report: ReportedResult, side: str, last: Predictions) -> list[Picture]:
    return [speakers_picture(side, last, report.objective)]


def _of_ratings(report: ReportedResult, side: str, last: Predictions) -> list[Picture]:
    return [ratings_picture(side, last, report.objective), *_of_speakers(report, side, last)]


def _of_shares(report: ReportedResult, side: str, last: Predictions) -> list[Picture]:
    return [shares_picture(side, last), *_of_speakers(report, side, last)]


_BY_KIND: Mapping[str, Callable[[ReportedResult, str, Predictions], list[Picture]]] = {
    "classes": _of_classes,
    "dimensions": _of_ratings,
    "distributions": _of_shares,
    "label_scores": _of_shares,
}
"""Kind of predictions to its pictures; others have those of speakers."""


def _learning(curves: Mapping[str, Sequence[Sequence[float]]], objective: Metric) -> Picture:
    """Curves of loss and objective over epochs."""
    quantities = [
        ("loss", (("train_loss", GREY, "training"), ("validation_loss", BLUE, "validation"))),
        (objective.title, ((f"validation_{objective.name}", BLUE, "validation"),)),
    ]

    def fill(figure: Figure) -> None:
        for axes, (quantity, metrics) in zip(figure.subplots(1, 2), quantities, strict=True):
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

    return draw("learning", "Learning curves of the reported trial: each fold, and the mean.", 3.2, fill)


def _outputs(predictions: Mapping[str, Predictions], metric: Metric, answer: str) -> Picture:
    """The value of a metric for every output, such as the recall of a class, with its interval, side by side."""
    names = next(iter(predictions.values())).names
    letters = lettering_for(names)

    def fill(figure: Figure) -> None:
        axes = figure.subplots()
        for number, (side, judged) in enumerate(predictions.items()):
            for row in outputs_of(judged, metric):
                place = names.index(row.name) + 0.22 * (number - (len(predictions) - 1) / 2)
                colour = COLOURS[side]
                if row.interval.known:
                    axes.plot([row.interval.low, row.interval.high], [place, place], color=colour, linewidth=2)
                axes.plot([row.value], [place], "o", color=colour, markersize=6)
            axes.plot([], [], "o-", color=COLOURS[side], label=f"{side} speakers")
        axes.set_yticks(range(len(names)), [letters(name, 24) for name in names])
        axes.set(xlabel=metric.part, ylim=(len(names) - 0.5, -0.5))
        if (margin := 0.02 * (metric.high - metric.low)) < math.inf:
            axes.set_xlim(metric.low - margin, metric.high + margin)
        if metric.chance is not None:
            axes.axvline(metric.chance(len(names)), color="#718096", linewidth=0.8, linestyle=":")
        axes.grid(axis="x", color="#e2e8f0")
        figure.legend(loc="outside upper left", ncols=3, frameon=False)

    chance = "" if metric.chance is None else " Dotted: chance."
    part = metric.part[:1].upper() + metric.part[1:]
    caption = f"{part} of every {answer}, with 95 % intervals by bootstrap over speakers.{chance}"
    return draw(f"{metric.part.replace(' ', '_')}s", caption, 0.9 + 0.36 * len(names), fill, letters=letters)


def _speakers(side: str, predictions: Predictions, objective: Metric) -> Picture:
    """A confusion matrix of every speaker, the hardest first."""
    hardest = speakers_of(predictions, objective, of_classes=True)[:MOST_SPEAKERS]
    order = {str(name): number for number, name in enumerate(np.unique(predictions.speakers))}
    columns = min(5, len(hardest))
    rows = -(-len(hardest) // columns)
    letters = lettering_for([*predictions.names, *(row.speaker for row in hardest)])
    short = [letters(name, 9) for name in predictions.names]
    confusions = confusions_of(predictions)

    def fill(figure: Figure) -> None:
        grid = figure.subplots(rows, columns, squeeze=False, sharex=True, sharey=True)
        for axes in grid.flat[len(hardest) :]:
            axes.set_visible(False)
        for axes, row in zip(grid.flat, hardest, strict=False):
            counts = confusions[order[row.speaker]]
            axes.imshow(counts / np.maximum(counts.sum(axis=1, keepdims=True), 1), cmap="Blues", vmin=0, vmax=1)
            for truth, predicted in zip(*np.nonzero(counts), strict=True):
                count = counts[truth, predicted]
                colour = "white" if count > counts[truth].sum() / 2 else "#1a202c"
                axes.text(predicted, truth, str(count), ha="center", va="center", fontsize=6.5, color=colour)
            score = "undefined" if math.isnan(row.score) else f"{row.score:.2f}"
            axes.set_title(f"{letters(row.speaker, 10)}: {objective.title} {score}", fontsize=9)
            axes.set_xticks(range(len(short)), short, fontsize=6.5, rotation=90)
            axes.set_yticks(range(len(short)), short, fontsize=6.5)
            axes.spines[["left", "bottom"]].set_visible(False)
            axes.tick_params(length=0)
        figure.supylabel("truth", fontsize=9)
        figure.supxlabel("predicted", fontsize=9)

    shown = "" if len(hardest) == len(order) else f", the {MOST_SPEAKERS} hardest of {len(order)}"
    worst = "lowest" if objective.higher_is_better else "highest"
    caption = f"Confusion of every {side} speaker, the {worst} {objective.title} first{shown}; shade: share of the row."
    return draw("speakers", caption, 0.8 + 1.85 * rows, fill, letters=letters)


def _calibration(side: str, predictions: Predictions, answer: str) -> Picture:
    """Accuracy over confidence, and a histogram of confidence."""
    highest = predictions.shown.max(axis=1)
    confidence = np.clip(highest, 0.0, 1.0)
    # A task may decide otherwise than for the most probable class
    decided = (predictions.shown[np.arange(len(highest)), predictions.predicted] == highest).all()
    which = f"predicted {answer}" if decided else f"most probable {answer}"
    bins = reliability(predictions.shown, predictions.truth, bins=BINS)

    def fill(figure: Figure) -> None:
        curve, counts = figure.subplots(1, 2)
        curve.plot([0, 1], [0, 1], color=GREY, linewidth=1)
        curve.plot(bins.confidence, bins.accuracy, "-", color=BLUE, linewidth=1)
        curve.scatter(bins.confidence, bins.accuracy, s=20 + 200 * bins.count / bins.count.sum(), color=BLUE)
        for place, height, count in zip(bins.confidence, bins.accuracy, bins.count, strict=True):
            curve.annotate(str(count), (place, height), (6, -10), textcoords="offset points", fontsize=7.5)
        curve.set(xlabel="mean confidence", ylabel="fraction right", xlim=(0, 1.02), ylim=(-0.02, 1.05))
        heights, _, bars = counts.hist(confidence, bins=np.linspace(0, 1, BINS + 1), color=BLUE, rwidth=0.95)
        counts.bar_label(bars, ["" if height == 0 else f"{height:.0f}" for height in heights], fontsize=7.5)
        counts.set(xlabel="confidence", ylabel="utterances")

    caption = (
        f"Calibration on {side} speakers: probability of the {which}, and how often it is right. Expected "
        f"calibration error {bins.ece:.3f}. Numbers beside dots, and larger dots: utterances."
    )
    return draw("calibration", caption, 3.0, fill)
