"""Locks that all processes of a study share, and patience with a database server that is away."""

import hashlib
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TypeVar

import sqlalchemy as sa
from filelock import FileLock
from optuna.exceptions import StorageInternalError
from sqlalchemy.exc import InterfaceError, OperationalError
from sqlalchemy.pool import NullPool

from ..errors import StorageError

__all__ = ["StorageLock", "connection_arguments", "end_with_lock", "file_of", "patiently"]

CONNECT_S, SILENT_S, LOST_S = 10, 20, 60
"""Seconds until a server that does not answer is taken for away: for a new connection, and for one that was open; and
until the server takes a process for gone, with whose connection it drops the lock. Later than the process itself, which
so does not go on with a lock that it has lost."""
PATIENCE_S, PAUSE_S = 300.0, 1.0
"""For how long a database server that is away is tried again, and how often."""
PREFIXES = ("sqlite:///", "journal:///")
"""Storages that are one file."""
_inside = threading.local()

T = TypeVar("T")


class _LockLostError(Exception):
    """The server that held the lock was away: whoever has the lock now may have made the same change."""


def file_of(url: str) -> Path | None:
    """The file of a storage; None for a server's."""
    found = [Path(url.removeprefix(prefix)) for prefix in PREFIXES if url.startswith(prefix)]
    return found[0] if found else None


def connection_arguments(url: str) -> dict[str, object]:
    """Arguments of connections to a database server that its URL does not have; empty for other databases.

    Without them, a process waits for a quarter of an hour where its network is lost, and the server keeps the lock of
    a machine that is gone for two hours.
    """
    parts = sa.make_url(url)
    if parts.drivername.partition("+")[0] != "postgresql" or parts.get_driver_name() not in ("psycopg", "psycopg2"):
        return {}
    probes = {"keepalives_idle": SILENT_S // 2, "keepalives_interval": SILENT_S // 4, "keepalives_count": 2}
    of_server = {"keepalives_idle": LOST_S // 2, "keepalives_interval": LOST_S // 6, "keepalives_count": 3}
    options = {f"tcp_{name}": number for name, number in of_server.items()} | {"tcp_user_timeout": 1000 * LOST_S}
    wanted = {
        "connect_timeout": CONNECT_S,
        **probes,
        "tcp_user_timeout": 1000 * SILENT_S,
        "options": " ".join(f"-c {name}={number}" for name, number in options.items()),
    }
    return {name: value for name, value in wanted.items() if name not in parts.query}


class StorageLock:
    """A lock with a name, shared by all processes that use one storage.

    A storage of one file has a file lock beside it, PostgreSQL and MySQL have an advisory lock, which the server
    releases where its holder dies.
    """

    def __init__(self, url: str, name: str) -> None:
        """Name the lock of a storage, such as by a study's name.

        Raises:
            StorageError: There are no locks for databases of this kind.
        """
        digest = hashlib.sha256(name.encode()).digest()
        file = file_of(url)
        self._file = None if file is None else file.with_name(f".{file.name}.{digest.hex()[:12]}.lock")
        if file is not None:
            return
        backend = url.partition(":")[0].partition("+")[0]
        if backend == "postgresql":
            self._statement = sa.text("SELECT pg_advisory_lock(:key)").bindparams(
                key=int.from_bytes(digest[:8], "big", signed=True)
            )
        elif backend in ("mysql", "mariadb"):
            self._statement = sa.text("SELECT GET_LOCK(:key, -1)").bindparams(key=f"ser-tune-{digest.hex()[:32]}")
        else:
            raise StorageError(
                f"the study database '{url}' cannot be opened: expected sqlite:///FILE, journal:///FILE, "
                "postgresql+psycopg://… or mysql+…://…"
            )
        self._engine = sa.create_engine(
            url, poolclass=NullPool, isolation_level="AUTOCOMMIT", connect_args=connection_arguments(url)
        )

    @contextmanager
    def held(self) -> Iterator[None]:
        """Hold the lock; the process must not hold it already."""
        if self._file is not None:
            self._file.parent.mkdir(parents=True, exist_ok=True)
            with FileLock(self._file), _marked():
                yield
            return
        connection = patiently(self._acquired)
        try:
            with _marked():
                yield
        finally:
            connection.invalidate()  # closes it, and with it the lock, also where the server is away
            connection.close()

    def run(self, change: Callable[[], T]) -> T:
        """Make a change while the lock is held; where the server fails, from its beginning when the server is back.

        The change must continue its own work where it was ended in the middle.
        """

        def locked() -> T:
            with self.held():
                return change()

        return patiently(locked)

    def _acquired(self) -> sa.Connection:
        connection = self._engine.connect()
        connection.execute(self._statement)
        return connection


@contextmanager
def _marked() -> Iterator[None]:
    """Mark that this thread holds a lock: with the server, the lock is gone, and the whole change is made again."""
    _inside.depth, _inside.lost = getattr(_inside, "depth", 0) + 1, False
    try:
        yield
    finally:
        _inside.depth -= 1
        _inside.lost = False


def end_with_lock(engine: sa.Engine) -> None:
    """Refuse every further statement of a change whose lock went with the server: Optuna itself tries some again."""

    def note(context: sa.engine.ExceptionContext) -> None:
        if getattr(_inside, "depth", 0) and _is_outage(context.sqlalchemy_exception):
            _inside.lost = True

    def refuse(_: sa.Connection) -> None:
        if getattr(_inside, "lost", False):
            raise _LockLostError

    sa.event.listen(engine, "handle_error", note)
    sa.event.listen(engine, "engine_connect", refuse)


def patiently(action: Callable[[], T]) -> T:
    """Call a function that uses a database; if the server is away, repeat the call for up to five minutes."""
    until = time.monotonic() + PATIENCE_S
    while True:
        try:
            return action()
        except (StorageInternalError, OperationalError, InterfaceError, _LockLostError) as error:
            if getattr(_inside, "depth", 0) or not _is_outage(error) or time.monotonic() > until:
                raise
            time.sleep(PAUSE_S)


def _is_outage(error: BaseException | None) -> bool:
    """Whether a connection to a server was lost; Optuna's second attempt on it fails in another way."""
    while error is not None:
        if isinstance(error, _LockLostError):
            return True
        if isinstance(error, OperationalError | InterfaceError):
            return "sqlite3" not in type(error.orig).__module__  # whose file does not come back
        error = error.__cause__ or error.__context__
    return False
