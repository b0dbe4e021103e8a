"""Confirmation: train a study's best configurations on fresh seeds; this corrects for seeds, not for the choice."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
import optuna
from mlflow.entities import Run
from optuna.trial import FrozenTrial

from ..config import Value
from ..coordination import Rerun, complete_trials, confirms, shown_trials, value_of, values_of
from ..definition import StudyDefinition
from ..errors import StudyError
from ..metrics import Metric, Ranking
from ..protocol import Prepared, prepare
from ..registry import Confirmed, Promotion, promote
from ..resampling import Interval, interval_of, seed_interval
from ..results import predictions_of
from ..search import (
    FreshSeeds,
    Selection,
    StudyObserver,
    candidates_first,
    candidates_of,
    corrected_choice,
    refuse_without_randomness,
)
from ..tracking import TRIAL_TAG, Workspace, find_runs, no_randomness, read_sums
from .seeds import train_seeds

__all__ = ["Candidate", "Confirmation", "confirm"]

FRESH_SEEDS = 100_000
"""Added to a study's seed: no trial of a search has such a seed."""


@dataclass(frozen=True, slots=True)
class Candidate(FreshSeeds):
    """One of a study's best configurations, trained again."""

    searched: float
    """Pooled validation score in the search."""
    searched_interval: Interval
    """Interval of the score in the search, by bootstrap over speakers."""
    interval: Interval
    """Interval of the mean over seeds, by bootstrap over speakers and seeds."""


@dataclass(frozen=True, slots=True)
class Confirmation:
    """A study's best configurations on fresh seeds."""

    study: str
    """The name of the study of the fresh trials."""
    candidates: Sequence[Candidate]
    """By the worse confidence bound, which is the lower one where higher is better; best first."""
    promotion: Promotion
    """Promotion of the median seed of the first candidate."""


def confirm(
    workspace: Workspace,
    study: optuna.Study,
    prepared: Prepared,
    observer: StudyObserver,
    *,
    top: int,
    seeds: int,
    name: str | None = None,
) -> Confirmation:
    """Train a study's best trials again, and promote the configuration whose worse confidence bound is best.

    Its seed with the median score is registered: the best seed would be optimistic again.

    Args:
        workspace: The project's stores.
        study: The search.
        prepared: Its corpus and folds.
        observer: Receives every event of the fresh trials, and writes their runs.
        top: Number of the best complete trials of the search; with several objectives those of the front come first.
        seeds: Trainings of each.
        name: Of the registered model; None is `ser-<corpus>-<model>`.

    Raises:
        StudyError: There are fewer complete trials, the model has no random numbers, or a training failed.
        KeyboardInterrupt: The training was interrupted; the same call goes on from there.
    """
    refuse_without_randomness(
        prepared.definition.config.model.name, f"study '{study.study_name}' cannot be confirmed on fresh seeds"
    )
    objective = prepared.definition.objective
    complete = complete_trials(shown_trials(study))
    best = candidates_first(complete, prepared.definition.measures)[:top]
    if len(best) < top:
        raise StudyError(f"study '{study.study_name}' has {len(best)} complete trials; expected at least {top}")
    configurations: list[Mapping[str, Value]] = [values_of(trial) for trial in best]
    again = prepare(_again(prepared.definition, study.study_name, top * seeds), workspace.project)
    # Seed by seed, so that an interruption leaves all candidates with about as many
    rerun = Rerun(queue=configurations * seeds, study_id=study.user_attrs["study_id"])
    runs = train_seeds(workspace, again, rerun, observer)
    fresh, _ = workspace.study(again.definition.name)
    searched = _searched_intervals(workspace, study, best, prepared)
    candidates = by_bound(
        [
            _candidate(workspace, objective, trial, interval, runs[place::top])
            for place, (trial, interval) in enumerate(zip(best, searched, strict=True))
        ],
        objective,
    )
    chosen = candidates[0]
    confirmed = Confirmed(
        mean=chosen.mean,
        low=chosen.interval.low,
        high=chosen.interval.high,
        seeds=len(chosen.scores),
        trial=chosen.middle,
        selection=_corrected(workspace, study, candidates, runs),
    )
    promotion = promote(workspace, again, fresh, trial=confirmed, name=name)
    return Confirmation(study=again.definition.name, candidates=candidates, promotion=promotion)


def by_bound(candidates: Sequence[Candidate], objective: Metric) -> list[Candidate]:
    """Sort candidates by the worse end of their interval, the best first; of equal ones the earlier trial.

    A candidate that predicts the same throughout has no interval, so no bound to be chosen by: it is last.
    """
    ranking = Ranking(objective)

    def bound(candidate: Candidate) -> float:
        return ranking.worse(candidate.interval.low, candidate.interval.high)

    return ranking.best_first(candidates, bound, lambda candidate: candidate.trial)


def _corrected(
    workspace: Workspace, study: optuna.Study, candidates: Sequence[Candidate], again: Sequence[Run]
) -> Selection | None:
    """The first candidate without the choice, made by search score and then by the mean over fresh seeds."""
    chosen = candidates[0]
    with workspace.errors():
        known = read_sums(workspace, again[0].info.experiment_id, study)
    numbers = [trial.number for trial in candidates_of(study) if confirms(trial) is None]
    if chosen.trial not in numbers or not known.keys() >= set(numbers):
        return None
    predicted = predictions_of(workspace, again, "validation")
    of_trial = {
        int(run.data.tags[TRIAL_TAG]): seed.sums(chosen.objective) for run, seed in zip(again, predicted, strict=True)
    }
    fresh = {
        candidate.trial: np.mean([of_trial[number] for number in candidate.numbers], axis=0) for candidate in candidates
    }
    searched = {number: known[number] for number in numbers}
    return corrected_choice(chosen.objective, searched, winner=chosen.trial, fresh=fresh, entrants=len(candidates))


def _again(definition: StudyDefinition, name: str, trials: int) -> StudyDefinition:
    """The study of the fresh trials."""
    config = definition.config
    # All models, because the median seed is known at the end
    settings = config.study.model_copy(
        update={"trials": trials, "pruner": "none", "timeout_s": None, "keep_models": "all"}
    )
    update = {"name": f"{name}-confirm", "seed": config.seed + FRESH_SEEDS, "study": settings}
    return replace(definition, config=config.model_copy(update=update))


def _searched_intervals(
    workspace: Workspace, study: optuna.Study, trials: Sequence[FrozenTrial], prepared: Prepared
) -> Sequence[Interval]:
    """The intervals of the scores in the search; unknown where its runs were deleted: confirming does without."""
    with workspace.errors():
        experiment = workspace.experiment(prepared.corpus.name)
        _, runs = find_runs(workspace, experiment, study.user_attrs["study_id"])
    metrics = [runs[trial.number].data.metrics if trial.number in runs else {} for trial in trials]
    return [interval_of(found, f"validation_{prepared.definition.objective.name}") for found in metrics]


def _candidate(
    workspace: Workspace, objective: Metric, searched: FrozenTrial, interval: Interval, runs: Sequence[Run]
) -> Candidate:
    """A searched trial with its runs on fresh seeds, whose predictions must differ."""
    predictions = predictions_of(workspace, runs, "validation")
    if no_randomness(predictions):
        raise StudyError(
            f"trial {searched.number} predicts the same on each of {len(runs)} fresh seeds, to the last digit: nothing "
            "of its training is random, so the seeds confirm nothing, and nothing is registered"
        )
    return Candidate(
        trial=searched.number,
        objective=objective,
        searched=value_of(searched),
        searched_interval=interval,
        scores=[run.data.metrics[f"validation_{objective.name}"] for run in runs],
        interval=seed_interval(objective, np.stack([seed.sums(objective) for seed in predictions])),
        numbers=[int(run.data.tags[TRIAL_TAG]) for run in runs],
    )
