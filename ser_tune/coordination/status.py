"""The state of stored studies, read from Optuna's database alone. Imports no torch."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from statistics import fmean

import optuna
from optuna.trial import FrozenTrial, TrialState

from ..metrics import Metric
from ..project import Project
from ..stored_names import unknown_study
from .numbering import shown_trials
from .processes import PROCESS, heartbeat_age_s, is_gone
from .storage import DEFINITION, storage_errors, storage_to_read
from .stored_trials import (
    FAILURE,
    best_trials,
    complete_trials,
    folds_ended,
    is_counted,
    searched_trials,
    stored_objective,
    value_of,
)

__all__ = ["CONVERGED", "FOLDS", "RunningTrial", "StudyStatus", "Worker", "read_statuses"]

FOLDS = "folds"
"""User attribute of a study: the number of folds of each trial."""
CONVERGED = "converged"
"""User attribute of a study whose search has converged."""
RECENT = 20
"""Trials that ended last, whose mean time is the estimate for the next ones."""


@dataclass(frozen=True, slots=True)
class RunningTrial:
    """A trial that a process has begun and not ended."""

    number: int
    fold: int
    """The fold that is trained, counted from 1 in the order of training."""
    folds: int
    process: str
    """Host and process id; empty for a moment after its start."""
    heartbeat_age_s: float | None
    """Seconds since the process last reported to the database; None before its first report."""
    alive: bool
    """False where the process is gone, or silent for longer than `study.grace_s`: the trial is run again."""


@dataclass(frozen=True, slots=True)
class Worker:
    """A live process, and the trial that it runs."""

    host: str
    process: int
    """Its number on that host."""
    trial: int
    fold: int
    """The trial's fold that is trained, counted from 1 in the order of training."""
    folds: int
    heartbeat_age_s: float | None
    """Seconds since it last reported to the database; None before its first report."""


@dataclass(frozen=True, slots=True)
class StudyStatus:
    """Progress of a study."""

    name: str
    study_id: str
    total: int
    """Number of requested trials."""
    complete: int
    pruned: int
    failed: Mapping[int, str]
    """Number and reason of each trial that its own values made fail."""
    interrupted: int
    """Times that a trial was interrupted or its process died; it is run again."""
    queued: int
    """Trials with known values that no process has begun."""
    running: Sequence[RunningTrial]
    workers: Sequence[Worker]
    """Processes of the running trials that are alive; a process that waits for a trial is not among them."""
    best: tuple[int, float] | None
    """Number and pooled validation score of the best searched trial; fresh seeds of a confirmation do not count."""
    objective: Metric
    """The metric of that score."""
    trials_per_hour: float | None
    """By the mean time of the last trials and the number of running ones; None where none runs, or none has ended."""
    estimated_end: datetime | None
    """Local time."""
    last_change: datetime | None
    """When a trial last began or ended, local time."""
    undelivered: int = 0
    """Trials that wait in the outbox for MLflow."""

    @property
    def left(self) -> int:
        """Trials that have not ended, running ones included."""
        return max(0, self.total - self.complete - self.pruned - len(self.failed))


def read_statuses(project: Project, name: str | None = None) -> Sequence[StudyStatus]:
    """The state of the project's studies, or of the named study; changes nothing.

    Raises:
        StudyError: There is no such study.
        StorageError: The database cannot be read.
    """
    url, statuses, names = project.storage_url, list[StudyStatus](), list[str]()
    # A database is created by the first study, not by looking for one
    if (storage := storage_to_read(project)) is not None:
        with storage_errors(url, "be read"):
            names = sorted(optuna.get_all_study_names(storage))
            for found in names if name is None else {name}.intersection(names):
                study = optuna.load_study(study_name=found, storage=storage)
                if DEFINITION in study.user_attrs:  # others are not ours
                    statuses.append(_status(study))
    if name is not None and not statuses:
        raise unknown_study(name, url, names)
    return statuses


def _status(study: optuna.Study) -> StudyStatus:
    attempts, about = study.get_trials(deepcopy=False), study.user_attrs
    trials = shown_trials(study, attempts)
    counted = [trial for trial in trials if is_counted(trial)]
    complete = complete_trials(counted)
    objective = stored_objective(study)
    failed = {trial.number: str(trial.user_attrs[FAILURE]) for trial in counted if trial.state == TrialState.FAIL}
    begun = [trial for trial in trials if trial.state == TrialState.RUNNING]
    settings = json.loads(about[DEFINITION])["config"]["study"]
    running = [_running(trial, about[FOLDS], float(settings["grace_s"])) for trial in begun]
    total = int(settings["trials"])
    if settings["stop_when_converged"] and (converged := about.get(CONVERGED)):
        total = min(total, int(converged["trials"]))
    changes = [
        time for trial in attempts for time in (trial.datetime_start, trial.datetime_complete) if time is not None
    ]
    pace = _trials_per_hour(counted, at_once=sum(trial.alive for trial in running))
    left = max(0, total - len(counted))
    return StudyStatus(
        name=study.study_name,
        study_id=about.get("study_id", ""),
        total=total,
        complete=len(complete),
        pruned=len(counted) - len(complete) - len(failed),
        failed=failed,
        interrupted=sum(trial.state == TrialState.FAIL and not is_counted(trial) for trial in attempts),
        queued=sum(trial.state == TrialState.WAITING for trial in trials),
        running=running,
        workers=[
            _worker(trial, state)
            for trial, state in zip(begun, running, strict=True)
            if state.alive and PROCESS in trial.user_attrs
        ],
        best=next(((best.number, value_of(best)) for best in best_trials(searched_trials(complete), objective)), None),
        objective=objective,
        trials_per_hour=pace,
        estimated_end=None if pace is None else datetime.now() + timedelta(hours=left / pace),
        last_change=max(changes, default=None),
    )


def _trials_per_hour(counted: Sequence[FrozenTrial], *, at_once: int) -> float | None:
    recent = sorted(
        (trial.datetime_complete, trial.duration) for trial in counted if trial.duration and trial.datetime_complete
    )
    seconds = [duration.total_seconds() for _, duration in recent[-RECENT:]]
    return 3600 * at_once / fmean(seconds) if seconds and at_once else None


def _running(trial: FrozenTrial, folds: int, grace_s: float) -> RunningTrial:
    process, age_s = trial.user_attrs.get(PROCESS), heartbeat_age_s(trial)
    return RunningTrial(
        number=trial.number,
        fold=min(folds_ended(trial) + 1, folds),
        folds=folds,
        process="" if process is None else f"{process[0]}:{process[1]}",
        heartbeat_age_s=age_s,
        alive=not is_gone(trial) and (age_s is None or age_s <= grace_s),
    )


def _worker(trial: FrozenTrial, running: RunningTrial) -> Worker:
    host, number, *_ = trial.user_attrs[PROCESS]
    return Worker(
        host=host,
        process=number,
        trial=running.number,
        fold=running.fold,
        folds=running.folds,
        heartbeat_age_s=running.heartbeat_age_s,
    )
