"""Counts of what is asked of databases: statements, and commits of something written."""

from collections import Counter
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import sqlalchemy as sa

WRITES = ("INSERT", "UPDATE", "DELETE")
WRITTEN = "written"
"""In a connection's notes, after a write."""


class _Counted:
    """Listens to every database of the process."""

    def __init__(self) -> None:
        self.commits, self.statements = Counter[str](), Counter[str]()
        self._listened: tuple[tuple[str, Callable[..., None]], ...] = (
            ("before_cursor_execute", self._executed),
            ("commit", self._committed),
            ("rollback", self._undone),
        )

    def _executed(self, connection: sa.Connection, cursor: Any, statement: str, *_: Any) -> None:
        self.statements[str(connection.engine.url)] += 1
        if statement.lstrip().upper().startswith(WRITES):
            connection.info[WRITTEN] = True

    def _committed(self, connection: sa.Connection) -> None:
        self.commits[str(connection.engine.url)] += connection.info.pop(WRITTEN, False)

    def _undone(self, connection: sa.Connection) -> None:
        connection.info.pop(WRITTEN, None)

    def listen(self, change: Callable[[Any, str, Callable[..., None]], None]) -> None:
        """Begin or end, by SQLAlchemy's function of that name."""
        for event, listener in self._listened:
            change(sa.engine.Engine, event, listener)


@pytest.fixture
def _counted() -> Iterator[_Counted]:
    counted = _Counted()
    counted.listen(sa.event.listen)
    yield counted
    counted.listen(sa.event.remove)


@pytest.fixture
def commits(_counted: _Counted) -> Callable[[str], int]:
    """Commits since the test's start to databases with a part in their address, such as `optuna`."""
    return lambda part: sum(count for url, count in _counted.commits.items() if part in url)


@pytest.fixture
def statements(_counted: _Counted) -> Callable[[str], int]:
    """Statements, likewise."""
    return lambda part: sum(count for url, count in _counted.statements.items() if part in url)
