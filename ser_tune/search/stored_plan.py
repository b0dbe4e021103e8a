"""The plan of a stored study, whose search may have ended early because it converged."""

from dataclasses import dataclass, replace

import optuna

from ..coordination import CONVERGED
from ..definition import Plan, StudyDefinition

__all__ = ["Convergence", "convergence_of", "current_plan"]


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


def current_plan(definition: StudyDefinition, study: optuna.Study | None) -> Plan:
    """The plan of a study, with fewer trials where the stored study has converged; None is not stored yet."""
    plan = definition.plan
    if study is None or not definition.config.study.stop_when_converged:
        return plan
    convergence = convergence_of(study)
    return plan if convergence is None else replace(plan, searched=min(plan.searched, convergence.searched))


def convergence_of(study: optuna.Study) -> Convergence | None:
    """The stored convergence of a study; None where it has not converged."""
    stored = study.user_attrs.get(CONVERGED)
    return None if stored is None else Convergence(**stored)
