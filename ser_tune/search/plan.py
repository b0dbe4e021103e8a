"""The plan of a study: how its trials are shared out between search and confirmation."""

import math
from dataclasses import dataclass

import optuna

from ..architectures import ARCHITECTURES
from ..coordination import CONVERGED
from ..definition import AnyStudy

__all__ = ["Convergence", "Plan", "convergence_of", "plan_of"]


@dataclass(frozen=True, slots=True)
class Plan:
    """The trials of a study."""

    searched: int
    """Trials that are proposed by the search."""
    confirmed: int = 0
    """Configurations that are trained again: the best ones, then trial 0, then the median one."""
    seeds: int = 0
    """Trials of each of them."""


@dataclass(frozen=True, slots=True)
class Convergence:
    """The reason why a search ended early."""

    searched: int
    """Trials of the search, those included that ran when it was found."""
    trials: int
    """The same, and the trials of the confirmation."""
    gain: float
    """Upper bound of how much better the pooled validation score of the best configuration in the ranges is."""
    error: float
    """Standard error of the best trial's score."""


def plan_of(config: AnyStudy, study: optuna.Study | None = None) -> Plan:
    """The plan of a study by its settings; `study`, as it is stored, may have fewer trials because it converged."""
    trials = config.study.trials
    fresh = int(config.study.confirm * trials)
    # Another seed does not change the score of a model that is solved
    if fresh == 0 or not ARCHITECTURES.get(config.model.name).is_random:
        plan = Plan(trials)
    else:
        seeds = max(1, math.isqrt(fresh // 2))  # 6 configurations on one seed are worth more than 3 on two
        plan = Plan(trials - fresh // seeds * seeds, fresh // seeds, seeds)
    if study is None or not config.study.stop_when_converged or (convergence := convergence_of(study)) is None:
        return plan
    return Plan(min(plan.searched, convergence.searched), plan.confirmed, plan.seeds)


def convergence_of(study: optuna.Study) -> Convergence | None:
    """The stored convergence of a study; None where it has not converged."""
    stored = study.user_attrs.get(CONVERGED)
    return None if stored is None else Convergence(**stored)
