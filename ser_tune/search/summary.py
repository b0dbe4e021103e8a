"""The summary of a stored study: its trials by state, its best, and what ended its search."""

from collections.abc import Sequence
from typing import cast

import optuna
from optuna.trial import TrialState

from ..coordination import (
    best_trials,
    complete_trials,
    is_counted,
    is_gone,
    searched_trials,
    stored_definition,
    value_of,
)
from .confirmation import gain_of
from .front import front_of
from .observer import StudySummary
from .observer import TrialState as State
from .stored_plan import convergence_of

__all__ = ["finished_trials", "summarise"]


def finished_trials(study: optuna.Study) -> dict[int, State]:
    """The number of every trial that has ended to its state."""
    trials = study.get_trials(deepcopy=False)
    return {trial.number: cast(State, trial.state.name) for trial in trials if trial.state.is_finished()}


def summarise(study: optuna.Study, *, interrupted: bool = False, failures: Sequence[str] = ()) -> StudySummary:
    """Count a study's trials and name its best: by fresh seeds where there are any, else by the search's score."""
    trials = study.get_trials(deepcopy=False)
    complete = complete_trials(trials)
    definition = stored_definition(study)
    objective = definition.objective
    gain = gain_of(trials, definition.plan, definition.measures)
    ranked = best_trials(searched_trials(complete), objective)
    if gain is not None:
        ranked = [trial for trial in complete if trial.number == gain.winner.middle]
    return StudySummary(
        name=study.study_name,
        complete=len(complete),
        pruned=sum(trial.state == TrialState.PRUNED for trial in trials),
        failed=sum(trial.state == TrialState.FAIL and is_counted(trial) for trial in trials),
        best=next(((trial.number, value_of(trial)) for trial in ranked), None),
        first=next(map(value_of, complete), None),
        finished=finished_trials(study),
        interrupted=interrupted,
        failures=failures,
        gain=gain,
        front=front_of(trials, definition.measures),
        converged=convergence_of(study) if definition.config.study.stop_when_converged else None,
        running=sum(trial.state == TrialState.RUNNING and not is_gone(trial) for trial in trials),
    )
