"""Reproducing published numbers: their configuration and protocol, on several seeds, each tested once."""

import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, TypeAlias

import numpy as np

from ..coordination import Rerun
from ..definition import Difference, worded
from ..errors import StudyError
from ..metrics import Metric
from ..protocol import Prepared, Protocol
from ..resampling import Interval, fold_interval, seed_interval, sums_of
from ..results import Form, Published, predictions_of, reproduced_metric
from ..search import StudyObserver, refuse_without_randomness
from ..tracking import Predictions, Workspace, score_on_test
from .seeds import train_seeds

__all__ = ["MARGIN", "Obtained", "Reproduction", "reproduce"]

MARGIN = 0.03
EQUIVALENCE_CONFIDENCE = 0.9
State: TypeAlias = Literal["reproduced", "not reproduced", "undecided", "no verdict"]


@dataclass(frozen=True, slots=True)
class Obtained:
    """A test score in one of its forms, mean over the seeds."""

    form: Form
    """`pooled` or `fold mean`."""
    value: float
    interval: Interval
    """95 %, by bootstrap over speakers (of a fold mean: over folds) and seeds."""
    equivalence: Interval
    """90 %: two one-sided tests at 5 % hold it inside the margin, or not."""


@dataclass(frozen=True, slots=True)
class Reproduction:
    """What a published configuration came to here."""

    published: Published
    seeds: Sequence[Mapping[str, float]]
    """Validation and test metrics of each seed, by MLflow's names."""
    pooled: Obtained
    fold_mean: Obtained
    intervals: Mapping[str, Interval]
    """By the metric's name, of the pooled score's mean over the seeds."""
    margin: float
    """How far from the published score is the same for practical purposes, as a fraction."""
    folds: int
    folds_of_protocol: int
    """Fewer folds were trained where `protocol.fold_limit` says so."""
    protocol: Protocol
    changed: Sequence[Difference] = ()
    """What was set otherwise than in the study file."""

    def mean(self, metric: str) -> float:
        """A metric's mean over the seeds."""
        return statistics.fmean(one[metric] for one in self.seeds)

    @property
    def state(self) -> State:
        """Whether the published score was reproduced.

        The published score p is a number without an error; what varies is ours. With the margin m:

        - reproduced: our 90 % interval lies within p - m to p + m (two one-sided tests at 5 %; D. Schuirmann, Journal
          of Pharmacokinetics and Biopharmaceutics 15(6), 1987);
        - not reproduced: our 95 % interval lies wholly outside p - m to p + m;
        - undecided: neither.

        Pooled is compared with pooled and a fold mean with a fold mean. Where the source does not say which it is, both
        must lead to the same.
        """
        if self._incomparable or self.folds < self.folds_of_protocol:
            return "no verdict"
        found = {self._judged(one) for one in self._comparable}
        return found.pop() if len(found) == 1 else "undecided"

    @property
    def verdict(self) -> str:
        """The state and the reason for it, in words."""
        if self._incomparable:
            return f"no verdict: {self._incomparable}"
        told = "; ".join(map(self._sentence, self._comparable))
        if self.published.form == "unknown":
            told += "; the source does not say which of the two it is"
        if len(self.seeds) == 1:
            told += "; of a single seed, so the interval has no variation between seeds"
        if self.folds < self.folds_of_protocol:
            return f"no verdict: {self.folds} of {self.folds_of_protocol} folds were trained; on these {told}"
        return f"{self.state}: {told}"

    @property
    def _title(self) -> str:
        return reproduced_metric().title

    @property
    def _comparable(self) -> Sequence[Obtained]:
        """Our score in the forms that the published one may have."""
        return [one for one in (self.pooled, self.fold_mean) if self.published.form in (one.form, "unknown")]

    @property
    def _incomparable(self) -> str:
        """Why ours cannot be compared with the published score, in words; empty where it can."""
        if self.changed:
            return f"{worded(self.changed)} in the study file"
        if (here := len(self.protocol.names)) != self.published.classes:
            return (
                f"{here} {self.protocol.task.answers} are told apart, not the {self.published.classes} of the "
                f"published {self._title}"
            )
        if self.published.reproduced is None or not all(one.interval.known for one in self._comparable):
            return "there is no interval to compare with"
        return ""

    def _judged(self, one: Obtained) -> State:
        assert self.published.reproduced is not None
        low, high = self.published.reproduced - self.margin, self.published.reproduced + self.margin
        if low <= one.equivalence.low and one.equivalence.high <= high:
            return "reproduced"
        return "not reproduced" if one.interval.high < low or high < one.interval.low else "undecided"

    def _sentence(self, one: Obtained) -> str:
        near = f"within {self.margin:g} of the published {self.published.reproduced:.4f}"
        ours = f"the {one.form} {self._title} {one.value:.4f} has the"
        return {
            "reproduced": f"{ours} 90 % interval {one.equivalence}, which lies {near}",
            "not reproduced": f"{ours} 95 % interval {one.interval}, of which nothing lies {near}",
            "undecided": f"{ours} 95 % interval {one.interval}, of which a part lies {near}",
        }[self._judged(one)]


def reproduce(
    workspace: Workspace,
    prepared: Prepared,
    published: Published,
    observer: StudyObserver,
    *,
    margin: float = MARGIN,
    changed: Sequence[Difference] = (),
) -> Reproduction:
    """Train the configuration on as many seeds as the study has trials, and score each on its test speakers.

    Args:
        prepared: A study without a search, whose trials differ by their seeds alone.
        published: What to compare with.
        workspace: The project's stores.
        observer: Receives every event, and writes the runs.
        margin: How far from the published score is the same for practical purposes, as a fraction.
        changed: What was set otherwise than in the study file.

    Raises:
        StudyError: The margin is not between 0 and 1; the study has another objective than the published number,
            searches something, does not keep all models, has
            several seeds of a model without random numbers, or a seed failed.
        KeyboardInterrupt: It was interrupted; the same call goes on from there.
    """
    metric, definition = reproduced_metric(), prepared.definition
    if not 0 < margin < 1:
        raise StudyError(
            f"the margin is {margin:g}; expected a difference of {metric.title} between 0 and 1, such as {MARGIN}"
        )
    if definition.objective != metric:
        raise StudyError(
            f"study {definition.name} has the objective {definition.objective.name}; a published number is reproduced "
            f"with {metric.name}"
        )
    if definition.search:
        raise StudyError(
            f"study {definition.name} searches {', '.join(sorted(definition.search))}; a published configuration "
            "searches nothing: write 'search: {}'"
        )
    if definition.config.study.trials > 1:
        model = definition.config.model.name
        refuse_without_randomness(model, f"study {definition.name} trains {definition.config.study.trials} seeds")
    if definition.config.study.keep_models != "all":
        raise StudyError(f"study {definition.name} keeps some models only; every seed's is tested: keep all")
    rerun = Rerun(queue=[{}] * definition.config.study.trials)
    runs = train_seeds(workspace, prepared, rerun, observer)
    with workspace.errors():
        seeds = [score_on_test(workspace, run, prepared) for run in runs]
    predictions = predictions_of(workspace, runs, "test")
    of_speakers = np.stack([one.sums(metric) for one in predictions])
    of_folds = np.stack([_by_fold(one, prepared, metric) for one in predictions])
    return Reproduction(
        published=published,
        seeds=seeds,
        pooled=Obtained(
            "pooled",
            statistics.fmean(one[f"test_{metric.name}"] for one in seeds),
            seed_interval(metric, of_speakers),
            seed_interval(metric, of_speakers, EQUIVALENCE_CONFIDENCE),
        ),
        fold_mean=Obtained(
            "fold mean",
            statistics.fmean(one[f"test_{metric.name}_fold_mean"] for one in seeds),
            fold_interval(metric, of_folds),
            fold_interval(metric, of_folds, EQUIVALENCE_CONFIDENCE),
        ),
        intervals={
            one.name: seed_interval(one, np.stack([seed.sums(one) for seed in predictions]))
            for one in definition.metrics
        },
        margin=margin,
        folds=len(prepared.folds),
        folds_of_protocol=prepared.folds_of_protocol,
        protocol=prepared.protocol,
        changed=changed,
    )


def _by_fold(predictions: Predictions, prepared: Prepared, metric: Metric) -> np.ndarray:
    """A metric's sums over each fold's test utterances, shape (F, ...)."""
    utterances = prepared.corpus.utterances
    fold_of = {utterances[number].id: fold.number for fold in prepared.folds for number in fold.test}
    folds = np.array([fold_of[one] for one in predictions.utterances])
    return sums_of(metric, predictions.truth, predictions.predicted, folds, len(predictions.names))
