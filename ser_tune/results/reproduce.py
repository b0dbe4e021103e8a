"""Reproducing published numbers: their configuration and protocol, on several seeds, each tested once."""

import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from mlflow import MlflowClient

from ..config import Project
from ..errors import StudyError
from ..metrics import Interval, seed_intervals
from ..study import Difference, Prepared, Protocol, Rerun, StudyObserver, worded
from ..tracking import score_on_test, tracking_errors
from .published import Published
from .seeds import predictions_of, train_seeds

__all__ = ["Reproduction", "reproduce"]

INNOCENT = ("protocol.fold_limit", "training.device", "training.precision", "study")
"""What may be set without changing what is reproduced; a limit of folds has a verdict of its own."""


@dataclass(frozen=True, slots=True)
class Reproduction:
    """What a published configuration came to here."""

    published: Published
    seeds: Sequence[Mapping[str, float]]
    """Validation and test metrics of each seed, by MLflow's names."""
    uar_interval: Interval
    """Of the test UAR's mean over the seeds, by bootstrap over speakers and seeds."""
    wa_interval: Interval
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
    def verdict(self) -> str:
        """Whether the published UAR is within the 95 % interval of ours, in words."""
        if other := [one for one in self.changed if not one.is_in(INNOCENT)]:
            return f"no verdict: {worded(other)} in the study file"
        value = self.published.uar
        if value is None or not self.uar_interval.known:
            return "no verdict: there is no interval to compare with"
        where = (
            "above the interval"
            if value > self.uar_interval.high
            else "below the interval"
            if value < self.uar_interval.low
            else "within the interval"
        )
        if self.folds < self.folds_of_protocol:
            return (
                f"no verdict: {self.folds} of {self.folds_of_protocol} folds were trained; "
                f"on these the published UAR lies {where}"
            )
        words = {"above the interval": "not reached", "below the interval": "exceeded"}
        return f"{words.get(where, 'reproduced')}: the published UAR lies {where}"


def reproduce(
    prepared: Prepared,
    published: Published,
    client: MlflowClient,
    project: Project,
    observer: StudyObserver,
    *,
    changed: Sequence[Difference] = (),
) -> Reproduction:
    """Train the configuration on as many seeds as the study has trials, and score each on its test speakers.

    Args:
        prepared: A study without a search, whose trials differ by their seeds alone.
        published: What to compare with.
        client: MLflow.
        project: Where things are.
        observer: Receives every event, and writes the runs.
        changed: What was set otherwise than in the study file.

    Raises:
        StudyError: It searches something, does not keep all models, or a seed failed.
        KeyboardInterrupt: It was interrupted; the same call goes on from there.
    """
    definition = prepared.definition
    if definition.search:
        raise StudyError(
            f"study {definition.name} searches {', '.join(sorted(definition.search))}; a published configuration "
            "searches nothing: write 'search: {}'"
        )
    if definition.config.study.keep_models != "all":
        raise StudyError(f"study {definition.name} keeps some models only; every seed's is tested: keep all")
    rerun = Rerun(queue=[{}] * definition.config.study.trials)
    runs = train_seeds(prepared, rerun, client, project, observer)
    with tracking_errors(project.tracking_uri):
        seeds = [score_on_test(client, run, prepared, project) for run in runs]
    predictions = predictions_of(client, runs, "test")
    uar, wa = seed_intervals(np.stack([one.confusions for one in predictions]))
    return Reproduction(
        published=published,
        seeds=seeds,
        uar_interval=uar,
        wa_interval=wa,
        folds=len(prepared.folds),
        folds_of_protocol=prepared.folds_of_protocol,
        protocol=prepared.protocol,
        changed=changed,
    )
