"""Trials of processes that died: failed, and run again in their place."""

import os
import socket
import sqlite3
import subprocess
from collections.abc import Callable
from contextlib import closing
from typing import Any

import optuna
import pytest
from optuna.trial import TrialState

from ser_tune.config import Project
from ser_tune.study import StudySummary, open_storage

pytestmark = pytest.mark.slow

Run = Callable[..., StudySummary]


def _trials(project: Project) -> list[optuna.trial.FrozenTrial]:
    storage = optuna.storages.RDBStorage(project.storage_url, skip_compatibility_check=True)  # which takes long
    return optuna.load_study(study_name="one", storage=storage).get_trials(deepcopy=False)


@pytest.fixture
def left_running(run: Run, project: Project) -> optuna.Trial:
    """The second trial of a study, which somebody is still running, as far as the database knows."""
    run(1)
    storage = open_storage(project)
    study = optuna.load_study(study_name="one", storage=storage)
    with pytest.warns(UserWarning, match="Heartbeat"):
        trial = study.ask()
    trial.suggest_float("optimizer.learning_rate", 1e-3, 3e-2, log=True)
    storage.record_heartbeat(trial._trial_id)
    return trial


def _is_failed_and_run_again(run: Run, recorder: Any, project: Project, dead: optuna.Trial) -> None:
    summary = run(2)
    assert recorder.started[-1].finished == {0: "COMPLETE", 1: "FAIL"}
    assert (summary.complete, summary.failed) == (2, 0)
    assert _trials(project)[2].params["optimizer.learning_rate"] == dead.params["optimizer.learning_rate"]
    assert [config.seed for _, config, _ in recorder.trials] == [0, 0]


def _write(project: Project, statement: str) -> None:
    with closing(sqlite3.connect(project.storage_url.removeprefix("sqlite:///"))) as connection:
        connection.execute(statement)
        connection.commit()


def test_a_trial_whose_process_died_before_it_named_itself_is_failed_and_run_again(
    run: Run, recorder: Any, project: Project, left_running: optuna.Trial
) -> None:
    _write(project, "DELETE FROM trial_heartbeats")
    _write(project, "UPDATE trials SET datetime_start = '2020-01-01 00:00:00'")
    _is_failed_and_run_again(run, recorder, project, left_running)


def test_a_trial_that_was_failed_but_not_put_in_line_is_run_again(
    run: Run, recorder: Any, project: Project, left_running: optuna.Trial
) -> None:
    """As when a study is killed a second time, while it takes stock of the first."""
    left_running.study.tell(left_running, state=TrialState.FAIL)
    _is_failed_and_run_again(run, recorder, project, left_running)
    # and not once more
    assert run(3).complete == 3
    assert [config.seed for _, config, _ in recorder.trials] == [0, 0, 0]


def test_the_trial_of_a_process_that_was_not_heard_of_is_failed_and_run_again(
    run: Run, recorder: Any, project: Project, left_running: optuna.Trial
) -> None:
    _write(project, "UPDATE trial_heartbeats SET heartbeat = '2020-01-01 00:00:00'")
    _is_failed_and_run_again(run, recorder, project, left_running)


def test_the_trial_of_a_process_of_this_machine_that_died_is_failed_and_run_again_at_once(
    run: Run, recorder: Any, project: Project, left_running: optuna.Trial
) -> None:
    dead = subprocess.Popen(["true"])
    dead.wait()
    left_running.set_user_attr("process", [socket.gethostname(), dead.pid])
    _is_failed_and_run_again(run, recorder, project, left_running)


@pytest.mark.parametrize(
    "process", [["elsewhere", 1], [socket.gethostname(), os.getpid()]], ids=["of another machine", "of this one"]
)
def test_the_trial_of_a_process_that_lives_is_left_alone(
    run: Run, recorder: Any, left_running: optuna.Trial, process: str
) -> None:
    left_running.set_user_attr("process", process)
    assert run(2).complete == 2
    assert recorder.started[-1].finished == {0: "COMPLETE"}
