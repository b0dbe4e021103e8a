"""Parts of Optuna that are not its public interface: the storage behind a study, patched methods, a journal's lock.

No other module uses such a part. They were tried with Optuna 5.0; tests/coordination/test_optuna_internals.py fails
first where another version changes one.
"""

import copy
import functools
from collections.abc import Callable, Container, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, cast

import numpy as np
import optuna
import sqlalchemy.orm
from filelock import FileLock
from optuna._hypervolume import compute_hypervolume
from optuna.exceptions import StorageInternalError, UpdateFinishedTrialError
from optuna.storages import BaseStorage, JournalStorage, RDBStorage
from optuna.storages.journal import JournalFileBackend
from optuna.storages.journal._file import BaseJournalFileLock
from optuna.trial import FrozenTrial, TrialState

from .locking import end_with_lock, patiently

__all__ = [
    "PATIENT",
    "TRIED",
    "FileStorage",
    "PatientStorage",
    "ask_first",
    "enqueued_values",
    "hypervolume",
    "joined",
    "lookalike",
    "open_journal",
    "set_attribute",
    "trial_as_stored",
]

TRIED = ("5.0",)
"""Versions of Optuna that this module was tried with."""

PATIENT = (
    *sorted(BaseStorage.__abstractmethods__),
    *("_create_new_trial", "_get_trials", "_set_trial_param", "get_trial_id_from_study_id_trial_number"),
)
"""Methods of a storage that wait for a server; Optuna puts a cache in front, which calls the last four."""

POLL_S = 0.002
"""Seconds between two tries of a process that waits for a journal's lock: it is held for about one disk flush."""


def trial_as_stored(trial: optuna.Trial) -> FrozenTrial:
    """Read a trial from the storage, where other processes may have changed it."""
    return trial.study._storage.get_trial(trial._trial_id)


def set_attribute(study: optuna.Study, trial: optuna.Trial | FrozenTrial, name: str, value: object) -> None:
    """Set a user attribute of a trial, from any thread or process.

    Raises:
        UpdateFinishedTrialError: The trial has ended.
    """
    study._storage.set_trial_user_attr(trial._trial_id, name, value)


def ask_first(study: optuna.Study, key: Callable[[FrozenTrial], int]) -> optuna.Trial:
    """Begin the waiting trial with the lowest key, or a new trial where none waits.

    Optuna's `ask` takes waiting trials in the order in which they were enqueued.
    """
    study._thread_local.cached_all_trials = None  # as `ask` does
    waiting = study.get_trials(deepcopy=False, states=(TrialState.WAITING,))
    for trial in sorted(waiting, key=key):
        with suppress(UpdateFinishedTrialError):
            if study._storage.set_trial_state_values(trial._trial_id, state=TrialState.RUNNING):
                return optuna.Trial(study, trial._trial_id)
    return study.ask()


def lookalike(study: optuna.Study, reading: Callable[[list[FrozenTrial]], list[FrozenTrial]]) -> optuna.Study:
    """The study for Optuna's samplers and pruners, with other trials in its storage: those that `reading` makes."""
    same = copy.copy(study)
    same._storage = cast(BaseStorage, _Lookalike(study._storage, reading))
    return same


class _Lookalike:
    """A storage that is another one but for the trials that are read in it."""

    def __init__(self, storage: BaseStorage, reading: Callable[[list[FrozenTrial]], list[FrozenTrial]]) -> None:
        self._storage, self._reading = storage, reading

    def get_all_trials(
        self, study_id: int, deepcopy: bool = True, states: Container[TrialState] | None = None
    ) -> list[FrozenTrial]:
        read = self._reading(self._storage.get_all_trials(study_id, deepcopy))
        return read if states is None else [trial for trial in read if trial.state in states]

    def __getattr__(self, name: str) -> Any:  # noqa: ANN401 - all else is the storage's
        return getattr(self._storage, name)


def enqueued_values(trial: FrozenTrial) -> Mapping[str, Any]:
    """The values with which a trial was enqueued, by parameter name."""
    values: Mapping[str, Any] = trial.system_attrs.get("fixed_params", {})
    return values


def hypervolume(points: np.ndarray) -> float:
    """The share of the unit box that points, shape (T, J), dominate; higher is better, 0 to 1 along every axis.

    >>> hypervolume(np.array([[0.5, 0.5], [1.0, 0.25]]))
    0.375
    """
    return float(compute_hypervolume(1 - points, np.ones(points.shape[1])))


class PatientStorage(RDBStorage):
    """A database server's storage: calls wait for a server that is away, as while it is started again."""

    def __init__(self, url: str, **keywords: Any) -> None:  # noqa: ANN401 - Optuna's
        """Open the database; the arguments are those of `RDBStorage`."""
        super().__init__(url, **keywords)
        end_with_lock(self.engine)


class FileStorage(RDBStorage):
    """The storage in an SQLite file, whose writes `joined` makes in one commit."""

    def __init__(self, url: str, **keywords: Any) -> None:  # noqa: ANN401 - Optuna's
        """Open the database; the arguments are those of `RDBStorage`."""
        super().__init__(url, **keywords)
        makes: Any = sqlalchemy.orm.sessionmaker(bind=self.engine, class_=_Session)
        self.scoped_session = sqlalchemy.orm.scoped_session(makes)


class _Session(sqlalchemy.orm.Session):
    """A thread's session. While its writes are joined, the end of each of Optuna's transactions ends none."""

    joined = False
    lost = False
    """Whether an error within the joined writes has undone those before it."""

    def commit(self) -> None:
        """Commit, or let later reads find what was written."""
        if not self.joined:
            super().commit()
            return
        self.flush()
        self.expunge_all()  # or a read returns objects as they were read before

    def rollback(self) -> None:
        """Undo all writes since the last commit."""
        self.lost = self.joined
        super().rollback()

    def close(self) -> None:
        """Close, or keep the transaction open."""
        if not self.joined:
            super().close()


@contextmanager
def joined(study: optuna.Study) -> Iterator[None]:
    """Make what this thread writes to a study within the context one commit; after an error, nothing is written.

    The caller lets every error within the context end it. Other processes wait from the first write on, so the context
    is short. Writes to a journal or a server stay commits of their own: a server may be away between two of them.

    Raises:
        StorageInternalError: An error was caught within the context.
    """
    opened = getattr(study._storage, "_backend", None)  # Optuna's cache is in front
    session = opened.scoped_session() if isinstance(opened, FileStorage) else None
    if not isinstance(session, _Session) or session.joined:
        yield
        return
    session.joined, session.lost = True, False
    try:
        yield
        session.joined = False
        if session.lost:
            raise StorageInternalError("an error has undone a part of what was to be written at once")
        session.commit()
    except BaseException:
        session.joined = False
        session.rollback()
        _read_again(study)
        raise
    finally:
        session.close()


def _read_again(study: optuna.Study) -> None:
    """Fill Optuna's cache anew: it has kept the trials, and ends of trials, of writes that were undone."""
    cache: Any = study._storage
    with cache._lock:
        for kept in (cache._studies, cache._trial_id_to_study_id_and_number, cache._study_id_and_number_to_trial_id):
            kept.clear()
    with suppress(StorageInternalError):  # the first error ends the study
        cache.get_all_trials(study._study_id, deepcopy=False)


def _patient(method: Callable[..., Any]) -> Callable[..., Any]:
    @functools.wraps(method)
    def call(*arguments: Any, **keywords: Any) -> Any:  # noqa: ANN401 - those of the method
        return patiently(lambda: method(*arguments, **keywords))

    return call


for _name in PATIENT:
    setattr(PatientStorage, _name, _patient(getattr(RDBStorage, _name)))


def open_journal(path: Path) -> JournalStorage:
    """Open a storage in a journal file, and create it where it is missing."""
    return JournalStorage(JournalFileBackend(str(path), _WriteLock(path)))


class _WriteLock(BaseJournalFileLock):
    """The lock under which one process at a time appends to a journal.

    The system releases it when its holder dies; Optuna's own lock outlives its holder by 30 seconds. Each holder
    first removes a half-written last line. Optuna would append to it, and no process could read the file again.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._lock = FileLock(path.with_name(f".{path.name}.lock"), poll_interval=POLL_S)

    def acquire(self) -> bool:
        self._lock.acquire()
        try:
            _remove_half_line(self._path)
        except BaseException:
            self._lock.release()
            raise
        return True

    def release(self) -> None:
        self._lock.release()


def _remove_half_line(path: Path) -> None:
    """Remove what a killed process, or a full disk, left behind the last line's end: no process has read it."""
    with path.open("r+b") as file:
        if file.seek(0, 2) == 0:
            return
        file.seek(-1, 2)
        if file.read() != b"\n":
            file.seek(0)
            file.truncate(file.read().rfind(b"\n") + 1)
