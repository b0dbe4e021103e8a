"""The state of stored studies, read from Optuna's database alone. Imports no torch."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from statistics import fmean

import optuna
from optuna.trial import FrozenTrial, TrialState

from ..config import Project, SearchSettings
from ..errors import StudyError, valid_names
from ..metrics import Metric
from .liveness import PROCESS, heartbeat_age_s, is_gone
from .places import CONFIRMS, CONVERGED, FAILURE, folds_ended, is_counted
from .scores import best_trials, stored_objective, value_of
from .storage import storage_errors, storage_to_read

__all__ = ["FOLDS", "RunningTrial", "StudyStatus", "Worker", "read_statuses"]

FOLDS = "folds"
"""The study's user attribute with the number of its folds."""
GRACE_S = float(SearchSettings.model_fields["grace_s"].default)
"""Of studies that earlier versions stored."""
RECENT = 20
"""Trials that ended last, whose mean time is taken for that of the next ones."""


@dataclass(frozen=True, slots=True)
class RunningTrial:
    """A trial that a process has begun and not ended."""

    number: int
    fold: int
    """Which of its folds is trained, counted from 1 in the order of training."""
    folds: int | None
    """Of how many; None for studies of earlier versions."""
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
    """The number that its host has given it."""
    trial: int
    fold: int
    """Which of the trial's folds is trained, counted from 1 in the order of training."""
    folds: int | None
    """Of how many; None for studies of earlier versions."""
    heartbeat_age_s: float | None
    """Seconds since it last reported to the database; None for studies of earlier versions."""


@dataclass(frozen=True, slots=True)
class StudyStatus:
    """How far a study is."""

    name: str
    study_id: str
    total: int
    """Trials that were asked for."""
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
    """Of the running trials that are alive; a process that waits for a trial is not among them."""
    best: tuple[int, float] | None
    """Number and pooled validation score of the best searched trial; fresh seeds of a confirmation do not count."""
    objective: Metric
    """Which score."""
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
    """The state of the project's studies, or of one, by name; changes nothing.

    Raises:
        StudyError: There is no such study.
        StorageError: The database cannot be read.
    """
    url, statuses, names = project.storage_url, list[StudyStatus](), list[str]()
    # A database is created by the first study, not by looking for one
    if (storage := storage_to_read(project)) is not None:
        with storage_errors(url, "be read"):
            names = sorted(optuna.get_all_study_names(storage))
            for one in names if name is None else {name}.intersection(names):
                study = optuna.load_study(study_name=one, storage=storage)
                if "definition" in study.user_attrs:  # others are not ours
                    statuses.append(_status(study))
    if name is not None and not statuses:
        raise StudyError(f"no study '{name}' in {url}; it has: {valid_names(name, names)}")
    return statuses


def _status(study: optuna.Study) -> StudyStatus:
    trials, about = study.get_trials(deepcopy=False), study.user_attrs
    counted = [one for one in trials if is_counted(one)]
    complete = [one for one in counted if one.state == TrialState.COMPLETE]
    searched = [one for one in complete if CONFIRMS not in one.user_attrs]
    objective = stored_objective(study)
    failed = {one.number: str(one.user_attrs[FAILURE]) for one in counted if one.state == TrialState.FAIL}
    begun = [one for one in trials if one.state == TrialState.RUNNING]
    settings = json.loads(about["definition"])["config"]["study"]
    running = [_running(one, about.get(FOLDS), float(settings.get("grace_s", GRACE_S))) for one in begun]
    total = int(settings["trials"])
    if settings.get("stop_when_converged") and (converged := about.get(CONVERGED)):
        total = min(total, int(converged["trials"]))
    recent = sorted((one.datetime_complete, one.duration) for one in counted if one.duration and one.datetime_complete)
    seconds = [duration.total_seconds() for _, duration in recent[-RECENT:]]
    at_once = sum(one.alive for one in running)
    pace = 3600 * at_once / fmean(seconds) if seconds and at_once else None
    changes = [time for one in trials for time in (one.datetime_start, one.datetime_complete) if time is not None]
    left = max(0, total - len(counted))
    return StudyStatus(
        name=study.study_name,
        study_id=about.get("study_id", ""),
        total=total,
        complete=len(complete),
        pruned=len(counted) - len(complete) - len(failed),
        failed=failed,
        interrupted=sum(one.state == TrialState.FAIL for one in trials) - len(failed),
        queued=sum(one.state == TrialState.WAITING for one in trials),
        running=running,
        workers=[
            _worker(*one) for one in zip(begun, running, strict=True) if one[1].alive and PROCESS in one[0].user_attrs
        ],
        best=next(((one.number, value_of(one)) for one in best_trials(searched, objective)), None),
        objective=objective,
        trials_per_hour=pace,
        estimated_end=None if pace is None else datetime.now() + timedelta(hours=left / pace),
        last_change=max(changes, default=None),
    )


def _running(trial: FrozenTrial, folds: int | None, grace_s: float) -> RunningTrial:
    process, age_s = trial.user_attrs.get(PROCESS), heartbeat_age_s(trial)
    return RunningTrial(
        number=trial.number,
        fold=min(folds_ended(trial) + 1, folds or 1_000_000),
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
