"""Optuna's storage: opened, created where it is missing, and its failures in one sentence."""

import functools
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from typing import TYPE_CHECKING

import optuna
import sqlalchemy as sa
from optuna.exceptions import StorageInternalError
from optuna.storages import BaseStorage, RDBStorage
from sqlalchemy.exc import SQLAlchemyError

from ..errors import StorageError, StudyError
from ..project import Project, full_disk
from ..stored_names import unknown_study
from .locking import StorageLock, connection_arguments, file_of, patiently
from .optuna_internals import FileStorage, PatientStorage, open_journal

if TYPE_CHECKING:
    from ..definition import StudyDefinition

__all__ = [
    "DEFINITION",
    "find_study",
    "load_study",
    "open_storage",
    "storage_errors",
    "storage_to_read",
    "stored_definition",
    "study_names",
]

DEFINITION = "definition"
"""User attribute of a study: its definition; other programs' studies have none."""


def open_storage(project: Project) -> BaseStorage:
    """Open Optuna's storage, and create it where it is missing.

    Raises:
        StorageError: It cannot be opened.
    """
    url = project.storage_url
    _quiet_optuna()
    with storage_errors(url, "be opened"):
        # Of processes that create the tables at once, all but one would fail
        lock, path = StorageLock(url, "tables"), file_of(url)
        if path is None:
            how = {"pool_pre_ping": True, "connect_args": connection_arguments(url)}
            return lock.run(lambda: PatientStorage(url, engine_kwargs=how))
        path.parent.mkdir(parents=True, exist_ok=True)
        with lock.held():
            if url.startswith("journal:///"):
                return open_journal(path)
            with closing(sqlite3.connect(path, timeout=60)) as connection:
                # Write-ahead logging costs one disk flush a transaction instead of four
                connection.execute("PRAGMA journal_mode=WAL")
            return FileStorage(url, engine_kwargs={"connect_args": {"timeout": 60}})


def storage_to_read(project: Project) -> BaseStorage | None:
    """Open Optuna's storage without creating anything; None where there is no file, or no table yet.

    Raises:
        StorageError: It cannot be opened.
    """
    url = project.storage_url
    _quiet_optuna()
    path = file_of(url)
    if path is not None and not path.exists():
        return None
    with storage_errors(url, "be opened"):
        if path is not None and url.startswith("journal:///"):
            return open_journal(path)
        if not patiently(lambda: _has_tables(url)):
            return None
        how = {"connect_args": connection_arguments(url)}
        opened = functools.partial(
            RDBStorage, url, engine_kwargs=how, skip_compatibility_check=True, skip_table_creation=True
        )
        # Of a server's tables, the creator may still have to note the version
        return opened() if path is not None else StorageLock(url, "tables").run(opened)


@functools.cache
def _quiet_optuna() -> None:
    """Leave Optuna's notes on studies and trials out, once a process: observers receive both."""
    optuna.logging.set_verbosity(optuna.logging.ERROR)


def _has_tables(url: str) -> bool:
    engine = sa.create_engine(url, poolclass=sa.NullPool, connect_args=connection_arguments(url))
    return bool(sa.inspect(engine).has_table("studies"))


def study_names(project: Project) -> list[str]:
    """Names of all stored studies."""
    return list(optuna.get_all_study_names(open_storage(project)))


def find_study(name: str, storage: BaseStorage) -> optuna.Study | None:
    """The study of this name; None where there is none."""
    return optuna.load_study(study_name=name, storage=storage) if name in optuna.get_all_study_names(storage) else None


def load_study(name: str, project: Project) -> tuple[optuna.Study, "StudyDefinition"]:
    """A stored study and its definition.

    Raises:
        StudyError: There is no such study; the message lists those there are. Or another program made it.
    """
    storage = open_storage(project)
    study = find_study(name, storage)
    if study is None:
        raise unknown_study(name, project.storage_url, sorted(optuna.get_all_study_names(storage)))
    if DEFINITION not in study.user_attrs:
        raise StudyError(f"study '{name}' in {project.storage_url} was not made by ser-tune")
    return study, stored_definition(study)


def stored_definition(study: optuna.Study) -> "StudyDefinition":
    """The definition that is stored with a study of ours."""
    from ..definition import StudyDefinition  # torch: opening does without

    return StudyDefinition.from_json(study.user_attrs[DEFINITION])


@contextmanager
def storage_errors(url: str, what: str) -> Iterator[None]:
    """Name the database that failed, and its reason, instead of SQLAlchemy's traceback.

    Args:
        url: The database's.
        what: The action that failed: `be opened`, `be written`.

    Raises:
        StorageError: In place of the database's own error.
    """
    try:
        yield
    except AssertionError as error:
        # Optuna asserts that it can at least write that a trial failed
        if not isinstance(error.__context__, StorageInternalError):
            raise
        raise StorageError(
            f"the study database '{url}' cannot {what}: {_reason(error.__context__)}{full_disk(url)}"
        ) from None
    except (SQLAlchemyError, StorageInternalError, sqlite3.Error, OSError, ImportError) as error:
        if isinstance(error, OSError | ImportError) and what != "be opened":
            raise  # of some other file, some other package than the database's driver
        raise StorageError(f"the study database '{url}' cannot {what}: {_reason(error)}{full_disk(url)}") from None


def _reason(error: BaseException) -> str:
    """The first line of the database's own message."""
    cause = error.__cause__ if isinstance(error, StorageInternalError) and error.__cause__ else error
    return str(getattr(cause, "orig", None) or cause).splitlines()[0]
