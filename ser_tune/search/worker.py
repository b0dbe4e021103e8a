"""Work on an open study: claim a trial, run it, store its end, until there are enough.

Any number of processes do so at once. The decisions on a study's trials are made under its lock: to claim a trial, to
run a dead one again, and to start the confirmation.
"""

import math
import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Literal

import optuna
from optuna.exceptions import UpdateFinishedTrialError
from optuna.trial import FrozenTrial, TrialState

from ..coordination import (
    FAILURE,
    PLACE,
    RETRIES,
    Heartbeat,
    Rerun,
    StorageLock,
    Watch,
    begin_next,
    confirms,
    enqueue_unfinished,
    is_counted,
    joined,
    next_place,
    note_process,
    number_of,
    place_of,
    requeue_dead,
    searched_trials,
    shown_trials,
    take_place,
    trial_as_stored,
)
from ..definition import StudyDefinition
from ..errors import Terminated
from .confirmation import enqueue_confirmation, left_of_plan
from .convergence import note_convergence
from .objective import FAILURES, Objective
from .stored_plan import current_plan
from .trial import TakenError

__all__ = ["OpenStudy", "work_on"]

POLL_S = 0.5
"""Seconds between two looks of a process without a trial: others' trials may have died, or decide the confirmation."""


@dataclass(frozen=True, slots=True)
class OpenStudy:
    """A stored study, its lock, and how long this process works on it."""

    study: optuna.Study
    lock: StorageLock
    rerun: Rerun | None
    """Its trials, where they are not searched for."""
    deadline: float | None = None
    """When no trial is started any more, by `time.monotonic()`, which all processes of a machine share."""
    failures: list[str] = field(default_factory=list)
    """Why the last trials of this process failed; empty after a trial that did not."""


def work_on(opened: OpenStudy, objective: Objective) -> bool:
    """Run trials until there are enough, time is up, or too many in a row have failed.

    Returns:
        Whether the user interrupted.

    Raises:
        Exception: An error that the trial's values did not cause; the trial is queued again.
        Terminated: The system ends the process; likewise.
    """
    definition = objective.trainer.prepared.definition
    settings = definition.config.study
    converges = settings.stop_when_converged and opened.rerun is None
    watch, until = Watch(settings.grace_s), math.inf if opened.deadline is None else opened.deadline
    try:
        while len(opened.failures) != settings.max_failures and time.monotonic() < until:
            trial = opened.lock.run(lambda: _claim(opened, definition, watch))
            if trial == "none":
                return False
            if trial == "later":
                time.sleep(min(POLL_S, settings.grace_s / 8))
                continue
            with Heartbeat(trial, settings.grace_s, watch):
                _run(opened, trial, objective)
            objective.forget_folds()
            if converges and confirms(trial) is None:
                note_convergence(
                    opened.study, opened.lock, definition.plan, definition.objective, seed=settings.sampler_seed
                )
    except (Exception, KeyboardInterrupt) as error:
        opened.lock.run(lambda: enqueue_unfinished(opened.study))
        if not isinstance(error, KeyboardInterrupt) or isinstance(error, Terminated):
            raise
        return True
    finally:
        objective.trainer.executor.close()
    return False


def _claim(opened: OpenStudy, definition: StudyDefinition, watch: Watch) -> "optuna.Trial | Literal['later', 'none']":
    """Begin the next trial; `later` where others' trials decide whether there is one."""
    study, total = opened.study, definition.config.study.trials
    trials = requeue_dead(study, watch, limit=RETRIES)
    with joined(study):
        if opened.rerun is None:
            is_left = _put_next_in_line(study, definition, trials)
        else:  # a trial that fails now is not tried again before the next call
            is_left = any(trial.state == TrialState.WAITING and place_of(trial) < total for trial in trials)
        if not is_left:
            return "later" if any(trial.state == TrialState.RUNNING for trial in trials) else "none"
        claimed = begin_next(study)
        note_process(claimed)
        take_place(claimed)
    return claimed


def _put_next_in_line(study: optuna.Study, definition: StudyDefinition, trials: Sequence[FrozenTrial]) -> bool:
    """Enqueue the next trial of the search or the confirmation if none waits; return whether a trial is left to run."""
    plan, measures = current_plan(definition, study), definition.measures
    searched = searched_trials(trials)
    if plan.searched > sum(is_counted(trial) or trial.state == TrialState.RUNNING for trial in searched):
        if not any(trial.state == TrialState.WAITING for trial in trials):
            study.enqueue_trial({}, user_attrs={PLACE: next_place(trials)})  # nothing is given, all is proposed
        return True
    if plan.searched > sum(map(is_counted, searched)):
        return False
    enqueue_confirmation(study, plan, measures)
    waiting = study.get_trials(deepcopy=False, states=(TrialState.WAITING,))
    return bool(waiting) and left_of_plan(shown_trials(study, trials), plan, measures) > 0


def _run(opened: OpenStudy, trial: optuna.Trial, objective: Objective) -> None:
    """Run a trial and store its end; a trial that others took for dead is theirs."""
    study, failures = opened.study, opened.failures
    try:
        values = objective(trial)
    except optuna.TrialPruned:
        ours = _tell(study, trial, TrialState.PRUNED)
    except FAILURES:
        _tell(study, trial, TrialState.FAIL)
        reason = trial_as_stored(trial).user_attrs.get(FAILURE, "no reason")
        failures.append(f"trial {number_of(trial)}: {reason}")
        return
    except (TakenError, UpdateFinishedTrialError):
        ours = False
    except (Exception, KeyboardInterrupt):
        _tell(study, trial, TrialState.FAIL)
        raise
    else:
        ours = _tell(study, trial, TrialState.COMPLETE, values)
    if not ours:
        objective.take_back()
    failures.clear()


def _tell(study: optuna.Study, trial: optuna.Trial, state: TrialState, values: Sequence[float] | None = None) -> bool:
    """End a trial; returns whether it ended so, which it did not where others had taken it for dead."""
    with suppress(UpdateFinishedTrialError):  # a moment ago, or by a first try whose answer was lost
        study.tell(trial, values, state=state, skip_if_finished=True)
    return trial_as_stored(trial).state == state
