"""The journal file survives processes that are killed while they write."""

import multiprocessing
import os
import signal
import time
from pathlib import Path

import optuna
import pytest

from ser_tune.coordination.optuna_internals import _WriteLock, open_journal

FORK = multiprocessing.get_context("fork")


@pytest.fixture
def journal(tmp_path: Path) -> Path:
    """A journal file with one study and two attributes."""
    path = tmp_path / "study.journal"
    study = optuna.create_study(study_name="one", storage=open_journal(path))
    study.set_user_attr("first", 1)
    study.set_user_attr("second", "two" * 50_000)
    return path


def _attributes(path: Path) -> dict[str, object]:
    return dict(optuna.load_study(study_name="one", storage=open_journal(path)).user_attrs)


@pytest.mark.parametrize("lost", [1, 20, 100_000])
def test_a_half_written_last_line_is_no_event_and_is_removed_by_the_next_write(journal: Path, lost: int) -> None:
    os.truncate(journal, journal.stat().st_size - lost)
    reader = optuna.load_study(study_name="one", storage=open_journal(journal))
    assert _attributes(journal) == {"first": 1}
    writer = optuna.load_study(study_name="one", storage=open_journal(journal))
    writer.set_user_attr("third", 3)
    writer.set_user_attr("fourth", 4)
    assert _attributes(journal) == {"first": 1, "third": 3, "fourth": 4}
    assert reader.user_attrs == _attributes(journal)


def test_a_first_line_that_is_half_written_leaves_an_empty_journal(tmp_path: Path) -> None:
    path = tmp_path / "study.journal"
    path.write_bytes(b'{"op_code":0,"work')
    optuna.create_study(study_name="one", storage=open_journal(path))
    assert _attributes(path) == {}


def _hold(path: Path) -> None:
    _WriteLock(path).acquire()
    path.with_suffix(".held").touch()
    time.sleep(600)


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore::DeprecationWarning")  # of fork beside threads
def test_the_lock_of_a_killed_process_is_free_at_once(journal: Path) -> None:
    holder = FORK.Process(target=_hold, args=(journal,))
    holder.start()
    while not journal.with_suffix(".held").exists():
        time.sleep(0.01)
    os.kill(holder.pid or 0, signal.SIGKILL)
    holder.join()
    started = time.monotonic()
    optuna.load_study(study_name="one", storage=open_journal(journal)).set_user_attr("third", 3)
    assert time.monotonic() - started < 10  # Optuna's own lock is held for 30 s more
