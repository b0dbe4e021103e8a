"""Processes that start at once in a project without databases: all of them find complete ones."""

import sqlite3
import time
from contextlib import closing
from pathlib import Path

import pytest

from tests.warm_processes import WarmProcess

PROCESSES = 8
OPEN = """
import sys, time
from pathlib import Path

from ser_tune.project import Project
from ser_tune.coordination import open_storage
from ser_tune.tracking import Workspace

root = Path(sys.argv[1])
uri = sys.argv[2] or f"sqlite:///{root}/mlruns/mlflow.db"
project = Project(root, uri, f"sqlite:///{root}/studies/optuna.db", cache=root)
(root / f"ready-{sys.argv[3]}").touch()
while not (root / "go").exists():
    time.sleep(0.001)
open_storage(project).create_new_study(["maximize"])
Workspace(project).client.create_experiment(sys.argv[3])
"""


@pytest.mark.slow
@pytest.mark.parametrize("place", ["mlruns/mlflow.db", "elsewhere.db"])
def test_processes_that_start_at_once_on_empty_stores_all_succeed(tmp_path: Path, place: str) -> None:
    uri = "" if place.startswith("mlruns") else f"sqlite:///{tmp_path}/{place}"
    processes = [WarmProcess(OPEN, tmp_path, uri, number, environment={}) for number in range(PROCESSES)]
    while len(list(tmp_path.glob("ready-*"))) < PROCESSES:
        assert all(process.poll() is None for process in processes)
        time.sleep(0.05)
    (tmp_path / "go").touch()
    said = [process.communicate(timeout=120)[1] for process in processes]
    assert [process.returncode for process in processes] == [0] * PROCESSES, said
    counted = {"studies/optuna.db": "SELECT count(*) FROM studies", place: "SELECT count(*) - 1 FROM experiments"}
    for database, count in counted.items():
        with closing(sqlite3.connect(tmp_path / database)) as connection:
            assert connection.execute(count).fetchone() == (PROCESSES,)
