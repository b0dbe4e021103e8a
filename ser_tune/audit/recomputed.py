"""Scores of a split's predictions: of emotions, and of dimensions."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from ..corpora import is_placeholder, name_key
from ..errors import CorpusError
from ..resampling import UNKNOWN, Interval, score
from ..tasks import DEFAULT_TASK, TASKS, Task
from .split import Split

__all__ = ["MEAN", "SCORES", "Recomputed", "recomputed"]

DIMENSIONS = "dimensions"
SCORES: Mapping[str, tuple[str, str]] = {
    "UAR": (DEFAULT_TASK, "uar"),
    "WA": (DEFAULT_TASK, "wa"),
    "macro-F1": (DEFAULT_TASK, "macro_f1"),
    "CCC": (DIMENSIONS, "ccc"),
    "PCC": (DIMENSIONS, "pcc"),
    "MAE": (DIMENSIONS, "mae"),
    "RMSE": (DIMENSIONS, "rmse"),
}
"""Score, as claims name it, to the names of its task and its metric."""
MEAN = "-mean"
"""End of the names of means over folds."""


@dataclass(frozen=True, slots=True)
class Recomputed:
    """A score of the file's predictions."""

    value: float
    interval: Interval
    """95 %, where it is known: of pooled scores, where all speakers are known and there are two or more."""


def recomputed(split: Split) -> Mapping[str, Recomputed] | None:
    """Score the predictions of the test rows.

    Returns:
        By name, as `Claim.metric` has it; None where no test row has a prediction.

    Raises:
        CorpusError: Some test rows have a prediction, and some have none; or a rating is missing.
    """
    found = dict(_of_emotions(split)) | dict(_of_dimensions(split))
    pooled_first = sorted(found, key=lambda name: name.endswith(MEAN))
    return {name: found[name] for name in pooled_first} or None


def _of_emotions(split: Split) -> Iterator[tuple[str, Recomputed]]:
    rows = np.concatenate([fold.test for fold in split.folds])
    if _all_or_none(split, rows, [bool(prediction) for prediction in split.predictions], "prediction"):
        number_of = {name: number for number, name in enumerate(split.emotions)}
        truth = np.array([number_of[utterance.emotion] for utterance in split.utterances])
        predicted = np.array([number_of.get(name, -1) for name in split.predictions])  # -1: none, of a row that trains
        yield from _scores(split, TASKS.get(DEFAULT_TASK), truth, predicted, outputs=len(number_of))


def _of_dimensions(split: Split) -> Iterator[tuple[str, Recomputed]]:
    """The mean over the predicted dimensions, and of several dimensions each."""
    if not split.predicted_ratings:
        return
    rows = np.concatenate([fold.test for fold in split.folds])
    rated = [dict(utterance.annotation.dimensions) for utterance in split.utterances]
    predicted = [dict(ratings) for ratings in split.predicted_ratings]
    names = sorted(set().union(*predicted))
    used = []
    for name in names:
        if _all_or_none(split, rows, [name in row for row in predicted], f"prediction of {name}"):
            if not _all_or_none(split, rows, [name in row for row in rated], f"rating of {name}"):
                raise CorpusError(
                    f"{split.source}: test rows have predictions of {name} and no ratings; expected a column '{name}' "
                    f"or 'target_{name}'"
                )
            used.append(name)
    if used:
        truth, guesses = (
            np.array([[row.get(name, np.nan) for name in used] for row in side]) for side in (rated, predicted)
        )
        task = TASKS.get(DIMENSIONS)
        yield from _scores(split, task, truth, guesses, outputs=len(used))
        for column, name in enumerate(used if len(used) > 1 else ()):
            own = slice(column, column + 1)
            yield from _scores(split, task, truth[:, own], guesses[:, own], outputs=1, of=f":{name}")


def _all_or_none(split: Split, rows: np.ndarray, given: Sequence[bool], what: str) -> bool:
    """Whether all rows have something; False where none has.

    Raises:
        CorpusError: Some rows have it, and some have not.
    """
    missing = [row for row in rows.tolist() if not given[row]]
    if missing and len(missing) < len(rows):
        raise CorpusError(
            f"{split.source}: {len(missing)} of {len(rows)} test rows have no {what}, such as "
            f"'{split.utterances[missing[0]].id}'; expected one in each, or none at all"
        )
    return not missing


def _scores(
    split: Split, task: Task, truth: np.ndarray, predicted: np.ndarray, *, outputs: int, of: str = ""
) -> Iterator[tuple[str, Recomputed]]:
    """The scores of a task, pooled and as means over folds, by name."""
    keys = [name_key(utterance.speaker) for utterance in split.utterances]
    speakers = np.unique(keys, return_inverse=True)[1]
    known = not any(is_placeholder(keys[row]) for fold in split.folds for row in fold.test)
    metrics = {title: task.metric(name) for title, (own, name) in SCORES.items() if own == task.name}
    judged = [(truth[fold.test], predicted[fold.test], speakers[fold.test]) for fold in split.folds]
    scores = score(judged, list(metrics.values()), outputs)
    for title, metric in metrics.items():
        found = scores[metric.name]
        yield f"{title}{of}", Recomputed(found.value, found.interval if known else UNKNOWN)
        yield f"{title}{of}{MEAN}", Recomputed(found.fold_mean, UNKNOWN)
