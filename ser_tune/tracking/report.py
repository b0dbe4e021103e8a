"""What a trial leaves in MLflow: metrics, curves, the confusion matrix."""

import hashlib
import re
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from mlflow.entities import Metric

from ..corpora import Corpus
from ..drawing import draw_to, lettering_for
from ..resampling.old import Scores, confusion
from ..study import FoldOutcome, HeldOut

if TYPE_CHECKING:
    from matplotlib.figure import Figure

__all__ = ["FOREIGN", "curves", "draw_confusion", "held_out_of", "metric_names", "score_metrics"]

CURVES = ("train_loss", "validation_loss", "validation_uar", "validation_wa", "learning_rate", "seconds")
LONGEST_NAME = 14
"""Characters of an emotion that a picture has room for."""
FOREIGN = re.compile(r"[^\w .-]")
LONGEST_LABEL = 150
"""Characters of a label in a metric's name, of which MLflow takes 250."""
"""What MLflow does not take in the name of a metric, but an emotion of somebody's own corpus may have in its own."""


def score_metrics(scores: Scores, emotions: Sequence[str], side: str) -> dict[str, float]:
    """Aggregate metrics by name.

    Args:
        scores: Of one side.
        emotions: Names of the classes.
        side: Prefix: `validation`, `test`, or `partial_validation` where not all folds are in.

    Returns:
        Without the ends of intervals that are not known.
    """
    intervals, names = {"uar": scores.uar_interval, "wa": scores.wa_interval}, metric_names(emotions)
    return {
        f"{side}_uar": scores.uar,
        f"{side}_wa": scores.wa,
        **{f"{side}_{name}_low": one.low for name, one in intervals.items() if one.known},
        **{f"{side}_{name}_high": one.high for name, one in intervals.items() if one.known},
        f"{side}_uar_fold_mean": scores.fold_uar_mean,
        f"{side}_uar_fold_std": scores.fold_uar_std,
        f"{side}_wa_fold_mean": scores.fold_wa_mean,
        f"{side}_wa_fold_std": scores.fold_wa_std,
        **{f"{side}_recall/{names[emotions[label]]}": recall for label, recall in scores.recalls.items()},
    }


def metric_names(labels: Sequence[str]) -> dict[str, str]:
    """The end of a metric's name for each of some labels: one for each, with MLflow's characters alone.

    >>> metric_names(["joy", "fear/anxiety"])
    {'joy': 'joy', 'fear/anxiety': 'fear_anxiety'}
    >>> len(set(metric_names([chr(0x1F600), chr(0x1F620)]).values()))
    2

    Args:
        labels: All labels that are told apart. Of those that would have one name, each has a hash of its own behind it.
    """
    plain = {label: FOREIGN.sub("_", label) for label in labels}
    shared = Counter(name.casefold() for name in plain.values())

    def named(label: str, name: str) -> str:
        if shared[name.casefold()] == 1 and len(name) <= LONGEST_LABEL:
            return name
        return f"{name[:LONGEST_LABEL]}-{hashlib.sha256(label.encode()).hexdigest()[:8]}"

    return {label: named(label, name) for label, name in plain.items()}


def curves(folds: Sequence[FoldOutcome]) -> Iterator[Metric]:
    """Every fold's figures after every epoch; the step is the epoch."""
    now = int(time.time() * 1000)
    for one in folds:
        for report in one.fitted.history:
            for name in CURVES:
                yield Metric(f"fold_{one.fold.number:02d}/{name}", getattr(report, name), now, report.epoch)
        yield Metric(f"fold_{one.fold.number:02d}/kept_epoch", one.fitted.epoch, now, 0)


def held_out_of(folds: Sequence[FoldOutcome], corpus: Corpus, scores: Scores) -> HeldOut:
    """The validation predictions of a trial's folds."""
    held_out = np.concatenate([one.fold.validation for one in folds])
    return HeldOut(
        scores=scores,
        utterances=tuple(corpus.utterances[one].id for one in held_out),
        fold=np.concatenate([np.full(len(one.truth), one.fold.number) for one in folds]),
        truth=np.concatenate([one.truth for one in folds]),
        log_probabilities=np.concatenate([one.fitted.validation for one in folds]),
    )


def draw_confusion(path: Path, held_out: HeldOut, emotions: Sequence[str], title: str) -> None:
    """A picture of the pooled confusion matrix: counts, shaded by the row's fraction."""
    counts = confusion(held_out.truth, held_out.log_probabilities.argmax(axis=1), len(emotions))
    fractions = counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)
    letters = lettering_for([*emotions, title])
    names = [letters(name, LONGEST_NAME) for name in emotions]

    def fill(figure: "Figure") -> None:
        axes = figure.subplots()
        axes.imshow(fractions, cmap="Blues", vmin=0, vmax=1)
        axes.set(xlabel="predicted", ylabel="truth", title=letters(title))
        axes.set_xticks(range(len(emotions)), names, rotation=45, ha="right")
        axes.set_yticks(range(len(emotions)), names)
        for row, column in np.ndindex(counts.shape):
            shade = "white" if fractions[row, column] > 0.5 else "black"
            count = axes.text(column, row, str(counts[row, column]), ha="center", va="center", color=shade)
            count.set_in_layout(False)  # lies inside the axes: measuring all of them takes longer than drawing

    width, height = 1.6 + 0.75 * len(emotions), 1.2 + 0.7 * len(emotions)
    draw_to(path, height, fill, width=width, dpi=100, letters=letters)
