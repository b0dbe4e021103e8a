"""A study on a disk that is full for a while: a clear end, nothing half-written, and no trial too many or too few."""

import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import optuna
import pytest
from mlflow import MlflowClient

from tests.project_copies import copy_project
from tests.warm_processes import LOGGED, run_warm

DATABASE = "the study database 'sqlite:///{disk}/project/studies/optuna.db' cannot be written: "
MOMENTS = {
    "extract:1": "the feature cache in '{disk}/cache/features' cannot be written: No space left on device; make room",
    "stored:1": DATABASE,
    "record:1": DATABASE,
}
"""When the disk is full, and how the study then ends."""


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Path]:
    """A disk of 60 MB."""
    disk = tmp_path / "disk"
    disk.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=60m", "tmpfs", str(disk)]
    if not shutil.which("mount") or subprocess.run(mount, capture_output=True, check=False).returncode:
        pytest.skip("only root can mount a disk")
    yield disk
    subprocess.run(["umount", "--lazy", str(disk)], check=True)


def _values(root: Path) -> list[tuple[Any, ...]]:
    storage = optuna.storages.RDBStorage(f"sqlite:///{root}/studies/optuna.db", skip_compatibility_check=True)
    trials = optuna.load_study(study_name="first", storage=storage).get_trials(deepcopy=False)
    return [(one.params, one.value) for one in trials if one.state.name == "COMPLETE"]


@pytest.mark.slow
def test_a_study_ends_clearly_on_a_full_disk_and_loses_nothing(finished: Any, databases: Path, disk: Path) -> None:
    root, filler = copy_project(databases, disk / "project"), disk / "filler"
    environment = {"SER_TUNE_ROOT": str(root), "SER_TUNE_CACHE": str(disk / "cache")}

    def study(end: str) -> "subprocess.CompletedProcess[str]":
        return run_warm(LOGGED, disk.parent / "log", end, "study", *finished.args, environment=environment)

    for moment, message in MOMENTS.items():
        told = study(f"{moment}={filler}")
        assert told.returncode == 2, told.stderr
        assert "Traceback" not in told.stderr
        assert told.stderr.splitlines()[-1].startswith("error: " + message.format(disk=disk))
        assert "make room" in told.stderr or "to a folder with room" in told.stderr
        assert not [path for path in disk.rglob("*") if ".partial" in path.name]
        filler.unlink()
    told = study("-")
    assert told.returncode == 0, told.stderr

    assert _values(root) == _values(finished.root)
    events = [line.split() for line in (disk.parent / "log").read_text(encoding="utf-8").splitlines()]
    stored = [about[0] for event, *about in events if event == "stored"]
    assert len(stored) == len({*stored}) == 9  # three trials of three folds, none trained again
    client = MlflowClient(f"sqlite:///{root}/mlruns/mlflow.db")
    runs = client.search_runs([one.experiment_id for one in client.search_experiments()], max_results=1000)
    assert {run.info.status for run in runs} <= {"FINISHED", "FAILED"}
    assert sum(run.info.status == "FINISHED" for run in runs) == 4  # the study's, and its trials'
    assert sorted(path.name for path in (root / "outbox").iterdir()) == [".lock"]
    assert not list((disk / "cache" / "folds").glob("*/*"))
