"""Commands that are killed (`kill -9`) at their worst moment: the same command works, and nothing stays RUNNING."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from mlflow import MlflowClient

from tests.warm_processes import run_warm

pytestmark = pytest.mark.slow

SCRIPT = """
import os, signal, sys
where, name = sys.argv[1].rsplit(".", 1)
import importlib
from ser_tune.cli import main
module, _, kind = where.partition(":")
owner = getattr(importlib.import_module(module), kind)
setattr(owner, name, lambda *_, **__: os.kill(os.getpid(), signal.SIGKILL))
sys.argv = ["ser-tune", *sys.argv[2:]]
main()
"""
"""Ends the process as `kill -9` does where it calls a method."""
MODEL = "ser-manifest-alex_net"


def _killed(root: Path, cache: Path, where: str, *arguments: str | Path) -> None:
    environment = {"SER_TUNE_ROOT": str(root), "SER_TUNE_CACHE": str(cache)}
    ended = run_warm(SCRIPT, where, *arguments, environment=environment)
    assert ended.returncode == -9, ended.stderr


def _running(client: Any) -> list[str]:
    runs = client.search_runs(
        [one.experiment_id for one in client.search_experiments()], "attributes.status = 'RUNNING'"
    )
    return [run.info.run_name for run in runs]


@pytest.mark.parametrize("repair", ["again", "sync"])
def test_a_killed_evaluation_leaves_nothing_running(
    finished_copy: Any, call: Callable[..., Any], shared_cache: Path, repair: str
) -> None:
    root = finished_copy.root
    command = ("evaluate", MODEL, "--corpus", "manifest", "--data", finished_copy.csv, "--json")
    client = MlflowClient(f"sqlite:///{root}/mlruns/mlflow.db")
    _killed(root, shared_cache, "mlflow:MlflowClient.log_artifacts", *command)
    assert len(_running(client)) == 1
    told = call(root, *command) if repair == "again" else call(root, "sync")
    assert told.code == 0, told.err
    assert _running(client) == []


def test_a_killed_combination_and_a_killed_report_leave_nothing_running_and_nothing_half_written(
    finished_copy: Any, call: Callable[..., Any], shared_cache: Path, tmp_path: Path
) -> None:
    root, page = finished_copy.root, tmp_path / "page.html"
    client = MlflowClient(f"sqlite:///{root}/mlruns/mlflow.db")
    _killed(root, shared_cache, "mlflow:MlflowClient.log_param", "combine", "first:0", "first:1")
    assert len(_running(client)) == 1
    told = call(root, "combine", "first:0", "first:1")
    assert told.code == 0, told.err
    assert _running(client) == []

    page.write_text("before", encoding="utf-8")
    _killed(root, shared_cache, "pathlib:Path.replace", "report", "first", "--no-audio", "--out", page)
    assert page.read_text(encoding="utf-8") == "before"
    assert len(list(tmp_path.glob(".page.html.*"))) == 1
    assert call(root, "report", "first", "--no-audio", "--out", page).code == 0
    assert page.read_text(encoding="utf-8").startswith("<!")
    assert list(tmp_path.glob(".page.html.*")) == []
    assert _running(client) == []
