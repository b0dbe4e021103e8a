"""Configurations as results: trainings of a study that differ by their seed alone are one result, their mean.

`confirm`, `ablate`, `reproduce` and a study's own confirmation train a configuration on several seeds. The best seed
would be as optimistic as the best trial of a search.
"""

import statistics
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from mlflow.entities import Run

from ..architectures import ARCHITECTURES
from ..folds import SIDES
from ..metrics import Metric, Ranking, score_in
from ..resampling import PairedComparison, compare_paired, seed_interval
from .prediction_tables import Predictions, read_predictions
from .queries import search_runs
from .runs import (
    CONFIRMED_TAG,
    CONFIRMS_TAG,
    MEMBERS_TAG,
    STUDY_TAG,
    TRIAL_TAG,
    find_runs,
    is_complete,
    metrics_of,
    objective_of,
    score_of,
)
from .workspace import Workspace

__all__ = [
    "Result",
    "compare_seeds",
    "is_solved",
    "no_randomness",
    "results_of",
    "searched_by",
    "searched_trials",
    "with_its_seeds",
]


@dataclass(frozen=True, slots=True)
class Result:
    """A configuration: the run of a searched trial or of a combination, or its runs on several seeds."""

    runs: Sequence[Run]
    """A run for each seed, oldest first."""

    @property
    def metrics(self) -> tuple[Metric, ...]:
        """The metrics of its scores; the first is its objective."""
        return metrics_of(self.runs[0])

    @property
    def objective(self) -> Metric:
        """The metric that ranks it."""
        return self.metrics[0]

    @property
    def mean(self) -> float:
        """Mean over the seeds of the objective's pooled validation score (of a nested study: inner score).

        Results may be chosen by it.
        """
        return statistics.fmean(map(_validation, self.runs))

    @property
    def run(self) -> Run:
        """The run with the median validation score, of two the worse. `confirm` registers it."""
        key = Ranking(self.objective).key
        return sorted(self.runs, key=lambda run: key(_validation(run)))[(len(self.runs) - 1) // 2]

    def scores(self, workspace: Workspace) -> dict[str, float]:
        """The metrics of every side by MLflow's names, with the ends of their intervals where those are known.

        Each is the mean over the seeds that the side was scored for, its interval by bootstrap over speakers and seeds.
        """
        if len(self.runs) == 1:
            return dict(self.runs[0].data.metrics)
        found: dict[str, float] = {}
        for side in SIDES:
            scored = [run for run in self.runs if score_of(run, side) is not None]
            if not scored:
                continue
            metrics = {f"{side}_{metric.name}": metric for metric in self.metrics}
            for name in metrics:
                known = [score for run in scored if (score := score_in(run.data.metrics, name)) is not None]
                found |= {name: statistics.fmean(known)} if len(known) == len(scored) else {}
            read = [read_predictions(workspace, run, side) for run in scored]
            predictions = [seed for seed in read if seed is not None]
            if len(predictions) < len(scored):
                continue
            for name, metric in metrics.items():
                interval = seed_interval(metric, np.stack([seed.sums(metric) for seed in predictions]))
                found |= {f"{name}_low": interval.low, f"{name}_high": interval.high} if interval.known else {}
        return found


def results_of(runs: Iterable[Run]) -> list[Result]:
    """Group runs whose study and parameters are the same but for the seed, oldest first.

    A study's own confirmation is kept apart from the searched trials, which chose what it trains again. Of a model that
    is solved the oldest run is the result: its other seeds are the same network again.

    Args:
        runs: Complete runs, newest first as MLflow lists them.
    """
    groups: dict[object, dict[str, Run]] = defaultdict(dict)
    for run in reversed(list(runs)):
        tags, params = run.data.tags, run.data.params
        fixed = frozenset((name, value) for name, value in params.items() if name != "seed")
        is_trial = TRIAL_TAG in tags and "seed" in params  # a combination is by itself
        group = (tags.get(STUDY_TAG), tags.get(CONFIRMED_TAG), fixed) if is_trial else run.info.run_id
        groups[group].setdefault("" if is_solved(run) else params.get("seed", ""), run)
    return [Result(tuple(seeds.values())) for seeds in groups.values()]


def with_its_seeds(workspace: Workspace, run: Run) -> Result:
    """The result of a run and of the runs of its study that differ from it by their seed alone."""
    if STUDY_TAG in run.data.tags:
        _, trials = find_runs(workspace, run.info.experiment_id, run.data.tags[STUDY_TAG])
        for result in results_of(filter(is_complete, trials.values())):
            if run.info.run_id in {seed.info.run_id for seed in result.runs}:
                return result
    return Result((run,))


def is_solved(run: Run) -> bool:
    """Whether a run's model is solved without random numbers, so that its seed means nothing."""
    name = run.data.params.get("model.name")
    return name in ARCHITECTURES.names() and not ARCHITECTURES.get(name).is_random


def no_randomness(trainings: Sequence[Predictions]) -> bool:
    """Whether trainings on several seeds predict the same, to the last digit that is stored.

    Their agreement is no evidence: nothing in the training is random.
    """
    first, *others = trainings
    return bool(others) and all(
        other.utterances == first.utterances and np.array_equal(other.shown, first.shown) for other in others
    )


def searched_by(run: Run) -> str | None:
    """The study that found a run's configuration; None where it combines several."""
    tags = run.data.tags
    return tags.get(CONFIRMS_TAG) or tags.get(STUDY_TAG)


def searched_trials(workspace: Workspace, run: Run) -> list[Run]:
    """Complete trials that a run was the best of; of a combination those of all its members' searches."""
    members = run.data.tags.get(MEMBERS_TAG, "").split()
    found = search_runs(workspace, f"attributes.run_id IN ({', '.join(map(repr, members))})") if members else [run]
    studies = sorted({study for member in found if (study := searched_by(member)) is not None})
    return [
        trial
        for study in studies
        for trial in find_runs(workspace, run.info.experiment_id, study)[1].values()
        if is_complete(trial) and CONFIRMED_TAG not in trial.data.tags
    ]


def compare_seeds(
    ours: Sequence[Predictions], theirs: Sequence[Predictions], metrics: Sequence[Metric]
) -> PairedComparison:
    """Compare the means of two configurations over their seeds, paired by speaker, as `compare_paired` does.

    Args:
        ours: Of each seed of the first.
        theirs: Of each seed of the second, of the same utterances.
        metrics: The first is tested.
    """
    first = ours[0]
    a, b = ([seed.predicted for seed in side] for side in (ours, theirs))
    return compare_paired(first.truth, a, b, first.speaker_numbers, metrics, len(first.names))


def _validation(run: Run) -> float:
    score = score_of(run, "validation")
    return float(run.data.metrics[f"inner_{objective_of(run).name}"]) if score is None else score
