"""Throughput of 1 to 16 worker processes on one study in PostgreSQL, whose trials wait instead of training.

All but training is as in a real study: the lock, a trial's claim, 12 proposed values, a report for each of ten folds,
heartbeats. So what is lost is what workers lose to each other.
"""

import multiprocessing
import os
import time
from collections.abc import Sequence
from types import SimpleNamespace
from typing import Any

import optuna
from optuna.trial import FrozenTrial, TrialState

from ser_tune.coordination import open_storage
from ser_tune.coordination.locking import StorageLock
from ser_tune.project import Project
from ser_tune.protocol import Prepared, prepare
from ser_tune.search.opening import open_study
from ser_tune.search.worker import OpenStudy, work_on

from .rows import Options, Row, definition
from .servers import PostgreSQL

__all__ = ["measure"]

WORKERS, EACH, WAIT_S = (1, 2, 4, 8, 16), 4, 30.0
"""Processes, trials for each of them, and how long a trial waits."""
VALUES, FOLDS = 12, 10


def measure(options: Options) -> list[Row]:
    """Trials a minute of each number of workers, and their share of so many times what one worker does."""
    workers, each, wait_s = ((1, 2), 2, 0.5) if options.quick else (WORKERS, EACH, WAIT_S)
    rows, alone = list[Row](), 0.0
    os.environ.setdefault("XDG_RUNTIME_DIR", str(options.scratch))
    server = PostgreSQL(options.scratch / "postgresql")
    try:
        for count in workers:
            name = f"waiting{count}"
            where = Project(
                options.scratch,
                f"sqlite:///{options.scratch}/mlflow.db",
                server.database(name),
                options.scratch / ".cache",
            )
            settings = {**options.corpus, "name": name, "study.trials": count * each, "study.confirm": 0}
            prepared = prepare(definition({"model.name": "light_cnn", **settings}), where)
            trials = _run(prepared, where, count, wait_s)
            assert [one.state for one in trials] == [TrialState.COMPLETE] * count * each
            a_minute = 60 * len(trials) / _seconds(trials)
            alone = alone or a_minute
            goal = 0.9 if count == max(workers) else None
            what = f"trials of {wait_s:g} s on {count} workers"
            rows.append(Row(what, a_minute, "/min", alone * count, a_minute / (alone * count), at_least=goal))
    finally:
        server.stop()
    return rows


def _run(prepared: Prepared, project: Project, count: int, wait_s: float) -> Sequence[FrozenTrial]:
    _study(prepared, project)  # before its workers, as `ser-tune study` does
    context = multiprocessing.get_context("fork")  # a new interpreter would import torch for seconds
    ready = context.Barrier(count)
    processes = [context.Process(target=_work, args=(prepared, project, wait_s, ready)) for _ in range(count)]
    for process in processes:
        process.start()
    for process in processes:
        process.join()
        assert process.exitcode == 0
    study = optuna.load_study(study_name=prepared.definition.name, storage=project.storage_url)
    return study.get_trials(deepcopy=False)


def _seconds(trials: Sequence[FrozenTrial]) -> float:
    """From the first trial's start to the last one's end."""
    starts = [one.datetime_start for one in trials if one.datetime_start is not None]
    ends = [one.datetime_complete for one in trials if one.datetime_complete is not None]
    return (max(ends) - min(starts)).total_seconds()


class _Waiting:
    """In place of the objective."""

    def __init__(self, prepared: Prepared, wait_s: float) -> None:
        executor = SimpleNamespace(close=lambda: None)
        self.trainer = SimpleNamespace(
            prepared=prepared, precision="float32", threads=1, agree=lambda *_: None, executor=executor
        )
        self._wait_s = wait_s

    def __call__(self, trial: optuna.Trial) -> float:
        values = [trial.suggest_float(f"value{number}", 0.0, 1.0) for number in range(VALUES)]
        for fold in range(FOLDS):
            time.sleep(self._wait_s / FOLDS)
            trial.report(values[0], fold)
        return values[0]

    def forget_folds(self) -> None:
        pass

    def take_back(self) -> None:
        pass


def _study(prepared: Prepared, project: Project) -> OpenStudy:
    lock = StorageLock(project.storage_url, f"study {prepared.definition.name}")
    storage, trainer = open_storage(project), _Waiting(prepared, 0.0).trainer
    study = lock.run(lambda: open_study(prepared, storage, trainer))  # type: ignore[arg-type]
    return OpenStudy(study, lock, None)


def _work(prepared: Prepared, project: Project, wait_s: float, ready: Any) -> None:
    opened = _study(prepared, project)
    ready.wait()
    work_on(opened, _Waiting(prepared, wait_s))  # type: ignore[arg-type]
