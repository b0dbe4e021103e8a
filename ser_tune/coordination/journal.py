"""Optuna's storage in a journal file, fit for processes that are killed while they write."""

import warnings
from pathlib import Path

from filelock import FileLock
from optuna.exceptions import ExperimentalWarning
from optuna.storages import JournalStorage
from optuna.storages.journal import JournalFileBackend
from optuna.storages.journal._file import BaseJournalFileLock

__all__ = ["open_journal"]

POLL_S = 0.002
"""How often a process that waits for the lock tries it: it is held for about one disk flush."""


def open_journal(path: Path) -> JournalStorage:
    """Open a journal file, and create it where it is missing."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ExperimentalWarning)
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
