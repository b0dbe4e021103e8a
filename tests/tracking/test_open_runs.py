"""Runs end with their process: those of killed ones are closed, those of living ones stay open."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from mlflow import MlflowClient

from ser_tune.api import machine
from ser_tune.config import Project
from ser_tune.coordination import this_process
from ser_tune.tracking import EVALUATES_TAG, close_abandoned, open_run, open_tracking
from ser_tune.tracking.tags import PROCESS_TAG, TRIAL_TAG


@pytest.fixture
def client(project: Project) -> MlflowClient:
    """A store with one experiment, whose identifier is 1."""
    client = open_tracking(project)
    client.create_experiment("demo")
    return client


def _begin(client: MlflowClient, process: object, began_ms: int | None = None, **tags: str) -> str:
    given = {EVALUATES_TAG: "model/1", **tags} | ({} if process is None else {PROCESS_TAG: json.dumps(process)})
    return str(client.create_run("1", start_time=began_ms, tags=given).info.run_id)


def _status(client: MlflowClient, run: str) -> str:
    return str(client.get_run(run).info.status)


def test_runs_of_ended_processes_are_closed_and_no_others(client: MlflowClient) -> None:
    host, number, namespace, _ = this_process()
    ended = _begin(client, [host, number, namespace, "another start"])
    ours = _begin(client, this_process())
    elsewhere = _begin(client, ["other", number, "another boot", "1"])
    trial = _begin(client, [host, number, namespace, "another start"], **{TRIAL_TAG: "1"})
    earlier, recent = _begin(client, None, began_ms=1), _begin(client, None)
    damaged = _begin(client, None, **{PROCESS_TAG: "{"})
    assert {run.info.run_id for run in close_abandoned(client)} == {ended, earlier}
    assert (_status(client, ended), _status(client, earlier)) == ("KILLED", "KILLED")
    for run in (ours, elsewhere, trial, recent, damaged):
        assert _status(client, run) == "RUNNING"
    assert close_abandoned(client) == []


def test_a_run_ends_with_its_context(client: MlflowClient) -> None:
    host, number, namespace, _ = this_process()
    left = _begin(client, [host, number, namespace, "another start"])
    with open_run(client, "1", name="one", tags={}) as fine:
        assert _status(client, fine) == "RUNNING"
        assert _status(client, left) == "KILLED"
    with pytest.raises(ValueError, match="no"), open_run(client, "1", name="two", tags={}) as failed:
        raise ValueError("no")
    assert (_status(client, fine), _status(client, failed)) == ("FINISHED", "FAILED")


def test_sync_and_doctor_close_what_killed_processes_left(
    call: Callable[..., Any], root: Path, project: Project, client: MlflowClient
) -> None:
    host, number, namespace, _ = this_process()
    first = _begin(client, [host, number, namespace, "another start"])
    assert "closed, because" in call(root, "sync").out
    second = _begin(client, [host, number, namespace, "another start"])
    (found,) = machine.runs(project)  # of doctor, which also trains for two seconds
    assert (found.state, found.found.partition(":")[0]) == ("ok", "closed, because their processes were killed")
    assert (_status(client, first), _status(client, second)) == ("KILLED", "KILLED")
