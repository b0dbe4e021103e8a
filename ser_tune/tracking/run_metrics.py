"""Contents of a run in MLflow: metrics, curves, predictions, the confusion matrix."""

import hashlib
import math
import re
import tempfile
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from mlflow.entities import Metric, Run

from ..corpora import Corpus
from ..drawing import draw_to, lettering_for
from ..metrics import METRICS, confusions
from ..resampling import Scores
from ..tasks import Task
from .prediction_tables import predictions_file, read_predictions, write_predictions
from .runs import objective_of, score_of, task_of
from .workspace import Workspace

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from ..search import FoldOutcome, HeldOut

__all__ = [
    "FOREIGN",
    "curves",
    "draw_confusion",
    "draw_validation",
    "held_out_of",
    "metric_names",
    "objective_key",
    "picture_file",
    "score_metrics",
    "write_held_out",
]

LONGEST_NAME = 14
"""Characters of a class that a picture has room for."""
FOREIGN = re.compile(r"[^\w .-]")
"""Characters that MLflow does not take in a metric's name, but which the name of a corpus's own class may have."""
LONGEST_LABEL = 150
"""Characters of a label in a metric's name, of which MLflow takes 250."""


def objective_key(name: str) -> str:
    """The name in MLflow of a trial's value by an objective that is no metric of predictions.

    >>> objective_key("worst_group_uar:gender")
    'objective_worst_group_uar_gender'
    """
    return f"objective_{FOREIGN.sub('_', name)}"


def score_metrics(scores: Scores, names: Sequence[str], side: str) -> dict[str, float]:
    """Aggregate metrics by name.

    Args:
        scores: Of one side.
        names: Of the task's outputs, such as its classes.
        side: Prefix: `validation`, `test`, or `partial_validation` where not all folds are in.

    Returns:
        Without numbers that are not known: scores, ends of intervals, parts.
    """
    numbers = {f"{side}_{name}": score.value for name, score in scores.items()}
    numbers |= {f"{side}_{name}_low": score.interval.low for name, score in scores.items()}
    numbers |= {f"{side}_{name}_high": score.interval.high for name, score in scores.items()}
    for name, score in scores.items():
        numbers |= {f"{side}_{name}_fold_mean": score.fold_mean, f"{side}_{name}_fold_std": score.fold_std}
    return {name: number for name, number in numbers.items() if not math.isnan(number)} | _parts(scores, names, side)


def _parts(scores: Scores, names: Sequence[str], side: str) -> dict[str, float]:
    """The values of single outputs, such as recalls.

    Metrics may call their parts alike. Where both compute the same, it is written once; else the later metric's parts
    have its name too.
    """
    labels, computed = metric_names(names), dict[str, object]()
    found: dict[str, float] = {}
    for name, score in scores.items():
        metric = METRICS.get(name)
        if computed.setdefault(metric.part, metric.parts) is metric.parts:
            prefix = f"{side}_{metric.part}"
        else:
            prefix = f"{side}_{name}_{metric.part}"
        found |= {f"{prefix}/{labels[names[number]]}": part for number, part in score.parts.items()}
    return found


def metric_names(labels: Sequence[str]) -> dict[str, str]:
    """The end of a metric's name for each of some labels: one for each, with MLflow's characters alone.

    >>> metric_names(["joy", "fear/anxiety"])
    {'joy': 'joy', 'fear/anxiety': 'fear_anxiety'}
    >>> len(set(metric_names([chr(0x1F600), chr(0x1F620)]).values()))
    2

    Args:
        labels: All labels. Labels that would share a name get a suffix, a hash of the label.
    """
    plain = {label: FOREIGN.sub("_", label) for label in labels}
    shared = Counter(name.casefold() for name in plain.values())

    def named(label: str, name: str) -> str:
        if shared[name.casefold()] == 1 and len(name) <= LONGEST_LABEL:
            return name
        return f"{name[:LONGEST_LABEL]}-{hashlib.sha256(label.encode()).hexdigest()[:8]}"

    return {label: named(label, name) for label, name in plain.items()}


def curves(folds: "Sequence[FoldOutcome]") -> Iterator[Metric]:
    """Every fold's figures after every epoch; the step is the epoch."""
    now = int(time.time() * 1000)
    for outcome in folds:
        prefix = f"fold_{outcome.fold.number:02d}"
        for report in outcome.fitted.history:
            for name, value in report.curves.items():
                yield Metric(f"{prefix}/{name}", value, now, report.epoch)
        yield Metric(f"{prefix}/kept_epoch", outcome.fitted.epoch, now, 0)


def held_out_of(folds: "Sequence[FoldOutcome]", corpus: Corpus, scores: Scores) -> "HeldOut":
    """The validation predictions of a trial's folds."""
    from ..search import HeldOut

    held_out = np.concatenate([outcome.fold.validation for outcome in folds])
    return HeldOut(
        scores=scores,
        utterances=tuple(corpus.utterances[number].id for number in held_out),
        fold=np.concatenate([np.full(len(outcome.truth), outcome.fold.number) for outcome in folds]),
        truth=np.concatenate([outcome.truth for outcome in folds]),
        predicted=np.concatenate([outcome.predicted for outcome in folds]),
        outputs=np.concatenate([outcome.fitted.validation for outcome in folds]),
    )


def write_held_out(
    folder: Path, side: str, held_out: "HeldOut", corpus: Corpus, task: Task, names: tuple[str, ...]
) -> None:
    """Write the predictions of a promoted side, and where they are classes the picture of their confusion matrix.

    Drawing takes longer than all else that a trial stores: trials that are not promoted have predictions alone.

    Args:
        folder: Of the files.
        side: Such as `validation`.
        held_out: Predictions of the corpus's utterances.
        corpus: Has the speakers.
        task: Of the predictions.
        names: Of the task's outputs.
    """
    write_predictions(folder / predictions_file(side), held_out, corpus, task, names)
    if task.predictions == "classes":
        objective, score = next(iter(held_out.scores.items()))
        title = f"{side}, {METRICS.get(objective).title} {score.value:.3f}"
        draw_confusion(folder / picture_file(side), held_out.truth, held_out.predicted, names, title)


def picture_file(side: str) -> str:
    """The name of a run's picture of a side's confusion matrix.

    >>> picture_file("validation")
    'validation_confusion.png'
    """
    return f"{side}_confusion.png"


def draw_validation(workspace: Workspace, run: Run) -> None:
    """Draw the confusion matrix of a promoted trial's validation predictions, where they are classes; once."""
    if task_of(run).predictions != "classes":
        return
    name, run_id = picture_file("validation"), run.info.run_id
    if any(file.path == name for file in workspace.client.list_artifacts(run_id)):
        return
    if (found := read_predictions(workspace, run, "validation")) is None:
        return
    objective, score = objective_of(run), score_of(run, "validation")
    assert score is not None  # of a complete trial
    with tempfile.TemporaryDirectory(prefix="ser-tune-") as temporary:
        title = f"validation, {objective.title} {score:.3f}"
        draw_confusion(Path(temporary, name), found.truth, found.predicted, found.names, title)
        workspace.client.log_artifacts(run_id, temporary)


def draw_confusion(path: Path, truth: np.ndarray, predicted: np.ndarray, names: Sequence[str], title: str) -> None:
    """A picture of the pooled confusion matrix: counts, shaded by the row's fraction."""
    n_classes, together = len(names), np.zeros(len(truth), dtype=np.int64)
    counts = confusions(truth, predicted, together, 1, n_classes)[0]
    fractions = counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)
    letters = lettering_for([*names, title])
    short = [letters(name, LONGEST_NAME) for name in names]

    def fill(figure: "Figure") -> None:
        axes = figure.subplots()
        axes.imshow(fractions, cmap="Blues", vmin=0, vmax=1)
        axes.set(xlabel="predicted", ylabel="truth", title=letters(title))
        axes.set_xticks(range(n_classes), short, rotation=45, ha="right")
        axes.set_yticks(range(n_classes), short)
        for row, column in np.ndindex(counts.shape):
            shade = "white" if fractions[row, column] > 0.5 else "black"
            count = axes.text(column, row, str(counts[row, column]), ha="center", va="center", color=shade)
            count.set_in_layout(False)  # lies inside the axes: measuring all of them takes longer than drawing

    width, height = 1.6 + 0.75 * n_classes, 1.2 + 0.7 * n_classes
    draw_to(path, height, fill, width=width, dpi=100, letters=letters)
