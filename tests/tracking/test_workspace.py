"""The tracking database: made once, also by two processes at once; moved with its folder; errors in one sentence."""

import os
import shutil
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import pytest
from mlflow.exceptions import MlflowException
from sqlalchemy.exc import OperationalError

from ser_tune.errors import StorageError, TrackingError
from ser_tune.project import Project
from ser_tune.tracking import Workspace, open_delivered, tracking_errors
from ser_tune.tracking.outbox import waiting


def _at(root: Path, uri: str | None = None) -> Project:
    return Project(root, uri or f"sqlite:///{root}/mlruns/mlflow.db", "sqlite://", root / ".cache")


@pytest.mark.slow
def test_two_processes_can_open_an_empty_project_at_once(tmp_path: Path) -> None:
    script = (
        # The store alone: the rest of its room would bring torch along, which takes seconds
        "import importlib.util, sys, types\n"
        "room = types.ModuleType('ser_tune.tracking')\n"
        "room.__path__ = [importlib.util.find_spec('ser_tune').submodule_search_locations[0] + '/tracking']\n"
        "sys.modules['ser_tune.tracking'] = room\n"
        "from ser_tune.project import Project\n"
        "from ser_tune.tracking.workspace import Workspace\n"
        "project = Project.locate()\n"
        "print('ready', flush=True)\n"
        "input()\n"
        "print(Workspace(project).experiment('demo'))\n"
    )
    with subprocess.Popen(
        [sys.executable, "-c", script],
        env=os.environ | {"SER_TUNE_ROOT": str(tmp_path)},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as other:
        assert other.stdin is not None
        assert other.stdout is not None
        assert other.stdout.readline() == "ready\n"
        other.stdin.write("go\n")
        other.stdin.close()
        project = _at(tmp_path)
        ours = Workspace(project).experiment("demo")
        assert other.stdout.read().strip() == ours
    assert other.returncode == 0


def test_the_embedded_database_writes_ahead(root: Path) -> None:
    Workspace(_at(root)).experiment("emodb")
    with closing(sqlite3.connect(root / "mlruns" / "mlflow.db")) as connection:
        assert connection.execute("PRAGMA journal_mode").fetchone() == ("wal",)


def test_experiments_keep_their_artifacts_in_the_project_and_open_on_training_runs(root: Path) -> None:
    project = _at(root)
    workspace = Workspace(project)
    number = workspace.experiment("emodb")
    experiment = workspace.client.get_experiment(number)
    assert experiment.artifact_location == str(root / "mlruns" / "artifacts")
    assert experiment.tags["mlflow.experimentKind"] == "custom_model_development"
    assert workspace.experiment("emodb") == number


def test_a_deleted_experiment_is_named(root: Path) -> None:
    project = _at(root)
    workspace = Workspace(project)
    workspace.client.delete_experiment(workspace.experiment("emodb"))
    with pytest.raises(StorageError, match="the MLflow experiment 'emodb' was deleted; restore it"):
        workspace.experiment("emodb")


def test_paths_follow_a_folder_that_was_moved(root: Path, tmp_path: Path) -> None:
    workspace = Workspace(_at(root))
    workspace.experiment("emodb")
    moved = Path(shutil.move(root, tmp_path / "else where's"))
    for _ in range(2):  # opening it again changes nothing more
        experiment = Workspace(_at(moved)).client.get_experiment_by_name("emodb")
        assert experiment is not None
        assert experiment.artifact_location == str(moved / "mlruns" / "artifacts")


def test_opening_a_project_does_not_decide_for_the_next(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    # MLflow sets the variable, and Project.locate reads it
    Workspace(_at(root)).experiment("emodb")
    assert "MLFLOW_TRACKING_URI" not in os.environ
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "sqlite:///the/users/own.db")
    Workspace(_at(root)).experiment("emodb")
    assert os.environ["MLFLOW_TRACKING_URI"] == "sqlite:///the/users/own.db"


@pytest.mark.parametrize(
    ("uri", "reason"),
    [("./mlruns", "given up folder stores"), ("nosuch://x", "it is no store"), ("sqlite:////proc/x/y.db", "")],
)
def test_a_store_that_cannot_be_opened_is_named(tmp_path: Path, uri: str, reason: str) -> None:
    with pytest.raises(StorageError, match=rf"the tracking store '{uri}' cannot be opened: .*{reason}"):
        Workspace(_at(tmp_path, uri)).experiment("emodb")


def test_a_store_that_cannot_be_opened_is_named_before_runs_are_read_from_it(root: Path) -> None:
    broken = root / "broken.db"
    broken.write_text("no database")
    project = _at(root, f"sqlite:///{broken}")
    assert not waiting(project.outbox)
    with pytest.raises(StorageError, match="cannot be opened: file is not a database"):
        open_delivered(project)


def test_the_database_of_another_program_is_refused(root: Path) -> None:
    studies = root / "optuna.db"
    with closing(sqlite3.connect(studies)) as connection, connection:
        connection.execute("CREATE TABLE alembic_version (version_num VARCHAR(32))")
        connection.execute("INSERT INTO alembic_version VALUES ('v3.2.0.a')")  # of Optuna
    with pytest.raises(TrackingError, match=r"optuna\.db' cannot be opened: its tables are another program's"):
        open_delivered(_at(root, f"sqlite:///{studies}"))


def test_a_project_on_a_disk_that_cannot_be_written_is_named() -> None:
    with pytest.raises(StorageError, match=r"the tracking store 'sqlite:////proc/mlruns/mlflow.db' cannot be opened"):
        Workspace(_at(Path("/proc"))).experiment("emodb")


def test_a_database_that_cannot_be_created_on_a_full_disk_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object, **__: object) -> None:
        raise OperationalError("CREATE TABLE experiments", {}, sqlite3.OperationalError("database or disk is full"))

    monkeypatch.setattr("ser_tune.tracking.workspace.TrackingClient", full)
    with pytest.raises(StorageError, match=r"cannot be opened: .*database or disk is full$"):
        Workspace(_at(tmp_path)).experiment("emodb")


def test_a_store_that_fails_later_is_named_but_mistakes_of_ours_are_not_hidden() -> None:
    with (
        pytest.raises(StorageError, match=r"^the tracking store 'x' failed: database or disk is full$"),
        tracking_errors("x"),
    ):
        raise MlflowException("database or disk is full\nand a lot of SQL")
    with pytest.raises(MlflowException), tracking_errors("x"):
        raise MlflowException.invalid_parameter_value("a metric called @")
