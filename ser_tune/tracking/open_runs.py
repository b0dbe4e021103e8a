"""Runs that a process has open: how they end, also where the process is killed."""

import json
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager

from mlflow.entities import Run

from ..coordination import has_ended, this_process
from .queries import search_runs
from .tags import EVALUATES_TAG, MEMBERS_TAG, PROCESS_TAG, TRIAL_TAG
from .workspace import Workspace

__all__ = ["close_abandoned", "open_run", "process_tag"]

NAMELESS_S, ELSEWHERE_S = 3600.0, 86_400.0
"""Age after which an open run is abandoned that an earlier ser-tune began, or another machine. What is no study takes
minutes."""


def process_tag() -> dict[str, str]:
    """The tag that tells later commands which process has a run open."""
    return {PROCESS_TAG: json.dumps(this_process())}


@contextmanager
def open_run(workspace: Workspace, experiment_id: str, *, name: str, tags: Mapping[str, str]) -> Iterator[str]:
    """A run that is open within the context: FINISHED after it, FAILED after an error.

    Runs that killed processes left open are closed first.

    Args:
        workspace: The project's stores.
        experiment_id: Of the experiment.
        name: The run's, for people.
        tags: The run's.

    Yields:
        The run's identifier.
    """
    close_abandoned(workspace)
    run_id = str(workspace.client.create_run(experiment_id, run_name=name, tags={**tags, **process_tag()}).info.run_id)
    status = "FAILED"
    try:
        yield run_id
        status = "FINISHED"
    finally:
        workspace.client.set_terminated(run_id, status)


def close_abandoned(workspace: Workspace) -> list[Run]:
    """Close the runs that killed processes left open, as KILLED.

    Trials are not among them: the outbox has them, and delivers them again.

    Returns:
        The runs.
    """
    running = search_runs(workspace, "attributes.status = 'RUNNING'")
    abandoned = [one for one in running if TRIAL_TAG not in one.data.tags and _is_abandoned(one)]
    for run in abandoned:
        workspace.client.set_terminated(run.info.run_id, "KILLED")
    return abandoned


def _is_abandoned(run: Run) -> bool:
    tags, age_s = run.data.tags, time.time() - run.info.start_time / 1000
    is_short = EVALUATES_TAG in tags or MEMBERS_TAG in tags
    try:
        process = json.loads(tags[PROCESS_TAG])
    except (KeyError, ValueError):
        return is_short and age_s > NAMELESS_S
    return has_ended(process) or (is_short and age_s > ELSEWHERE_S)
