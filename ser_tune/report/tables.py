"""Tables of a report, as numbers: what the result beats, every class by itself, the score of every speaker."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from ..metrics import Metric, Ranking, confusions
from ..resampling import UNKNOWN, Interval, interval_of, part_intervals, with_interval
from ..tracking import Predictions
from .report import Report, Search

__all__ = [
    "Baseline",
    "ClassScore",
    "SpeakerScore",
    "baselines",
    "chance_of",
    "classes_of",
    "confusions_of",
    "parted",
    "speakers_of",
]


@dataclass(frozen=True, slots=True)
class Baseline:
    """A score to compare with."""

    what: str
    reached: float
    """Validation score of the result, on the same seeds."""
    score: float
    """Of what the result is compared with."""
    gain: float
    """By how much the result is better; negative where it is worse."""
    interval: Interval = UNKNOWN
    """Of the gain, 95 %, by bootstrap over speakers."""

    @property
    def difference(self) -> str:
        """The gain, with its interval where that is known."""
        return with_interval(self.gain, self.interval, "+")


@dataclass(frozen=True, slots=True)
class ClassScore:
    """What a metric gives a single class, such as its recall."""

    name: str
    utterances: int
    value: float
    interval: Interval
    """95 %, by bootstrap over the speakers who have the class."""


@dataclass(frozen=True, slots=True)
class SpeakerScore:
    """The score of one speaker."""

    speaker: str
    utterances: int
    score: float
    """NaN where the metric is not defined for the speaker."""
    confused: str
    """The most frequent error, as `truth → prediction (count)`; empty where all is right."""


def baselines(report: Report) -> list[Baseline]:
    """What the validation score is compared with: chance, the words, the first and the median trial.

    Trials are compared without the choice among them where that is known.
    """
    objective, ranking = report.objective, Ranking(report.objective)

    def baseline(what: str, reached: float, score: float, interval: Interval = UNKNOWN) -> Baseline:
        return Baseline(what, reached, score, ranking.gain(reached, score), interval)

    reached = report.metrics[f"validation_{objective.name}"]
    found = []
    if (chance := chance_of(report)) is not None:
        found.append(baseline(chance[0], reached, chance[1]))
    words = None if report.recordings is None else report.recordings.baseline
    if words is not None and words.metric == objective:
        what = f"the words alone: the most frequent {report.task.answer} of each text"
        found.append(baseline(what, reached, words.value))
    if corrected := report.corrected:
        reached = corrected[f"corrected_{objective.name}"]
        for name, what in (("first", "the first trial"), ("median", "the median trial")):
            gain, interval = corrected[f"gain_over_{name}"], interval_of(corrected, f"gain_over_{name}")
            beaten = reached - ranking.gain(gain, 0.0)
            found.append(Baseline(f"{what}, corrected", reached, beaten, gain, interval))
        return found
    return found if report.search is None else [*found, *(baseline(*one) for one in _trials(report.search))]


def chance_of(report: Report) -> tuple[str, float] | None:
    """What guessing is called, and its validation score; None where it is not known."""
    predictions, chance = report.predictions.get("validation"), report.objective.chance
    if predictions is None or chance is None:
        return None
    if not report.of_classes:
        return "chance", chance(len(predictions.names))
    classes = len(np.unique(predictions.truth))
    return f"chance, 1 of {classes} {report.task.answers}", chance(classes)


def _trials(search: Search) -> list[tuple[str, float, float]]:
    """What a trial is called, the score that was reached against it on the same seeds, and its own."""
    found = []
    searched = [one for one in search.trials if one.confirms is None and one.score is not None]
    best = search.ranking.best(searched, lambda one: one.score, lambda one: one.number)
    if best is not None and best.score is not None and (first := searched[0].score) is not None:
        what = f"trial {searched[0].number}, the first configuration, against trial {best.number}, on one seed"
        found.append((what, best.score, first))
    if (gain := search.summary.gain) is not None:
        count = len(gain.winner.scores)
        seeds = f"trial {gain.winner.trial}, means of {count} fresh seed{'s' * (count > 1)}"
        for name, one in (("the first configuration", gain.first), ("the median trial", gain.median)):
            if one is not None:
                found.append((f"trial {one.trial}, {name}, against {seeds}", gain.winner.mean, one.mean))
    return found


def parted(metrics: Sequence[Metric]) -> Metric | None:
    """The first metric that also gives every class a value; None where there is none."""
    return next((one for one in metrics if one.parts is not None), None)


def classes_of(predictions: Predictions, metric: Metric) -> list[ClassScore]:
    """What a metric gives every class that has a value, with its interval.

    Args:
        predictions: Of classes.
        metric: One that `parted` finds.
    """
    truth, predicted, speakers = predictions.truth, predictions.predicted, predictions.speaker_numbers
    assert metric.parts is not None
    values = metric.parts(predictions.sums(metric).sum(axis=0))
    intervals = part_intervals(truth, predicted, speakers, metric, len(predictions.names))
    return [
        ClassScore(
            name=predictions.names[label],
            utterances=int((truth == label).sum()),
            value=float(values[label]),
            interval=intervals.get(label, UNKNOWN),
        )
        for label in np.flatnonzero(~np.isnan(values)).tolist()
    ]


def confusions_of(predictions: Predictions) -> np.ndarray:
    """A confusion matrix for each speaker, sorted, shape (S, K, K)."""
    speakers = predictions.speaker_numbers
    n_speakers = len(np.unique(speakers))
    return confusions(predictions.truth, predictions.predicted, speakers, n_speakers, len(predictions.names))


def speakers_of(predictions: Predictions, metric: Metric, *, of_classes: bool) -> list[SpeakerScore]:
    """The score of every speaker, the hardest first.

    Args:
        predictions: Of one side.
        metric: Which score.
        of_classes: Whether classes were predicted, which may be confused.
    """
    speakers, counts = np.unique(predictions.speakers, return_counts=True)
    scores = metric.value(predictions.sums(metric)).tolist()
    confused = (
        [_confused(one, predictions.names) for one in confusions_of(predictions)]
        if of_classes
        else [""] * len(speakers)
    )
    rows = zip(speakers.tolist(), counts.tolist(), scores, confused, strict=True)
    ranking = Ranking(metric)
    return sorted((SpeakerScore(*row) for row in rows), key=lambda one: (ranking.key(one.score), one.speaker))


def _confused(counts: np.ndarray, names: Sequence[str]) -> str:
    errors = counts - np.diag(counts.diagonal())
    truth, predicted = divmod(int(errors.argmax()), len(names))
    count = int(errors[truth, predicted])
    return f"{names[truth]} → {names[predicted]} ({count})" if count else ""
