"""Optuna's database fails in one sentence."""

import random
import sqlite3
from collections import Counter
from pathlib import Path

import optuna
import pytest
from optuna.exceptions import StorageInternalError
from optuna.trial import TrialState
from sqlalchemy import event
from sqlalchemy.engine import ExceptionContext
from sqlalchemy.exc import OperationalError

from ser_tune.coordination import open_storage
from ser_tune.coordination.locking import StorageLock, connection_arguments
from ser_tune.coordination.optuna_internals import PatientStorage
from ser_tune.coordination.storage import storage_errors
from ser_tune.errors import StorageError
from ser_tune.project import Project


def _at(url: str, root: Path) -> Project:
    return Project(root=root, tracking_uri="sqlite://", storage_url=url, cache=root)


@pytest.mark.parametrize("url", ["sqlite:////proc/nowhere/optuna.db", "nonsense", "nosuch://x/y"])
def test_a_database_that_cannot_be_opened_is_named(url: str, tmp_path: Path) -> None:
    with pytest.raises(StorageError, match=rf"the study database '{url}' cannot be opened: .+"):
        open_storage(_at(url, tmp_path))


def test_a_file_that_is_no_database_is_named(tmp_path: Path) -> None:
    (tmp_path / "optuna.db").write_text("this is a text of more than a hundred bytes " * 5)
    with pytest.raises(StorageError, match="file is not a database"):
        open_storage(_at(f"sqlite:///{tmp_path}/optuna.db", tmp_path))


def test_a_full_disk_is_told_by_its_cause() -> None:
    full = OperationalError("INSERT INTO trials", {}, sqlite3.OperationalError("database or disk is full"))
    with (
        pytest.raises(StorageError, match=r"^the study database 'x' cannot be written: database or disk is full$"),
        storage_errors("x", "be written"),
    ):
        raise StorageInternalError("An exception is raised during the commit.") from full


def test_a_full_disk_is_told_where_optuna_cannot_even_write_the_failure() -> None:
    def fail() -> None:
        try:
            raise StorageInternalError("the commit") from sqlite3.OperationalError("database or disk is full")
        finally:
            raise AssertionError("Should not reach.")

    with (
        pytest.raises(StorageError, match="cannot be written: database or disk is full"),
        storage_errors("x", "be written"),
    ):
        fail()
    with pytest.raises(AssertionError, match="ours"), storage_errors("x", "be written"):
        raise AssertionError("ours")


def test_errors_of_other_files_pass() -> None:
    with pytest.raises(FileNotFoundError), storage_errors("x", "be written"):
        raise FileNotFoundError("a recording")


def test_connections_to_postgresql_end_with_the_network_and_the_server_waits_longer() -> None:
    told = connection_arguments("postgresql+psycopg://ser@host/optuna")
    server = dict(option.removeprefix("-c ").split("=") for option in str(told["options"]).split(" -c "))
    limits = []
    for settings, prefix in ((told, ""), (server, "tcp_")):
        idle, pause, count = (int(str(settings[f"{prefix}keepalives_{one}"])) for one in ("idle", "interval", "count"))
        limits.append(idle + pause * count)
        assert int(str(settings["tcp_user_timeout"])) == 1000 * limits[-1]
    assert limits == [20, 60]


def test_the_url_of_a_storage_decides_how_connections_are_opened() -> None:
    told = connection_arguments("postgresql+psycopg://ser@host/optuna?connect_timeout=3")
    assert "connect_timeout" not in told
    assert "tcp_user_timeout" in told
    for other in ("sqlite:////tmp/optuna.db", "mysql+pymysql://host/optuna", "postgresql+pg8000://host/optuna"):
        assert connection_arguments(other) == {}


class _Away(sqlite3.OperationalError):
    """What a database server's driver raises when the connection is lost."""


@pytest.mark.slow
def test_a_server_that_is_away_at_any_moment_costs_no_trial(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ser_tune.coordination.locking.PAUSE_S", 0.0)
    storage, moments, lost = PatientStorage(f"sqlite:///{tmp_path}/optuna.db"), random.Random(0), Counter[str]()

    @event.listens_for(storage.engine, "do_execute")
    def fail_at_random(cursor: object, statement: str, *_: object) -> None:
        if moments.random() < 0.08:
            lost[statement.split()[0]] += 1
            raise _Away("server closed the connection unexpectedly")

    @event.listens_for(storage.engine, "handle_error")
    def invalidate_connection(context: ExceptionContext) -> None:
        context.is_disconnect = isinstance(context.original_exception, _Away)

    optuna.logging.set_verbosity(optuna.logging.ERROR)
    study = optuna.create_study(study_name="one", storage=storage, direction="maximize")
    other = optuna.load_study(study_name="one", storage=storage)
    for number in range(10):
        trial = study.ask()
        values = {name: trial.suggest_float(name, 0, 1) for name in ("a", "b")}
        trial.report(values["a"], 1)
        trial.set_user_attr("place", number)
        study.tell(trial, values["a"])
    ended = other.get_trials(states=(TrialState.COMPLETE,))
    assert [one.user_attrs["place"] for one in ended] == list(range(10))
    assert all(set(one.params) == {"a", "b"} and one.intermediate_values == {1: one.value} for one in ended)
    assert study.best_value == max(one.params["a"] for one in ended)
    assert lost.keys() >= {"SELECT", "INSERT", "UPDATE"}


@pytest.mark.parametrize("statement", ["SELECT", "INSERT"])
def test_a_change_whose_lock_went_with_the_server_is_made_again_as_a_whole(
    statement: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Optuna tries to add a trial again by itself: another process may have the lock by then, and have added it."""
    monkeypatch.setattr("ser_tune.coordination.locking.PAUSE_S", 0.0)
    url = f"sqlite:///{tmp_path}/optuna.db"
    storage, lock = PatientStorage(url), StorageLock(url, "study one")
    study = optuna.create_study(study_name="one", storage=storage)
    started, failed = list[int](), list[str]()

    def fail_once(cursor: object, text: str, *_: object) -> None:
        if started and not failed and text.startswith(statement):
            failed.append(text)
            raise _Away("server closed the connection unexpectedly")

    def change() -> int:
        started.append(len(study.trials))
        study.enqueue_trial({})
        return len(started)

    event.listen(storage.engine, "do_execute", fail_once)
    assert lock.run(change) == 2
    assert (started, len(failed), len(study.trials)) == ([0, 0], 1, 1)
