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
    shown_trials,
    stored_definition,
    value_of,
)
from ..errors import StudyError, brief
from .confirmation import gain_of
from .front import front_of
from .observer import StudySummary
from .observer import TrialState as State
from .stored_plan import convergence_of

__all__ = ["finished_trials", "preferred_trial", "summarise"]


def finished_trials(study: optuna.Study) -> dict[int, State]:
    """The number of every trial that has ended to its state."""
    trials = shown_trials(study)
    return {trial.number: cast(State, trial.state.name) for trial in trials if trial.state.is_finished()}


def preferred_trial(study: optuna.Study, objective: str) -> int | None:
    """The number of the trial of a study's Pareto front that is best by an objective; of equal ones by the primary.

    Returns:
        None where it is the study's best trial, which a confirmation may have trained again.

    Raises:
        StudyError: The study has no such objective, or a single one, or no complete trial.
    """
    summary, names = summarise(study), stored_definition(study).objectives
    if objective not in names or len(names) == 1:
        has = f"the objective{'s' * (len(names) > 1)} {', '.join(names)}"
        raise StudyError(f"--prefer is {brief(objective)}, but study '{study.study_name}' has {has}")
    if summary.front is None:
        raise StudyError(f"study '{study.study_name}' has no complete trial to promote")
    number = summary.front.best_by(objective).number
    winner = None if summary.gain is None else summary.gain.winner.trial
    return None if number == winner and objective == stored_definition(study).preferred else number


def summarise(study: optuna.Study, *, interrupted: bool = False, failures: Sequence[str] = ()) -> StudySummary:
    """Count a study's trials and name its best: by fresh seeds where there are any, else by the search's score.

    Where the study prefers another objective than the first, its best is the trial of the front that is best by that.
    """
    trials = shown_trials(study)
    complete = complete_trials(trials)
    definition = stored_definition(study)
    objective = definition.objective
    gain = gain_of(trials, definition.plan, definition.measures)
    searched = best_trials(searched_trials(complete), objective)
    ranked = searched
    front = front_of(trials, definition.measures)
    if gain is not None:
        ranked = [trial for trial in complete if trial.number == gain.winner.middle]
    if front is not None and definition.preferred != objective.name:
        preferred = front.best_by(definition.preferred).number
        if gain is None or gain.winner.trial != preferred:  # fresh seeds are of the first objective
            ranked = [trial for trial in complete if trial.number == preferred]
    return StudySummary(
        name=study.study_name,
        complete=len(complete),
        pruned=sum(trial.state == TrialState.PRUNED for trial in trials),
        failed=sum(trial.state == TrialState.FAIL and is_counted(trial) for trial in trials),
        best=next(((trial.number, value_of(trial)) for trial in ranked), None),
        leader=next(((trial.number, value_of(trial)) for trial in searched), None),
        first=next(map(value_of, complete), None),
        finished=finished_trials(study),
        interrupted=interrupted,
        failures=failures,
        gain=gain,
        front=front,
        converged=convergence_of(study) if definition.config.study.stop_when_converged else None,
        running=sum(trial.state == TrialState.RUNNING and not is_gone(trial) for trial in trials),
    )
