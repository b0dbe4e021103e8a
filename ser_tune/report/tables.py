"""Tables of a report, as numbers: scores to compare with, every class by itself, the score of every speaker."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from ..metrics import Metric, Ranking, confusions
from ..resampling import UNKNOWN, Interval, interval_of, part_intervals, with_interval
from ..tracking import Predictions
from .reported import ReportedResult, ReportedSearch

__all__ = [
    "Baseline",
    "OutputScore",
    "SpeakerScore",
    "baselines",
    "chance_of",
    "confusions_of",
    "outputs_of",
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
    """Score of the baseline."""
    gain: float
    """Gain of the result over the baseline; negative where the result is worse."""
    interval: Interval = UNKNOWN
    """Interval of the gain, 95 %, by bootstrap over speakers."""

    @property
    def difference(self) -> str:
        """The gain, with its interval where that is known."""
        return with_interval(self.gain, self.interval, "+")


@dataclass(frozen=True, slots=True)
class OutputScore:
    """The value of a metric for a single output, such as the recall of a class or the CCC of a dimension."""

    name: str
    utterances: int
    """Those of the class, with the emotion, or with a rating."""
    value: float
    interval: Interval
    """95 %, by bootstrap over speakers; of a class, over those who have it."""


@dataclass(frozen=True, slots=True)
class SpeakerScore:
    """The score of one speaker."""

    speaker: str
    utterances: int
    score: float
    """NaN where the metric is not defined for the speaker."""
    confused: str
    """The most frequent error, as `truth → prediction (count)`; empty where all is right."""


def baselines(report: ReportedResult) -> list[Baseline]:
    """Compare the validation score with chance, the words, the first and the median trial.

    Trials are compared without the choice among them where that is known.
    """
    objective, ranking = report.objective, Ranking(report.objective)
    reached = report.metrics[f"validation_{objective.name}"]
    own = interval_of(report.metrics, f"validation_{objective.name}")
    fixed, found = [], list[Baseline]()
    if (chance := chance_of(report)) is not None:
        fixed.append(chance)
    words = None if report.recordings is None else report.recordings.baseline
    if words is not None and words.metric == objective:
        guess = f"most frequent {report.task.answer}" if report.of_classes else "mean target"
        fixed.append((f"the words alone: the {guess} of each text", words.value))
    for what, score in fixed:  # a number without an interval of its own
        ends = sorted(ranking.gain(end, score) for end in (own.low, own.high)) if own.known else ()
        found.append(Baseline(what, reached, score, ranking.gain(reached, score), Interval(*ends) if ends else UNKNOWN))
    corrected = report.corrected
    if not corrected and report.search is not None:
        found += [
            Baseline(what, best, score, ranking.gain(best, score)) for what, best, score in _trials(report.search)
        ]
    for name in ("first", "median") if corrected else ():
        reached, gain = corrected[f"corrected_{objective.name}"], corrected[f"gain_over_{name}"]
        beaten, interval = reached - ranking.gain(gain, 0.0), interval_of(corrected, f"gain_over_{name}")
        found.append(Baseline(f"the {name} trial, corrected", reached, beaten, gain, interval))
    return found


def chance_of(report: ReportedResult) -> tuple[str, float] | None:
    """A description of guessing, and its validation score; None where it is not known."""
    predictions, chance = report.predictions.get("validation"), report.objective.chance
    if predictions is None or chance is None:
        return None
    if not report.of_classes:
        return "chance", chance(len(predictions.names))
    classes = len(np.unique(predictions.truth))
    return f"chance, 1 of {classes} {report.task.answers}", chance(classes)


def _trials(search: ReportedSearch) -> list[tuple[str, float, float]]:
    """Description of a trial, the score that the result reached on the same seeds, and the trial's own score."""
    found = []
    searched = search.complete
    best = search.ranking.best(searched, lambda trial: trial.score, lambda trial: trial.number)
    if best is not None and best.score is not None and (first := searched[0].score) is not None:
        what = f"trial {searched[0].number}, the first configuration, against trial {best.number}, on one seed"
        found.append((what, best.score, first))
    if (gain := search.summary.gain) is not None:
        count = len(gain.winner.scores)
        seeds = f"trial {gain.winner.trial}, means of {count} fresh seed{'s' * (count > 1)}"
        for name, fresh in (("the first configuration", gain.first), ("the median trial", gain.median)):
            if fresh is not None:
                found.append((f"trial {fresh.trial}, {name}, against {seeds}", gain.winner.mean, fresh.mean))
    return found


def parted(metrics: Sequence[Metric]) -> Metric | None:
    """The first metric that also has a value for every output; None where there is none."""
    return next((metric for metric in metrics if metric.parts is not None), None)


def outputs_of(predictions: Predictions, metric: Metric) -> list[OutputScore]:
    """The value of a metric that `parted` finds for every output that has one, with its interval."""
    truth, predicted, speakers = predictions.truth, predictions.predicted, predictions.speaker_numbers
    assert metric.parts is not None
    values = metric.parts(predictions.sums(metric).sum(axis=0))
    intervals = part_intervals(truth, predicted, speakers, metric, len(predictions.names))
    return [
        OutputScore(
            name=predictions.names[output],
            utterances=_utterances_of(truth, output),
            value=float(values[output]),
            interval=intervals.get(output, UNKNOWN),
        )
        for output in np.flatnonzero(~np.isnan(values)).tolist()
    ]


def _utterances_of(truth: np.ndarray, output: int) -> int:
    """Utterances that have an output: of class numbers (N,) equal ones, of sets (N, K) those with it; else all."""
    if truth.ndim == 1:
        return int((truth == output).sum())
    return int(truth[:, output].sum()) if truth.dtype == bool else len(truth)


def confusions_of(predictions: Predictions) -> np.ndarray:
    """A confusion matrix for each speaker, sorted, shape (S, K, K)."""
    speakers = predictions.speaker_numbers
    n_speakers = len(np.unique(speakers))
    return confusions(predictions.truth, predictions.predicted, speakers, n_speakers, len(predictions.names))


def speakers_of(predictions: Predictions, metric: Metric, *, of_classes: bool) -> list[SpeakerScore]:
    """The score of every speaker, the hardest first; with the most frequent confusion where classes were predicted."""
    speakers, utterances = np.unique(predictions.speakers, return_counts=True)
    scores = metric.value(predictions.sums(metric)).tolist()
    confused = [""] * len(speakers)
    if of_classes:
        confused = [_confused(counts, predictions.names) for counts in confusions_of(predictions)]
    rows = zip(speakers.tolist(), utterances.tolist(), scores, confused, strict=True)
    ranking = Ranking(metric)
    return sorted((SpeakerScore(*row) for row in rows), key=lambda row: (ranking.key(row.score), row.speaker))


def _confused(counts: np.ndarray, names: Sequence[str]) -> str:
    """The most frequent error in a confusion matrix; empty where there is none."""
    errors = counts - np.diag(counts.diagonal())
    truth, predicted = divmod(int(errors.argmax()), len(names))
    count = int(errors[truth, predicted])
    return f"{names[truth]} → {names[predicted]} ({count})" if count else ""
