"""Working on a study that is open: claim a trial, run it, tell how it ended, until there are enough.

Any number of processes do so at once. What decides which trials a study has is done under the study's lock: to claim
one, to run a dead one again, and to start the confirmation.
"""

import math
import time
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Literal

import optuna
from optuna.exceptions import UpdateFinishedTrialError
from optuna.trial import TrialState

from ..coordination import (
    FAILURE,
    PLACE,
    RETRIES,
    Heartbeat,
    Rerun,
    StorageLock,
    Watch,
    enqueue_unfinished,
    is_counted,
    next_place,
    note_process,
    place_of,
    requeue_dead,
    take_place,
)
from ..definition import StudyDefinition
from ..errors import Terminated
from .confirmation import Plan, confirms, enqueue_confirmation, left_of_plan, plan_of
from .convergence import convergence_of, note_convergence, shortened
from .objective import FAILURES, Objective
from .trial import TakenError

__all__ = ["OpenStudy", "work_on"]

POLL_S = 0.5
"""How often a process without a trial looks whether there is one: others' trials may have died, or decide what is
confirmed."""


@dataclass(frozen=True, slots=True)
class OpenStudy:
    """A stored study, its lock, and how long this process works on it."""

    study: optuna.Study
    lock: StorageLock
    rerun: Rerun | None
    """What its trials are, where they are not searched for."""
    deadline: float | None = None
    """When no trial is started any more, by `time.monotonic()`, which all processes of a machine share."""
    failures: list[str] = field(default_factory=list)
    """Why the last trials of this process failed; empty after a trial that did not."""


def work_on(opened: OpenStudy, objective: Objective) -> bool:
    """Run trials until there are enough, time is up, or too many in a row have failed.

    Returns:
        Whether the user interrupted.

    Raises:
        Exception: What ended a trial and is no fault of its values; the trial is in line again.
        Terminated: The system ends the process; likewise.
    """
    definition = objective.trainer.prepared.definition
    settings, plan = definition.config.study, plan_of(definition.config)
    converges = settings.stop_when_converged and opened.rerun is None
    watch, until = Watch(settings.grace_s), math.inf if opened.deadline is None else opened.deadline
    try:
        while len(opened.failures) != settings.max_failures and time.monotonic() < until:
            trial = opened.lock.run(lambda: _claim(opened, plan, definition, watch))
            if trial == "none":
                return False
            if trial == "later":
                time.sleep(min(POLL_S, settings.grace_s / 8))
                continue
            with Heartbeat(trial, settings.grace_s, watch):
                _run(opened, trial, objective)
            objective.forget_folds()
            if converges and confirms(trial) is None:
                note_convergence(opened.study, opened.lock, plan, definition.objective, seed=settings.sampler_seed)
    except (Exception, KeyboardInterrupt) as error:
        opened.lock.run(lambda: enqueue_unfinished(opened.study))
        if not isinstance(error, KeyboardInterrupt) or isinstance(error, Terminated):
            raise
        return True
    finally:
        objective.trainer.executor.close()
    return False


def _claim(
    opened: OpenStudy, plan: Plan, definition: StudyDefinition, watch: Watch
) -> "optuna.Trial | Literal['later', 'none']":
    """Begin the next trial; `later` where others' trials decide whether there is one."""
    study, settings, objective = opened.study, definition.config.study, definition.objective
    trials = requeue_dead(study, watch, limit=RETRIES)
    others = any(one.state == TrialState.RUNNING for one in trials)
    if opened.rerun is not None:
        # What fails now is not tried again before the next call
        left = any(one.state == TrialState.WAITING and place_of(one) < settings.trials for one in trials)
    else:
        plan = shortened(plan, convergence_of(study) if settings.stop_when_converged else None)
        searched = [one for one in trials if confirms(one) is None]
        left = plan.searched > sum(is_counted(one) or one.state == TrialState.RUNNING for one in searched)
        if left and not any(one.state == TrialState.WAITING for one in trials):
            study.enqueue_trial({}, user_attrs={PLACE: next_place(trials)})  # nothing is given, all is proposed
        elif not left and plan.searched <= sum(map(is_counted, searched)):
            enqueue_confirmation(study, plan, objective)
            known = study.get_trials(deepcopy=False, states=(TrialState.WAITING,))
            left = bool(known) and left_of_plan(trials, plan, objective) > 0
    if not left:
        return "later" if others else "none"
    trial = study.ask()
    note_process(trial)
    take_place(trial)
    return trial


def _run(opened: OpenStudy, trial: optuna.Trial, objective: Objective) -> None:
    """Run a trial, and tell Optuna how it ended; a trial that others took for dead is theirs."""
    study, failures = opened.study, opened.failures
    try:
        value = objective(trial)
    except optuna.TrialPruned:
        ours = _tell(study, trial, TrialState.PRUNED)
    except FAILURES:
        _tell(study, trial, TrialState.FAIL)
        reason = study._storage.get_trial(trial._trial_id).user_attrs.get(FAILURE, "no reason")
        failures.append(f"trial {trial.number}: {reason}")
        return
    except (TakenError, UpdateFinishedTrialError):
        ours = False
    except (Exception, KeyboardInterrupt):
        _tell(study, trial, TrialState.FAIL)
        raise
    else:
        ours = _tell(study, trial, TrialState.COMPLETE, value)
    if not ours:
        objective.take_back()
    failures.clear()


def _tell(study: optuna.Study, trial: optuna.Trial, state: TrialState, value: float | None = None) -> bool:
    """End a trial; returns whether it ended so, which it did not where others had taken it for dead."""
    with suppress(UpdateFinishedTrialError):  # a moment ago, or by a first try whose answer was lost
        study.tell(trial, value, state=state, skip_if_finished=True)
    return study._storage.get_trial(trial._trial_id).state == state
