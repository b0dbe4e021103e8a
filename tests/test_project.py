"""Where a project keeps its things."""

from pathlib import Path
from types import SimpleNamespace

import pytest

from ser_tune.errors import StorageError
from ser_tune.project import Project, full_disk


@pytest.fixture(autouse=True)
def _no_environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in ("SER_TUNE_ROOT", "SER_TUNE_CACHE", "MLFLOW_TRACKING_URI"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.chdir(tmp_path)


def test_everything_lies_below_the_current_folder(tmp_path: Path) -> None:
    project = Project.locate()
    assert project.root == tmp_path
    assert project.tracking_uri == f"sqlite:///{tmp_path}/mlruns/mlflow.db"
    assert project.storage_url == f"sqlite:///{tmp_path}/studies/optuna.db"
    assert project.cache == tmp_path / ".cache"
    assert project.artifacts == tmp_path / "mlruns" / "artifacts"
    assert project.embedded_tracking


def test_the_environment_moves_root_cache_and_tracking(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.setenv("SER_TUNE_ROOT", "elsewhere")
    monkeypatch.setenv("SER_TUNE_CACHE", "fast disk")
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://localhost:5000")
    project = Project.locate()
    assert project.root == tmp_path / "elsewhere"
    assert project.storage_url == f"sqlite:///{tmp_path}/elsewhere/studies/optuna.db"
    assert project.cache == tmp_path / "fast disk"
    assert project.tracking_uri == "http://localhost:5000"
    assert not project.embedded_tracking


def test_what_is_passed_wins_over_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://localhost:5000")
    project = Project.locate(tracking_uri="http://other:1", storage_url="sqlite:///other.db")
    assert (project.tracking_uri, project.storage_url) == ("http://other:1", "sqlite:///other.db")


def test_a_root_that_is_no_folder_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SER_TUNE_ROOT", "nowhere")
    with pytest.raises(StorageError, match=r"SER_TUNE_ROOT is '.*nowhere'; expected an existing folder"):
        Project.locate()


def test_a_full_disk_is_named_with_what_to_do(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    url = f"sqlite:///{tmp_path}/studies/optuna.db"  # whose folder is not there yet
    assert full_disk(url) == ""
    monkeypatch.setattr("ser_tune.project.shutil.disk_usage", lambda _: SimpleNamespace(total=10**9, free=10**5))
    assert full_disk(url) == f"; the disk of '{tmp_path}' is full: make room, and the same command goes on from here"
    assert full_disk("http://localhost:5000") == full_disk("postgresql://localhost/studies") == ""


def test_a_folder_of_the_system_is_not_called_a_full_disk() -> None:
    assert full_disk("sqlite:////proc/mlruns/mlflow.db") == ""
