"""Reproduction of published numbers: their configuration and protocol on several seeds, each tested once."""

import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, TypeAlias

import numpy as np

from ..coordination import Rerun
from ..definition import Difference, StudyDefinition, worded
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
    """90 %: inside the margin where two one-sided tests at 5 % show equivalence."""


@dataclass(frozen=True, slots=True)
class Reproduction:
    """Scores of a published configuration, compared with the published number."""

    published: Published
    seeds: Sequence[Mapping[str, float]]
    """Validation and test metrics of each seed, by MLflow's names."""
    pooled: Obtained
    fold_mean: Obtained
    intervals: Mapping[str, Interval]
    """By the metric's name, of the pooled score's mean over the seeds."""
    margin: float
    """Largest difference from the published score without practical meaning, as a fraction."""
    folds: int
    folds_of_protocol: int
    """More than `folds` where `protocol.fold_limit` limits them."""
    protocol: Protocol
    changed: Sequence[Difference] = ()
    """Settings that differ from the study file."""

    def mean(self, metric: str) -> float:
        """A metric's mean over the seeds."""
        return statistics.fmean(seed[metric] for seed in self.seeds)

    @property
    def state(self) -> State:
        """Whether the published score was reproduced.

        The published score p is a number without an error; what varies is ours. With the margin m:

        - reproduced: our 90 % interval lies within p - m to p + m (two one-sided tests at 5 %; D. Schuirmann, Journal
          of Pharmacokinetics and Biopharmaceutics 15(6), 1987);
        - not reproduced: our 95 % interval lies wholly outside p - m to p + m;
        - undecided: neither.

        Pooled is compared with pooled and a fold mean with a fold mean. Where the source does not state which it is,
        both must lead to the same state.
        """
        if self._incomparable or self.folds < self.folds_of_protocol:
            return "no verdict"
        found = {self._state_of(obtained) for obtained in self._comparable}
        return found.pop() if len(found) == 1 else "undecided"

    @property
    def verdict(self) -> str:
        """The state and the reason for it, in words."""
        if self._incomparable:
            return f"no verdict: {self._incomparable}"
        reason = "; ".join(map(self._sentence, self._comparable))
        if self.published.form == "unknown":
            reason += "; the source does not say which of the two it is"
        if len(self.seeds) == 1:
            reason += "; of a single seed, so the interval has no variation between seeds"
        if self.folds < self.folds_of_protocol:
            return f"no verdict: {self.folds} of {self.folds_of_protocol} folds were trained; on these {reason}"
        return f"{self.state}: {reason}"

    @property
    def _comparable(self) -> Sequence[Obtained]:
        """Our score in the forms that the published score may have."""
        return [own for own in (self.pooled, self.fold_mean) if self.published.form in (own.form, "unknown")]

    @property
    def _incomparable(self) -> str:
        """Why our score cannot be compared with the published score; empty where it can."""
        if self.changed:
            return f"{worded(self.changed)} in the study file"
        if (here := len(self.protocol.names)) != self.published.classes:
            return (
                f"{here} {self.protocol.task.answers} are told apart, not the {self.published.classes} of the "
                f"published {reproduced_metric().title}"
            )
        if self.published.reproduced is None or not all(obtained.interval.known for obtained in self._comparable):
            return "there is no interval to compare with"
        return ""

    def _state_of(self, obtained: Obtained) -> State:
        """The state by a single form of the score."""
        assert self.published.reproduced is not None
        low, high = self.published.reproduced - self.margin, self.published.reproduced + self.margin
        if low <= obtained.equivalence.low and obtained.equivalence.high <= high:
            return "reproduced"
        return "not reproduced" if obtained.interval.high < low or high < obtained.interval.low else "undecided"

    def _sentence(self, obtained: Obtained) -> str:
        """The reason for the state by a single form of the score."""
        near = f"within {self.margin:g} of the published {self.published.reproduced:.4f}"
        ours = f"the {obtained.form} {reproduced_metric().title} {obtained.value:.4f} has the"
        return {
            "reproduced": f"{ours} 90 % interval {obtained.equivalence}, which lies {near}",
            "not reproduced": f"{ours} 95 % interval {obtained.interval}, of which nothing lies {near}",
            "undecided": f"{ours} 95 % interval {obtained.interval}, of which a part lies {near}",
        }[self._state_of(obtained)]


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
        workspace: The project's stores.
        prepared: A study without a search, whose trials differ by their seeds alone.
        published: The number to compare with.
        observer: Receives every event, and writes the runs.
        margin: Largest difference from the published score without practical meaning, as a fraction.
        changed: Settings that differ from the study file.

    Raises:
        StudyError: The margin is not between 0 and 1; the study has another objective than the published number,
            searches something, does not keep all models, has several seeds of a model without random numbers, or a seed
            failed.
        KeyboardInterrupt: It was interrupted; the same call goes on from there.
    """
    metric, definition = reproduced_metric(), prepared.definition
    if not 0 < margin < 1:
        raise StudyError(
            f"the margin is {margin:g}; expected a difference of {metric.title} between 0 and 1, such as {MARGIN}"
        )
    _refuse_other_studies(definition, metric)
    rerun = Rerun(queue=[{}] * definition.config.study.trials)
    runs = train_seeds(workspace, prepared, rerun, observer)
    with workspace.errors():
        seeds = [score_on_test(workspace, run, prepared) for run in runs]
    predictions = predictions_of(workspace, runs, "test")
    score, fold_sums = f"test_{metric.name}", np.stack([_by_fold(seed, prepared, metric) for seed in predictions])
    speaker_sums = {scored.name: np.stack([seed.sums(scored) for seed in predictions]) for scored in definition.metrics}
    return Reproduction(
        published=published,
        seeds=seeds,
        pooled=Obtained(
            "pooled",
            statistics.fmean(seed[score] for seed in seeds),
            seed_interval(metric, speaker_sums[metric.name]),
            seed_interval(metric, speaker_sums[metric.name], EQUIVALENCE_CONFIDENCE),
        ),
        fold_mean=Obtained(
            "fold mean",
            statistics.fmean(seed[f"{score}_fold_mean"] for seed in seeds),
            fold_interval(metric, fold_sums),
            fold_interval(metric, fold_sums, EQUIVALENCE_CONFIDENCE),
        ),
        intervals={scored.name: seed_interval(scored, speaker_sums[scored.name]) for scored in definition.metrics},
        margin=margin,
        folds=len(prepared.folds),
        folds_of_protocol=prepared.folds_of_protocol,
        protocol=prepared.protocol,
        changed=changed,
    )


def _refuse_other_studies(definition: StudyDefinition, metric: Metric) -> None:
    """Refuse a study that does not train one configuration on random seeds and keep every model."""
    name, settings = definition.name, definition.config.study
    if definition.objective != metric:
        raise StudyError(
            f"study {name} has the objective {definition.objective.name}; a published number is reproduced with "
            f"{metric.name}"
        )
    if definition.search:
        raise StudyError(
            f"study {name} searches {', '.join(sorted(definition.search))}; a published configuration searches "
            "nothing: write 'search: {}'"
        )
    if settings.trials > 1:
        refuse_without_randomness(definition.config.model.name, f"study {name} trains {settings.trials} seeds")
    if settings.keep_models != "all":
        raise StudyError(f"study {name} keeps some models only; every seed's is tested: keep all")


def _by_fold(predictions: Predictions, prepared: Prepared, metric: Metric) -> np.ndarray:
    """A metric's sums over each fold's test utterances, shape (F, ...)."""
    utterances = prepared.corpus.utterances
    fold_of = {utterances[number].id: fold.number for fold in prepared.folds for number in fold.test}
    folds = np.array([fold_of[name] for name in predictions.utterances])
    return sums_of(metric, predictions.truth, predictions.predicted, folds, len(predictions.names))
