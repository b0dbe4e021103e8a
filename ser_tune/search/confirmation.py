"""Confirmation: a study's last trials train its best configurations again, on fresh seeds.

Searched trials share a seed, so that they differ by their configuration alone. The best of many scores on one seed is
optimistic. Fresh seeds remove the luck of the seed, not the choice among configurations on the same speakers: that is
corrected by `selection_of`.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import optuna
from optuna.trial import FrozenTrial, TrialState

from ..architectures import ARCHITECTURES
from ..coordination import CONFIRMS, OVERRIDES, SEED, best_trials, is_counted, value_of
from ..definition import AnyStudy
from ..errors import StudyError
from ..metrics import Metric, Ranking

__all__ = [
    "FreshSeeds",
    "Plan",
    "SearchGain",
    "confirms",
    "enqueue_confirmation",
    "entrants_of",
    "gain_of",
    "left_of_plan",
    "plan_of",
    "refuse_without_randomness",
]


@dataclass(frozen=True, slots=True)
class Plan:
    """How a study's trials are shared out."""

    searched: int
    """Trials that are proposed by the search."""
    confirmed: int = 0
    """Configurations that are trained again: the best ones, then trial 0, then the median one."""
    seeds: int = 0
    """How often each of them is."""


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
    """What the scores are."""

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
    """What came of a study's best on fresh seeds."""

    winner: FreshSeeds
    """Of the best searched trials, the one with the best mean."""
    first: FreshSeeds | None
    """The first complete trial, which is trial 0 unless it failed; None where it was not trained again."""
    median: FreshSeeds | None
    """The median of the complete searched trials."""


def plan_of(config: AnyStudy) -> Plan:
    """How many trials of a study are searched and confirmed."""
    trials = config.study.trials
    fresh = int(config.study.confirm * trials)
    # A model that is solved gets no other score from another seed
    if fresh == 0 or not ARCHITECTURES.get(config.model.name).is_random:
        return Plan(trials)
    seeds = max(1, math.isqrt(fresh // 2))  # 6 configurations on one seed are worth more than 3 on two
    return Plan(trials - fresh // seeds * seeds, fresh // seeds, seeds)


def refuse_without_randomness(model: str, what: str) -> None:
    """Raise where seeds are to tell how much a score varies, and every seed trains the same network.

    Args:
        model: The architecture's name.
        what: What was to be done, to open the message with.

    Raises:
        StudyError: The architecture is solved.
    """
    if not ARCHITECTURES.get(model).is_random:
        raise StudyError(
            f"{what}: {model} is solved without random numbers, so every seed gives the same network and the same "
            "score; other seeds confirm nothing"
        )


def confirms(trial: optuna.Trial | FrozenTrial) -> int | None:
    """The number of the searched trial that this one trains again; None of a searched one."""
    return trial.user_attrs.get(CONFIRMS)


def left_of_plan(trials: Sequence[FrozenTrial], plan: Plan, objective: Metric) -> int:
    """How many trials of a plan are left to run, where the objective ranks them."""
    searched = [one for one in trials if confirms(one) is None]
    if left := max(0, plan.searched - sum(map(is_counted, searched))):
        return left + plan.confirmed * plan.seeds
    ended = {(confirms(one), one.user_attrs.get(SEED)) for one in trials if is_counted(one)}
    return sum(pair not in ended for pair in _pairs(trials, plan, objective))


def enqueue_confirmation(study: optuna.Study, plan: Plan, objective: Metric) -> None:
    """Put the next trial of the confirmation in line where the search is over, and no trial waits."""
    trials = study.get_trials(deepcopy=False)
    searched = [one for one in trials if confirms(one) is None]
    if plan.searched > sum(map(is_counted, searched)) or any(one.state == TrialState.WAITING for one in trials):
        return
    begun = {(confirms(one), one.user_attrs.get(SEED)) for one in trials}
    again = {one.number: one for one in searched}
    for number, seed in _pairs(trials, plan, objective):
        if (number, seed) not in begun:
            same = {key: again[number].user_attrs[key] for key in (OVERRIDES,) if key in again[number].user_attrs}
            study.enqueue_trial(again[number].params, user_attrs={CONFIRMS: number, SEED: seed, **same})
            return


def gain_of(trials: Sequence[FrozenTrial], plan: Plan, objective: Metric) -> SearchGain | None:
    """What came of the confirmation; None where no configuration has all of its fresh seeds yet."""
    best_first = _searched(trials, objective)
    fresh: dict[int, FreshSeeds] = {}
    for entrant in _entrants(best_first, plan):
        own = [one for one in trials if confirms(one) == entrant.number and one.state == TrialState.COMPLETE]
        by_seed = {one.user_attrs[SEED]: one for one in own}
        if len(by_seed) >= plan.seeds > 0:
            ordered = [by_seed[seed] for seed in sorted(by_seed)]
            scores = [value_of(one) for one in ordered]
            fresh[entrant.number] = FreshSeeds(entrant.number, scores, [one.number for one in ordered], objective)
    confirmed = [fresh[one.number] for one in best_first[: entrants_of(plan)] if one.number in fresh]
    winner = Ranking(objective).best(confirmed, lambda one: one.mean)
    if winner is None:
        return None
    return SearchGain(winner, *(fresh.get(one.number) for one in _compared(best_first)))


def _pairs(trials: Sequence[FrozenTrial], plan: Plan, objective: Metric) -> list[tuple[int, int]]:
    """Searched trials and the seeds that they are trained on again, seed by seed."""
    entrants = _entrants(_searched(trials, objective), plan)
    return [(one.number, seed) for seed in range(1, plan.seeds + 1) for one in entrants]


def _searched(trials: Sequence[FrozenTrial], objective: Metric) -> list[FrozenTrial]:
    """Complete searched trials, best first."""
    complete = [one for one in trials if one.state == TrialState.COMPLETE and confirms(one) is None]
    return best_trials(complete, objective)


def _compared(best_first: Sequence[FrozenTrial]) -> list[FrozenTrial]:
    """Of complete searched trials the first and the median one; none where there are none."""
    if not best_first:
        return []
    return [min(best_first, key=lambda one: one.number), best_first[len(best_first) // 2]]


def entrants_of(plan: Plan) -> int:
    """How many of the best searched trials fresh seeds choose among: all that are confirmed but two, which compare."""
    return max(min(plan.confirmed, 1), plan.confirmed - 2)


def _entrants(best_first: Sequence[FrozenTrial], plan: Plan) -> list[FrozenTrial]:
    """The searched trials to confirm: the best, then the first and the median one to compare them with."""
    wanted = [*best_first[: entrants_of(plan)], *_compared(best_first), *best_first]
    unlike = {one.number: one for one in wanted}
    return list(unlike.values())[: plan.confirmed]
