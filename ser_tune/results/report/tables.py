"""Tables of a report, as numbers: what the result beats, recall of every class, UAR of every speaker."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from ...resampling import UNKNOWN, Interval, interval_of, with_interval
from ...resampling.old import class_recalls, recall_intervals, uar
from ...tracking import Predictions
from .evidence import Report

__all__ = ["Baseline", "ClassRecall", "SpeakerScore", "baselines", "recalls_of", "speakers_of"]


@dataclass(frozen=True, slots=True)
class Baseline:
    """A score to compare with."""

    what: str
    reached: float
    """Validation UAR of the result, on the same seeds."""
    uar: float
    """Of the configuration that the result is compared with."""
    interval: Interval = UNKNOWN
    """Of the difference, 95 %, by bootstrap over speakers."""

    @property
    def difference(self) -> str:
        """The gain, with its interval where that is known."""
        return with_interval(self.reached - self.uar, self.interval, "+")


@dataclass(frozen=True, slots=True)
class ClassRecall:
    """The recall of one emotion."""

    emotion: str
    utterances: int
    recall: float
    interval: Interval
    """95 %, by bootstrap over the speakers who have the emotion."""


@dataclass(frozen=True, slots=True)
class SpeakerScore:
    """The score of one speaker."""

    speaker: str
    utterances: int
    uar: float
    confused: str
    """The most frequent error, as `truth → prediction (count)`; empty where all is right."""


def baselines(report: Report) -> list[Baseline]:
    """What the validation UAR is compared with: chance, the first and the median trial, corrected where it is known."""
    reached = report.metrics["validation_uar"]
    found = []
    if (predictions := report.predictions.get("validation")) is not None:
        classes = len(np.unique(predictions.truth))
        found.append(Baseline(f"chance, 1 of {classes} emotions", reached, 1 / classes))
    if report.recordings is not None and (words := report.recordings.baseline) is not None:
        found.append(Baseline("the words alone: the most frequent emotion of each text", reached, words.uar))
    if corrected := report.corrected:
        reached = corrected["corrected_uar"]
        for name, what in (("first", "the first trial"), ("median", "the median trial")):
            beaten, interval = reached - corrected[f"gain_over_{name}"], interval_of(corrected, f"gain_over_{name}")
            found.append(Baseline(f"{what}, corrected", reached, beaten, interval))
        return found
    if report.search is None:
        return found
    searched = [one for one in report.search.trials if one.confirms is None and one.validation_uar is not None]
    if searched and (first := searched[0].validation_uar) is not None:
        best = max(searched, key=lambda one: (one.validation_uar or 0.0, -one.number))
        what = f"trial {searched[0].number}, the first configuration, against trial {best.number}, on one seed"
        found.append(Baseline(what, best.validation_uar or 0.0, first))
    if (gain := report.search.summary.gain) is not None:
        count = len(gain.winner.scores)
        seeds = f"trial {gain.winner.trial}, means of {count} fresh seed{'s' * (count > 1)}"
        for name, one in (("the first configuration", gain.first), ("the median trial", gain.median)):
            if one is not None:
                found.append(Baseline(f"trial {one.trial}, {name}, against {seeds}", gain.winner.mean, one.mean))
    return found


def recalls_of(predictions: Predictions) -> list[ClassRecall]:
    """The recall of every emotion that occurs, with its interval."""
    recalls = class_recalls(predictions.truth, predictions.predicted)
    intervals = recall_intervals(predictions.truth, predictions.predicted, predictions.speaker_numbers)
    return [
        ClassRecall(
            emotion=predictions.emotions[label],
            utterances=int((predictions.truth == label).sum()),
            recall=recall,
            interval=intervals[label],
        )
        for label, recall in recalls.items()
    ]


def speakers_of(predictions: Predictions) -> list[SpeakerScore]:
    """The UAR of every speaker, lowest first."""
    speakers, numbers = np.unique(predictions.speakers), predictions.speaker_numbers
    confusions = predictions.confusions
    scores = [
        SpeakerScore(
            speaker=str(speaker),
            utterances=int((numbers == number).sum()),
            uar=uar(predictions.truth[numbers == number], predictions.predicted[numbers == number]),
            confused=_confused(confusions[number], predictions.emotions),
        )
        for number, speaker in enumerate(speakers)
    ]
    return sorted(scores, key=lambda one: (one.uar, one.speaker))


def _confused(counts: np.ndarray, emotions: Sequence[str]) -> str:
    errors = counts - np.diag(counts.diagonal())
    truth, predicted = divmod(int(errors.argmax()), len(emotions))
    count = int(errors[truth, predicted])
    return f"{emotions[truth]} → {emotions[predicted]} ({count})" if count else ""
