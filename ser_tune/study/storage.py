"""Optuna's database: opened, created where it is missing, and its failures in one sentence."""

import os
import socket
import sqlite3
import warnings
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from datetime import datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

import optuna
from filelock import FileLock
from optuna.exceptions import ExperimentalWarning, StorageInternalError, UpdateFinishedTrialError
from optuna.storages import RDBStorage, fail_stale_trials
from optuna.trial import FrozenTrial, TrialState
from sqlalchemy.exc import SQLAlchemyError

from ..config import Project
from ..errors import StorageError, StudyError, valid_names
from .places import enqueue_unfinished, retry

if TYPE_CHECKING:
    from .definition import StudyDefinition

__all__ = [
    "GRACE_S",
    "PROCESS",
    "fail_dead_trials",
    "is_dead",
    "load_study",
    "note_process",
    "open_storage",
    "storage_errors",
    "study_names",
]

HEARTBEAT_S, GRACE_S = 10, 60
"""A process that has not been heard of for a minute is dead, and its trial is run again."""
NAMELESS = timedelta(seconds=10)
"""A trial that started, and did not name its process for so long, has none: naming takes milliseconds."""
PROCESS = "process"
"""The user attribute that names a trial's process: host and number."""


def open_storage(project: Project) -> RDBStorage:
    """Open Optuna's database, and create it where it is missing.

    Raises:
        StorageError: It cannot be opened.
    """
    url = project.storage_url
    optuna.logging.set_verbosity(optuna.logging.ERROR)  # observers tell of studies and trials, once
    with storage_errors(url, "be opened"):
        if not url.startswith("sqlite:///"):
            return _open(url)
        path = Path(url.removeprefix("sqlite:///"))
        path.parent.mkdir(parents=True, exist_ok=True)
        # Of processes that create the tables at once, all but one would fail
        with FileLock(path.with_name(f".{path.name}.lock")):
            with closing(sqlite3.connect(path)) as connection:
                # Write-ahead logging costs one disk flush a transaction instead of four
                connection.execute("PRAGMA journal_mode=WAL")
            return _open(url, connect_args={"timeout": 60})


def _open(url: str, **engine: object) -> RDBStorage:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ExperimentalWarning)  # heartbeats are marked so
        return RDBStorage(
            url,
            engine_kwargs=engine,
            heartbeat_interval=HEARTBEAT_S,
            grace_period=GRACE_S,
            heartbeat_stale_trial_callback=retry,
        )


def study_names(project: Project) -> list[str]:
    """Names of all stored studies."""
    return list(optuna.get_all_study_names(open_storage(project)))


def load_study(name: str, project: Project) -> tuple[optuna.Study, "StudyDefinition"]:
    """A stored study and its definition.

    Raises:
        StudyError: There is no such study; the message lists those there are.
    """
    from .definition import StudyDefinition  # torch: opening does without

    storage = open_storage(project)
    names = optuna.get_all_study_names(storage)
    if name not in names:
        raise StudyError(f"no study '{name}' in {project.storage_url}; it has: {valid_names(name, sorted(names))}")
    study = optuna.load_study(study_name=name, storage=storage)
    if "definition" not in study.user_attrs:
        raise StudyError(f"study '{name}' in {project.storage_url} was not made by ser-tune")
    return study, StudyDefinition.from_json(study.user_attrs["definition"])


@contextmanager
def storage_errors(url: str, what: str) -> Iterator[None]:
    """Say which database failed, and why, instead of showing SQLAlchemy's traceback.

    Args:
        url: The database's.
        what: What cannot be done: `be opened`, `be written`.

    Raises:
        StorageError: In place of what the database raised.
    """
    try:
        yield
    except AssertionError as error:
        # Optuna asserts that it can at least write that a trial failed
        if not isinstance(error.__context__, StorageInternalError):
            raise
        raise StorageError(f"the study database '{url}' cannot {what}: {_reason(error.__context__)}") from None
    except (SQLAlchemyError, StorageInternalError, sqlite3.Error, OSError, ImportError) as error:
        if isinstance(error, OSError | ImportError) and what != "be opened":
            raise  # of some other file, some other package than the database's driver
        raise StorageError(f"the study database '{url}' cannot {what}: {_reason(error)}") from None


def _reason(error: BaseException) -> str:
    """What the database itself said."""
    cause = error.__cause__ if isinstance(error, StorageInternalError) and error.__cause__ else error
    return str(getattr(cause, "orig", None) or cause).splitlines()[0]


def note_process(trial: optuna.Trial) -> None:
    """Have the trial say which process runs it."""
    trial.set_user_attr(PROCESS, [socket.gethostname(), os.getpid()])


def fail_dead_trials(study: optuna.Study) -> None:
    """Mark the trials of processes that died as failed, and put them in line to be run again.

    A process of this machine is known to be dead at once; one of another machine after a minute's silence.
    """
    for trial in study.get_trials(deepcopy=False, states=(TrialState.RUNNING,)):
        if is_dead(trial):
            with suppress(UpdateFinishedTrialError):  # another process was faster
                study.tell(trial.number, state=TrialState.FAIL)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ExperimentalWarning)
        fail_stale_trials(study)
    enqueue_unfinished(study)


def is_dead(trial: FrozenTrial) -> bool:
    """Whether a running trial's process is known to be gone."""
    match trial.user_attrs.get(PROCESS):
        case None:  # it was killed while it started
            return trial.datetime_start is not None and datetime.now() - trial.datetime_start > NAMELESS
        case [host, int(number)] if host == socket.gethostname() and os.name != "nt":  # where asking would end it
            pass
        case _:
            return False
    try:
        os.kill(number, 0)  # sends nothing, but asks whether it could
    except ProcessLookupError:
        return True
    except PermissionError:
        return False
    return False
