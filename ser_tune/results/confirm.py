"""Training a study's best configurations again on fresh seeds: the best of many trials is optimistic."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import optuna
from mlflow import MlflowClient
from optuna.trial import TrialState

from ..config import Project, Value
from ..errors import StudyError
from ..metrics import Interval, seed_intervals
from ..registry import Confirmed, Promotion, promote
from ..study import Prepared, Rerun, StudyDefinition, StudyObserver, load_study, prepare, run_study
from ..tracking import experiment_of, find_runs, read_predictions, tracking_errors

__all__ = ["Candidate", "confirm"]

FRESH_SEEDS = 100_000
"""Added to a study's seed: no trial of any search has such a one."""


@dataclass(frozen=True, slots=True)
class Candidate:
    """One of a study's best configurations, trained again."""

    trial: int
    """Of the search."""
    searched: float
    """The pooled validation UAR that the search saw."""
    scores: Sequence[float]
    """Pooled validation UAR of each fresh seed."""
    interval: Interval
    """Of the mean over seeds, by bootstrap over speakers and seeds."""
    numbers: Sequence[int]
    """The fresh trials, in the order of the scores."""

    @property
    def mean(self) -> float:
        """Over the fresh seeds."""
        return float(np.mean(self.scores))


def confirm(
    study: optuna.Study,
    prepared: Prepared,
    client: MlflowClient,
    project: Project,
    observer: StudyObserver,
    *,
    top: int,
    seeds: int,
    name: str | None = None,
) -> tuple[Sequence[Candidate], Promotion]:
    """Train a study's best trials again, and promote the one with the highest lower confidence bound.

    Of its seeds, the one with the median score is registered: the best seed would be optimistic again.

    Args:
        study: That was searched.
        prepared: Its corpus and folds.
        client: MLflow.
        project: Where things are.
        observer: Is told of the fresh trials, and writes their runs.
        top: How many of the best complete trials.
        seeds: How often each is trained.
        name: What to register; None is `ser-<corpus>-<model>`.

    Returns:
        The candidates, best first, and what became of the first.

    Raises:
        StudyError: There are fewer complete trials, or a training failed.
        KeyboardInterrupt: The training was interrupted; the same call goes on from there.
    """
    complete = [one for one in study.get_trials(deepcopy=False) if one.state == TrialState.COMPLETE]
    best = sorted(complete, key=lambda one: (-(one.value or 0.0), one.number))[:top]
    if len(best) < top:
        raise StudyError(f"study '{study.study_name}' has {len(best)} complete trials; expected at least {top}")
    configurations: list[Mapping[str, Value]] = [one.params for one in best]
    again = prepare(_again(prepared.definition, study.study_name, top * seeds), project)
    # Seed by seed, so that an interruption leaves all candidates with about as many
    rerun = Rerun(study_id=study.user_attrs["study_id"], queue=configurations * seeds)
    summary = run_study(again, project, observer, rerun=rerun)
    if summary.interrupted:
        raise KeyboardInterrupt
    if summary.complete < top * seeds:
        raise StudyError(
            f"study {summary.name}: {summary.complete} of {top * seeds} trainings are complete; "
            f"{summary.failed} failed, as their runs say"
        )
    fresh, _ = load_study(again.definition.name, project)
    numbers = _numbers(fresh, configurations)
    if min(map(len, numbers)) < seeds:
        raise StudyError(f"study {summary.name} has trials of other values than it was to train; delete it")
    candidates = [
        _candidate(client, project, again, fresh, one.number, one.value or 0.0, trained[:seeds])
        for one, trained in zip(best, numbers, strict=True)
    ]
    # A candidate that names one class throughout has no interval, and no bound to be chosen by
    candidates.sort(key=lambda one: (-one.interval.low if one.interval.known else math.inf, one.trial))
    chosen = candidates[0]
    middle = sorted(zip(chosen.scores, chosen.numbers, strict=True))[(len(chosen.scores) - 1) // 2][1]
    confirmed = Confirmed(chosen.mean, chosen.interval.low, chosen.interval.high, len(chosen.scores))
    return candidates, promote(client, project, again, fresh, trial=middle, name=name, confirmed=confirmed)


def _again(definition: StudyDefinition, name: str, trials: int) -> StudyDefinition:
    config = definition.config
    # All models, because nobody knows before the end which seed is the median
    settings = config.study.model_copy(
        update={"trials": trials, "pruner": "none", "timeout_s": None, "keep_models": "all"}
    )
    update = {"name": f"{name}-confirm", "seed": config.seed + FRESH_SEEDS, "study": settings}
    return StudyDefinition(config=config.model_copy(update=update), search=definition.search)


def _numbers(fresh: optuna.Study, configurations: Sequence[Mapping[str, Value]]) -> Sequence[Sequence[int]]:
    """The complete fresh trials of each configuration, oldest first.

    By their values and not by their place in line: a training that was interrupted is put in line again at its end.
    """
    complete = [one for one in fresh.get_trials(deepcopy=False) if one.state == TrialState.COMPLETE]
    numbers = []
    for place, values in enumerate(configurations):
        # Configurations that are the same, but for the seed that the search gave them, take turns
        turn, same = configurations[:place].count(values), configurations.count(values)
        numbers.append([one.number for one in complete if one.params == values][turn::same])
    return numbers


def _candidate(
    client: MlflowClient,
    project: Project,
    again: Prepared,
    fresh: optuna.Study,
    trial: int,
    searched: float,
    numbers: Sequence[int],
) -> Candidate:
    with tracking_errors(project.tracking_uri):
        experiment = experiment_of(client, project, again.corpus.name)
        _, runs = find_runs(client, experiment, fresh.user_attrs["study_id"])
        read = [read_predictions(client, runs[number].info.run_id, "validation") for number in numbers]
    predictions = [one for one in read if one is not None]
    if len(predictions) < len(numbers):
        raise StudyError(f"study '{fresh.study_name}': the predictions of a trial are gone from {project.tracking_uri}")
    return Candidate(
        trial=trial,
        searched=searched,
        scores=[runs[number].data.metrics["validation_uar"] for number in numbers],
        interval=seed_intervals(np.stack([one.confusions for one in predictions]))[0],
        numbers=numbers,
    )
