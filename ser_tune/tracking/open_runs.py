"""Runs that a process has open: how they end, also where the process is killed."""

import json
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager

from mlflow.entities import Run

from ..coordination import has_ended, this_process
from .queries import search_runs
from .runs import EVALUATES_TAG, MEMBERS_TAG, PROCESS_TAG, TRIAL_TAG
from .workspace import Workspace

__all__ = ["close_abandoned", "open_run", "process_tag"]

ELSEWHERE_S = 86_400.0
"""Age after which an open run of another machine is abandoned, unless it is a study's: others take minutes."""


def process_tag() -> dict[str, str]:
    """The tag of a run that this process has open."""
    return {PROCESS_TAG: json.dumps(this_process())}


@contextmanager
def open_run(workspace: Workspace, experiment_id: str, *, name: str, tags: Mapping[str, str]) -> Iterator[str]:
    """A new run that is open within the context: FINISHED after it, FAILED after an error.

    Runs that killed processes left open are closed first.

    Yields:
        The run's identifier.
    """
    close_abandoned(workspace)
    run = workspace.client.create_run(experiment_id, run_name=name, tags={**tags, **process_tag()})
    status = "FAILED"
    try:
        yield str(run.info.run_id)
        status = "FINISHED"
    finally:
        workspace.client.set_terminated(run.info.run_id, status)


def close_abandoned(workspace: Workspace) -> list[Run]:
    """Close the runs that killed processes left open, as KILLED.

    Trials are not among them: the outbox has them, and delivers them again.
    """
    running = search_runs(workspace, "attributes.status = 'RUNNING'")
    abandoned = [run for run in running if TRIAL_TAG not in run.data.tags and _is_abandoned(run)]
    for run in abandoned:
        workspace.client.set_terminated(run.info.run_id, "KILLED")
    return abandoned


def _is_abandoned(run: Run) -> bool:
    tags, age_s = run.data.tags, time.time() - run.info.start_time / 1000
    try:
        process = json.loads(tags[PROCESS_TAG])
    except (KeyError, ValueError):  # of another program, or edited by hand
        return False
    return has_ended(process) or ((EVALUATES_TAG in tags or MEMBERS_TAG in tags) and age_s > ELSEWHERE_S)
