"""Runs end with their process: those of killed ones are closed, those of living ones stay open."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from ser_tune.api import doctor
from ser_tune.coordination import this_process
from ser_tune.project import Project
from ser_tune.tracking import EVALUATES_TAG, Workspace, close_abandoned, open_run
from ser_tune.tracking.runs import PROCESS_TAG, TRIAL_TAG


@pytest.fixture
def workspace(project: Project) -> Workspace:
    """A store with one experiment, whose identifier is 1."""
    workspace = Workspace(project)
    workspace.client.create_experiment("demo")
    return workspace


def _begin(workspace: Workspace, process: object, began_ms: int | None = None, **tags: str) -> str:
    given = {EVALUATES_TAG: "model/1", **tags} | ({} if process is None else {PROCESS_TAG: json.dumps(process)})
    return str(workspace.client.create_run("1", start_time=began_ms, tags=given).info.run_id)


def _status(workspace: Workspace, run: str) -> str:
    return str(workspace.client.get_run(run).info.status)


def test_runs_of_ended_processes_are_closed_and_no_others(workspace: Workspace) -> None:
    host, number, namespace, _ = this_process()
    ended = _begin(workspace, [host, number, namespace, "another start"])
    ours = _begin(workspace, this_process())
    elsewhere = _begin(workspace, ["other", number, "another boot", "1"])
    trial = _begin(workspace, [host, number, namespace, "another start"], **{TRIAL_TAG: "1"})
    long_ago = _begin(workspace, ["other", number, "another boot", "1"], began_ms=1)
    foreign = _begin(workspace, None, began_ms=1)
    damaged = _begin(workspace, None, **{PROCESS_TAG: "{"})
    assert {run.info.run_id for run in close_abandoned(workspace)} == {ended, long_ago}
    assert (_status(workspace, ended), _status(workspace, long_ago)) == ("KILLED", "KILLED")
    for run in (ours, elsewhere, trial, foreign, damaged):
        assert _status(workspace, run) == "RUNNING"
    assert close_abandoned(workspace) == []


def test_a_run_ends_with_its_context(workspace: Workspace) -> None:
    host, number, namespace, _ = this_process()
    left = _begin(workspace, [host, number, namespace, "another start"])
    with open_run(workspace, "1", name="one", tags={}) as fine:
        assert _status(workspace, fine) == "RUNNING"
        assert _status(workspace, left) == "KILLED"
    with pytest.raises(ValueError, match="no"), open_run(workspace, "1", name="two", tags={}) as failed:
        raise ValueError("no")
    assert (_status(workspace, fine), _status(workspace, failed)) == ("FINISHED", "FAILED")


def test_sync_and_doctor_close_what_killed_processes_left(
    call: Callable[..., Any], root: Path, project: Project, workspace: Workspace
) -> None:
    host, number, namespace, _ = this_process()
    first = _begin(workspace, [host, number, namespace, "another start"])
    assert "closed, because" in call(root, "sync").out
    second = _begin(workspace, [host, number, namespace, "another start"])
    (found,) = [finding for finding in doctor(project=project) if finding.subject == "runs"]
    assert (found.state, found.found.partition(":")[0]) == ("ok", "closed, because their processes were killed")
    assert (_status(workspace, first), _status(workspace, second)) == ("KILLED", "KILLED")
