"""Pictures of predictions that are numbers: ratings of dimensions, shares of votes, scores of several emotions."""

import math

import numpy as np
from matplotlib.figure import Figure

from ..drawing import BLUE, COLUMNS, GREY, Picture, draw, fill_ratings, lettering_for
from ..metrics import Metric
from ..tracking import Predictions
from .tables import outputs_of, speakers_of

__all__ = ["ratings_picture", "shares_picture", "speakers_picture"]

BINS = 10
MOST_SPEAKERS = 40
"""Speakers whose scores are drawn: the hardest ones."""


def ratings_picture(side: str, predictions: Predictions, objective: Metric) -> Picture:
    """Predicted over true ratings of every dimension, as density."""
    names, truth, predicted = predictions.names, predictions.truth, predictions.predicted
    values = {row.name: row.value for row in outputs_of(predictions, objective)} if objective.parts else {}
    letters = lettering_for(names)
    scores = [f": {objective.title} {values[name]:.3f}" if name in values else "" for name in names]

    def fill(figure: Figure) -> None:
        titles = [f"{letters(name, 24)}{score}" for name, score in zip(names, scores, strict=True)]
        fill_ratings(figure, truth, predicted, titles)

    caption = f"Predicted over true ratings of {side} speakers, darker where there are more utterances."
    return draw("ratings", caption, 0.6 + 2.6 * -(-len(names) // COLUMNS), fill, letters=letters)


def speakers_picture(side: str, predictions: Predictions, objective: Metric) -> Picture:
    """The score of every speaker, the hardest first."""
    scores = speakers_of(predictions, objective, of_classes=False)
    hardest = [row for row in scores if not math.isnan(row.score)][:MOST_SPEAKERS]
    letters = lettering_for([row.speaker for row in hardest])

    def fill(figure: Figure) -> None:
        axes = figure.subplots()
        axes.bar(range(len(hardest)), [row.score for row in hardest], color=BLUE, width=0.7)
        axes.set_xticks(range(len(hardest)), [letters(row.speaker, 10) for row in hardest], rotation=90, fontsize=7)
        axes.set_ylabel(objective.title)
        axes.axhline(0, color=GREY, linewidth=0.8)

    shown = "" if len(hardest) == len(scores) else f", {len(hardest)} of {len(scores)}"
    return draw(
        "speakers", f"{objective.title} of every {side} speaker, the hardest first{shown}.", 2.6, fill, letters=letters
    )


def shares_picture(side: str, predictions: Predictions) -> Picture:
    """True shares, or frequencies, of each emotion over predicted ones, in bins of equal width: calibration."""
    names, truth, shown = predictions.names, predictions.truth.astype(np.float64), predictions.shown
    bin_of = np.clip(np.ceil(np.round(shown * BINS, 6)).astype(int) - 1, 0, BINS - 1)
    rows = -(-len(names) // COLUMNS)
    letters = lettering_for(names)

    def fill(figure: Figure) -> None:
        grid = figure.subplots(rows, COLUMNS, squeeze=False, sharex=True, sharey=True)
        for axes in grid.flat[len(names) :]:
            axes.set_visible(False)
        for column, (axes, name) in enumerate(zip(grid.flat, names, strict=False)):
            count = np.bincount(bin_of[:, column], minlength=BINS)
            used = count > 0
            predicted = np.bincount(bin_of[:, column], shown[:, column], minlength=BINS)[used] / count[used]
            true = np.bincount(bin_of[:, column], truth[:, column], minlength=BINS)[used] / count[used]
            axes.plot([0, 1], [0, 1], color=GREY, linewidth=1)
            axes.plot(predicted, true, "-", color=BLUE, linewidth=1)
            axes.scatter(predicted, true, s=12 + 160 * count[used] / count.sum(), color=BLUE)
            axes.set_title(letters(name, 24), fontsize=9)
            axes.set(xlim=(-0.02, 1.02), ylim=(-0.02, 1.02))
        figure.supxlabel("mean predicted share", fontsize=9)
        figure.supylabel("mean true share", fontsize=9)

    caption = (
        f"Calibration of every output on {side} speakers: predicted shares, and the true ones where they are "
        "predicted. Larger dots: more utterances."
    )
    return draw("shares", caption, 0.6 + 2.3 * rows, fill, letters=letters)
