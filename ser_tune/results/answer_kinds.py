"""Evaluation and comparison of predictions, by their kind: classes, shares of votes, sets, ratings."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from ..corpora import Corpus
from ..drawing import draw_ratings
from ..metrics import Coverage, Reliability, accuracy_by_coverage, reliability, share_reliability, with_temperature
from ..tasks import Task
from ..tracking import draw_confusion
from .matched_targets import Matched, Outputs, match_classes, match_dimensions, match_sets, match_shares

__all__ = ["AnswerKind", "Calibration", "kind_of"]

_SAME = 2e-6
"""Stored numbers have six decimals."""
_LEAST = 0.1
"""Smaller shares are left out of a line."""


@dataclass(frozen=True, slots=True)
class Calibration:
    """Shown numbers of an evaluation, with their reliability and coverage."""

    shown: np.ndarray
    """Probabilities of classes, with the temperature if any; of other tasks what it shows, shape (N, K)."""
    reliability: Reliability | None = None
    """None where predictions have no confidence."""
    coverage: Sequence[Coverage] = ()


@dataclass(frozen=True, slots=True)
class AnswerKind:
    """A kind of predictions, in evaluations and comparisons."""

    match: Callable[[Outputs, Corpus, np.ndarray, Mapping[str, str] | None], Matched]
    """The targets of a corpus as the outputs of a model."""
    calibrate: Callable[[Task, np.ndarray, np.ndarray, np.ndarray, float], Calibration]
    """From outputs (N, K), truth, predictions and a temperature."""
    joined: Callable[[Sequence[np.ndarray], int], np.ndarray]
    """From the predictions of several seeds and K to a single prediction of each utterance."""
    apart: Callable[[np.ndarray, np.ndarray], np.ndarray]
    """From predictions of two results to how much they differ, shape (N,); 0 where they are the same."""
    narrowed: Callable[[np.ndarray], np.ndarray] = lambda outputs: outputs
    """From outputs of the task without those of some emotions to outputs in the form of the task."""
    told: Callable[[Task, Any, tuple[str, ...]], str] = lambda task, answer, names: task.described(answer, names)
    """A true or predicted answer in a line."""
    picture: str = ""
    """The picture of truth and predictions, such as `confusion`; empty where there is none."""
    draw: Callable[[Path, np.ndarray, np.ndarray, Sequence[str], str], None] | None = None
    """Draws it: to a path, of truth, predictions and names, with a title."""
    has_classes: bool = False
    """Whether an answer is one of several, so that the number of classes in a truth limits what a score means."""
    error: tuple[str, str] = ("ece", "ECE")
    """The calibration error's name in JSON and MLflow, and in words."""
    axes: tuple[str, str, str] = ("confidence", "accuracy", "utterances")
    """The words for bins of calibration: predicted, true, and what is counted."""


def kind_of(task: Task) -> AnswerKind:
    """The kind of a task's predictions; another kind than these is compared as numbers that are equal or not."""
    return _BY_KIND.get(task.predictions, _OTHER)


def _of_classes(
    _: Task, outputs: np.ndarray, truth: np.ndarray, predicted: np.ndarray, temperature: float
) -> Calibration:
    shown = with_temperature(outputs, temperature)
    found = reliability(shown, truth, predicted=predicted)
    return Calibration(shown, found, accuracy_by_coverage(shown, truth, predicted=predicted))


def _of_shares(task: Task, outputs: np.ndarray, truth: np.ndarray, predicted: np.ndarray, _: float) -> Calibration:
    """Predicted shares against true ones, and the accuracy of the most probable emotions by their share."""
    shown = task.show(outputs)
    most, named = task.views["classes"](truth, predicted, shown.shape[1])
    return Calibration(shown, share_reliability(shown, truth), accuracy_by_coverage(shown, most, predicted=named))


def _uncalibrated(task: Task, outputs: np.ndarray, *_: object) -> Calibration:
    return Calibration(task.show(outputs))


def _most(seeds: Sequence[np.ndarray], outputs: int) -> np.ndarray:
    """The class that most seeds predict for each utterance, of several the first, shape (N,)."""
    votes = sum(np.eye(outputs, dtype=np.int64)[seed] for seed in seeds)
    most: np.ndarray = np.argmax(votes, axis=1)
    return most


def _mean(seeds: Sequence[np.ndarray], _: int) -> np.ndarray:
    """The mean of several seeds' numbers, with the decimals that are stored."""
    mean: np.ndarray = np.mean(seeds, axis=0)
    return mean.round(6)


def _first(seeds: Sequence[np.ndarray], _: int) -> np.ndarray:
    return seeds[0]


def _unlike(ours: np.ndarray, theirs: np.ndarray) -> np.ndarray:
    """1 where any number of an answer differs."""
    unlike: np.ndarray = (ours != theirs).reshape(len(ours), -1).any(axis=1).astype(np.float64)
    return unlike


def _distance(ours: np.ndarray, theirs: np.ndarray) -> np.ndarray:
    """The mean distance of numbers (N, K)."""
    distance: np.ndarray = np.abs(ours - theirs).mean(axis=1)
    return np.where(distance > _SAME, distance, 0.0)


def _sets_apart(ours: np.ndarray, theirs: np.ndarray) -> np.ndarray:
    """The number of emotions that only one of two sets has."""
    apart: np.ndarray = ((ours >= 0.5) != (theirs >= 0.5)).sum(axis=1).astype(np.float64)
    return apart


def _normalised(outputs: np.ndarray) -> np.ndarray:
    """Log probabilities (N, K) whose probabilities sum to 1 again."""
    normalised: np.ndarray = outputs - np.logaddexp.reduce(outputs, axis=1, keepdims=True)
    return normalised


def _largest_shares(_: Task, shares: np.ndarray, names: tuple[str, ...]) -> str:
    """Shares of an utterance's votes, the largest first."""
    order = np.argsort(-shares, kind="stable")
    return ", ".join(f"{names[place]} {shares[place]:.2f}" for place in order if shares[place] >= _LEAST)


_OTHER = AnswerKind(match=match_classes, calibrate=_uncalibrated, joined=_first, apart=_unlike)
_BY_KIND: Mapping[str, AnswerKind] = {
    "classes": AnswerKind(
        match=match_classes,
        calibrate=_of_classes,
        joined=_most,
        apart=_unlike,
        picture="confusion",
        draw=draw_confusion,
        has_classes=True,
    ),
    "distributions": AnswerKind(
        match=match_shares,
        calibrate=_of_shares,
        joined=_mean,
        apart=_distance,
        narrowed=_normalised,
        told=_largest_shares,
        error=("share_error", "mean distance of predicted and true shares"),
        axes=("predicted share", "true share", "shares"),
    ),
    "label_scores": AnswerKind(match=match_sets, calibrate=_uncalibrated, joined=_mean, apart=_sets_apart),
    "dimensions": AnswerKind(
        match=match_dimensions,
        calibrate=_uncalibrated,
        joined=_mean,
        apart=_distance,
        picture="ratings",
        draw=draw_ratings,
    ),
}
