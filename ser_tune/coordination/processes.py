"""Processes that run trials: their heartbeats, the search for dead ones, and the requeueing of their trials."""

import os
import socket
import time
from collections.abc import Sequence
from contextlib import suppress
from datetime import datetime, timedelta
from functools import cache
from pathlib import Path
from threading import Event, Thread
from types import TracebackType

import optuna
from optuna.exceptions import UpdateFinishedTrialError
from optuna.trial import FrozenTrial, TrialState

from .optuna_internals import set_attribute
from .stored_trials import DIED, FAILURE, folds_ended, place_of
from .trial_queue import enqueue_unfinished

__all__ = [
    "HEARTBEAT",
    "PROCESS",
    "RETRIES",
    "Heartbeat",
    "Watch",
    "has_ended",
    "heartbeat_age_s",
    "is_elsewhere",
    "is_gone",
    "note_process",
    "requeue_dead",
    "this_process",
]

PROCESS, HEARTBEAT = "process", "heartbeat"
"""User attributes of a trial: host, number, boot and namespace, and start of its process; when it last reported, in
seconds since 1970. Optuna's own heartbeats exist for databases only."""
PERIOD_S = 10.0
"""Between two heartbeats, at most."""
NAMELESS = timedelta(seconds=10)
"""A running trial that has not named its process for so long has none: naming takes milliseconds."""
RETRIES = 4
"""Processes that may end during a trial without a new fold in between; then the trial fails, because its values may
need more memory than there is."""


@cache
def _namespace() -> str:
    """The boot and the PID namespace within which process numbers are unique; empty where unknown."""
    with suppress(OSError):
        boot = Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip()
        return f"{boot} {Path('/proc/self/ns/pid').readlink()}"
    return "" if os.name == "nt" else socket.gethostname()


def _started(number: int) -> str:
    """The start of a process, in the system's ticks; empty if it has ended, or where that is unknown."""
    with suppress(OSError):
        state, *rest = Path(f"/proc/{number}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()
        return "" if state in "ZX" else rest[18]
    return ""


def note_process(trial: optuna.Trial) -> None:
    """Note in a trial that this process runs it now."""
    trial.set_user_attr(HEARTBEAT, time.time())
    trial.set_user_attr(PROCESS, this_process())


def this_process() -> list[str | int]:
    """Identify this process for `has_ended`: host, number, boot and namespace, start."""
    number = os.getpid()
    return [socket.gethostname(), number, _namespace(), _started(number)]


def is_gone(trial: FrozenTrial) -> bool:
    """Whether a running trial's process is known to be gone; of another machine or container, nothing is known."""
    process = trial.user_attrs.get(PROCESS)
    if process is None:  # it was killed while it started
        return trial.datetime_start is not None and datetime.now() - trial.datetime_start > NAMELESS
    return has_ended(process)


def has_ended(process: object) -> bool:
    """Whether a process is known to have ended; of another machine or container, nothing is known.

    Args:
        process: As `this_process` returned it.
    """
    match process:
        case [_, int(number), str(namespace), str(started)] if namespace and namespace == _namespace():
            pass
        case _:
            return False
    try:
        os.kill(number, 0)  # signal 0 only checks that the process exists
    except ProcessLookupError:
        return True
    except PermissionError:
        return False
    return bool(started) and _started(number) != started  # a zombie, or another process of that number


def is_elsewhere(trial: FrozenTrial) -> bool:
    """Whether a trial ran, or runs, on another machine or in another container."""
    match trial.user_attrs.get(PROCESS):
        case [_, _, str(namespace), _]:
            return namespace != _namespace()
    return False


def heartbeat_age_s(trial: FrozenTrial) -> float | None:
    """Seconds since a trial's last heartbeat by this machine's clock; None before the first."""
    beat = trial.user_attrs.get(HEARTBEAT)
    return None if beat is None else max(0.0, time.time() - beat)


class Heartbeat:
    """Stores every few seconds that a trial's process is alive; use it as a context."""

    def __init__(self, trial: optuna.Trial, grace_s: float, watch: "Watch | None" = None) -> None:
        """Prepare the thread.

        Args:
            trial: The running trial.
            grace_s: Seconds of silence after which other processes take it for dead.
            watch: This process's, which looks between trials only.
        """
        self._watch = watch
        self._trial = trial
        self._period_s, self._ended = min(PERIOD_S, grace_s / 6), Event()
        self._thread = Thread(target=self._beat, name="heartbeat", daemon=True)

    def __enter__(self) -> None:
        """Start."""
        self._thread.start()

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, _: TracebackType | None) -> None:
        """End, without waiting for a database that is away."""
        self._ended.set()

    def _beat(self) -> None:
        while not self._ended.wait(self._period_s):
            if self._watch is not None:
                self._watch.stay_awake()
            try:
                set_attribute(self._trial.study, self._trial, HEARTBEAT, time.time())
            except UpdateFinishedTrialError:
                return
            except Exception:
                continue


class Watch:
    """Finds running trials whose process is gone, or silent for longer than the grace period.

    Silence is measured by this process's own clock, from look to look: clocks of machines may differ. Where this
    process was itself suspended, it starts anew: the others may have been suspended with it.
    """

    def __init__(self, grace_s: float) -> None:
        """Start with nothing seen."""
        self._grace_s, self._awake = grace_s, 0.0
        self._seen: dict[int, tuple[object, float]] = {}

    def stay_awake(self) -> None:
        """Note that this process is not suspended; to be called more often than the grace period is long."""
        now = time.monotonic()
        if now - self._awake > self._grace_s / 2:
            self._seen.clear()
        self._awake = now

    def dead(self, trials: Sequence[FrozenTrial], *, nameless: bool = False) -> list[FrozenTrial]:
        """The dead ones of a study's running trials.

        `nameless`: a trial without a process is dead, because trials begin under a lock that the caller holds.
        """
        self.stay_awake()
        now, dead = self._awake, []
        for trial in trials:
            beat = (trial.user_attrs.get(HEARTBEAT), folds_ended(trial))
            before, since = self._seen.get(trial.number, (None, now))
            if before != beat:
                self._seen[trial.number] = (beat, now)
            elif now - since > self._grace_s:
                dead.append(trial)
                continue
            if is_gone(trial) or (nameless and PROCESS not in trial.user_attrs):
                dead.append(trial)
        return dead


def requeue_dead(study: optuna.Study, watch: Watch, *, limit: int | None) -> Sequence[FrozenTrial]:
    """Mark the trials of dead processes as failed, and enqueue every unfinished place; the caller holds the lock.

    Args:
        study: The study.
        watch: Finds the dead trials.
        limit: Repetitions of a trial that ended processes in the same fold, before it has failed; None is no limit.

    Returns:
        All trials of the study, which are read once where nothing had to be done: others wait for the lock meanwhile.
    """
    trials = study.get_trials(deepcopy=False)
    dead = watch.dead([trial for trial in trials if trial.state == TrialState.RUNNING], nameless=True)
    for trial in dead:
        with suppress(UpdateFinishedTrialError):  # it ended after all
            set_attribute(study, trial, DIED, True)
            attempts = [other for other in study.get_trials(deepcopy=False) if place_of(other) == place_of(trial)]
            if limit is not None and (deaths := _deaths_without_progress(attempts)) > limit:
                reason = f"{deaths} processes were killed, or died, in the same fold of it"
                set_attribute(study, trial, FAILURE, reason)
            study.tell(trial.number, state=TrialState.FAIL, skip_if_finished=True)
    if dead:
        trials = study.get_trials(deepcopy=False)
    return study.get_trials(deepcopy=False) if enqueue_unfinished(study, known=trials) else trials


def _deaths_without_progress(attempts: Sequence[FrozenTrial]) -> int:
    """Count the processes that a trial ended since it first had its present number of folds; attempts in order."""
    folds = [folds_ended(trial) for trial in attempts]
    return sum(DIED in trial.user_attrs for trial in attempts[folds.index(max(folds)) :])
