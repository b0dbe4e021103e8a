"""Confirmation: a study's last trials train its best configurations again, on fresh seeds.

Searched trials share a seed, so that they differ by their configuration alone. The best of many scores on one seed is
optimistic. Fresh seeds remove the luck of the seed, not the choice among configurations on the same speakers: that is
corrected by `selection_of`.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import optuna
from optuna.trial import FrozenTrial, TrialState

from ..architectures import ARCHITECTURES
from ..coordination import (
    CONFIRMS,
    OVERRIDES,
    PLACE,
    SEED,
    best_trials,
    complete_trials,
    confirms,
    is_counted,
    next_place,
    searched_trials,
    shown_trials,
    value_of,
)
from ..definition import Plan
from ..errors import StudyError
from ..metrics import Metric, Ranking
from .front import candidates_first

__all__ = [
    "FreshSeeds",
    "SearchGain",
    "enqueue_confirmation",
    "entrants_of",
    "gain_of",
    "left_of_plan",
    "refuse_without_randomness",
]


@dataclass(frozen=True, slots=True)
class FreshSeeds:
    """A searched configuration on fresh seeds."""

    trial: int
    """The number of the searched trial."""
    scores: Sequence[float]
    """Pooled validation score of each seed."""
    numbers: Sequence[int]
    """The trials of the seeds, in their order."""
    objective: Metric
    """The metric of the scores."""

    @property
    def mean(self) -> float:
        """Over the seeds."""
        return float(np.mean(self.scores))

    @property
    def middle(self) -> int:
        """The trial with the median score; of two, with the worse one."""
        key = Ranking(self.objective).key
        worst_first = sorted((key(score), number) for score, number in zip(self.scores, self.numbers, strict=True))
        return worst_first[(len(worst_first) - 1) // 2][1]


@dataclass(frozen=True, slots=True)
class SearchGain:
    """A study's best configurations on fresh seeds, and the configurations of the comparison."""

    winner: FreshSeeds
    """The best of the confirmed trials, by its mean."""
    first: FreshSeeds | None
    """The first complete trial, which is trial 0 unless it failed; None where it was not trained again."""
    median: FreshSeeds | None
    """The median of the complete searched trials."""


def refuse_without_randomness(model: str, what: str) -> None:
    """Raise where scores on several seeds are wanted, and every seed trains the same network.

    Args:
        model: The architecture's name.
        what: The action, to open the message with.

    Raises:
        StudyError: The architecture is solved.
    """
    if not ARCHITECTURES.get(model).is_random:
        raise StudyError(
            f"{what}: {model} is solved without random numbers, so every seed gives the same network and the same "
            "score; other seeds confirm nothing"
        )


def left_of_plan(trials: Sequence[FrozenTrial], plan: Plan, measures: Sequence[Metric]) -> int:
    """Number of trials of a plan that are left to run, where the study has these objectives."""
    if left := max(0, plan.searched - sum(map(is_counted, searched_trials(trials)))):
        return left + plan.confirmed * plan.seeds
    ended = {(confirms(trial), trial.user_attrs.get(SEED)) for trial in trials if is_counted(trial)}
    return sum(pair not in ended for pair in _pairs(trials, plan, measures))


def enqueue_confirmation(study: optuna.Study, plan: Plan, measures: Sequence[Metric]) -> None:
    """Enqueue the next trial of the confirmation if the search is over and no trial waits."""
    known = study.get_trials(deepcopy=False)
    trials = shown_trials(study, known)
    searched = {trial.number: trial for trial in searched_trials(trials)}
    is_over = plan.searched <= sum(map(is_counted, searched.values()))
    if not is_over or any(trial.state == TrialState.WAITING for trial in trials):
        return
    begun = {(confirms(trial), trial.user_attrs.get(SEED)) for trial in trials}
    for number, seed in _pairs(trials, plan, measures):
        if (number, seed) not in begun:
            again = searched[number]
            same = {key: again.user_attrs[key] for key in (OVERRIDES,) if key in again.user_attrs}
            own = {PLACE: next_place(known), CONFIRMS: number, SEED: seed}
            study.enqueue_trial(again.params, user_attrs={**own, **same})
            return


def gain_of(trials: Sequence[FrozenTrial], plan: Plan, measures: Sequence[Metric]) -> SearchGain | None:
    """The result of the confirmation; None where no configuration has all of its fresh seeds yet."""
    objective, candidates = measures[0], candidates_first(trials, measures)
    fresh: dict[int, FreshSeeds] = {}
    for entrant in _entrants(candidates, plan, objective):
        by_seed = {
            trial.user_attrs[SEED]: trial for trial in complete_trials(trials) if confirms(trial) == entrant.number
        }
        if len(by_seed) >= plan.seeds > 0:
            ordered = [by_seed[seed] for seed in sorted(by_seed)]
            numbers = [trial.number for trial in ordered]
            fresh[entrant.number] = FreshSeeds(entrant.number, list(map(value_of, ordered)), numbers, objective)
    confirmed = [fresh[trial.number] for trial in candidates[: entrants_of(plan)] if trial.number in fresh]
    winner = Ranking(objective).best(confirmed, lambda seeds: seeds.mean)
    if winner is None:
        return None
    return SearchGain(winner, *(fresh.get(trial.number) for trial in _compared(candidates, objective)))


def _pairs(trials: Sequence[FrozenTrial], plan: Plan, measures: Sequence[Metric]) -> list[tuple[int, int]]:
    """Searched trials and the seeds that they are trained on again, seed by seed."""
    entrants = _entrants(candidates_first(trials, measures), plan, measures[0])
    return [(trial.number, seed) for seed in range(1, plan.seeds + 1) for trial in entrants]


def _compared(candidates: Sequence[FrozenTrial], objective: Metric) -> list[FrozenTrial]:
    """The first and the median one, by the primary objective, of complete searched trials; none of none."""
    if not candidates:
        return []
    best_first = best_trials(candidates, objective)
    return [min(best_first, key=lambda trial: trial.number), best_first[len(best_first) // 2]]


def entrants_of(plan: Plan) -> int:
    """Number of the searched trials among which fresh seeds choose: all that are confirmed but two, which compare."""
    return max(min(plan.confirmed, 1), plan.confirmed - 2)


def _entrants(candidates: Sequence[FrozenTrial], plan: Plan, objective: Metric) -> list[FrozenTrial]:
    """The searched trials to confirm: the best, then the first and the median one to compare them with."""
    wanted = [*candidates[: entrants_of(plan)], *_compared(candidates, objective), *candidates]
    unlike = {trial.number: trial for trial in wanted}
    return list(unlike.values())[: plan.confirmed]
