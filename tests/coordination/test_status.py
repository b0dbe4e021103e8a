"""The state of studies, from Optuna's database alone."""

import json
import os
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import optuna
import pytest
from optuna.trial import TrialState

from ser_tune import api
from ser_tune.coordination import open_storage, read_courses, read_statuses
from ser_tune.coordination.processes import note_process
from ser_tune.errors import StudyError
from ser_tune.project import Project

REPOSITORY = Path(__file__).parents[2]
NOW = datetime(2026, 1, 1, 12)
HERE = [socket.gethostname(), os.getpid()]


@pytest.fixture
def study(project: Project) -> optuna.Study:
    """A study of ten trials: two complete, of ten minutes each, one pruned, one failed, one interrupted, one queued."""
    study = optuna.create_study(study_name="one", storage=open_storage(project), direction="maximize")
    study.set_user_attr(
        "definition", json.dumps({"config": {"study": {"trials": 10, "grace_s": 60, "stop_when_converged": False}}})
    )
    study.set_user_attr("study_id", "0" * 32)
    study.set_user_attr("folds", 5)
    ended = [
        (TrialState.COMPLETE, 0.5, {}),
        (TrialState.COMPLETE, 0.7, {}),
        (TrialState.COMPLETE, 0.9, {"confirms": 1}),
        (TrialState.PRUNED, None, {}),
        (TrialState.FAIL, None, {"failure": "NonFiniteLossError: nan"}),
        (TrialState.FAIL, None, {}),
    ]
    for number, (state, value, attributes) in enumerate(ended):
        trial = optuna.trial.create_trial(state=state, value=value, user_attrs=attributes)
        trial.datetime_start = NOW + timedelta(minutes=10 * number)
        trial.datetime_complete = trial.datetime_start + timedelta(minutes=10)
        study.add_trial(trial)
    study.enqueue_trial({"x": 1.0})
    return study


@pytest.fixture
def begin(study: optuna.Study, project: Project) -> Callable[..., None]:
    """Begin a trial in a process, with some folds trained, whose last heartbeat was so many seconds ago."""

    def _begin(process: list[object], *, folds: int = 0, heartbeat_age_s: int = 0) -> None:
        trial = study.ask()
        note_process(trial)
        trial.set_user_attr("process", [*process, *trial.user_attrs["process"][len(process) :]])
        trial.set_user_attr("folds_ended", folds)
        trial.set_user_attr("heartbeat", time.time() - heartbeat_age_s)

    return _begin


def test_trials_are_counted_by_state_with_the_reasons_of_failures(study: optuna.Study, project: Project) -> None:
    (status,) = read_statuses(project, "one")
    assert (status.total, status.complete, status.pruned, status.left) == (10, 3, 1, 5)
    assert status.failed == {4: "NonFiniteLossError: nan"}
    assert (status.interrupted, status.queued) == (1, 1)
    assert status.best == (1, 0.7)  # on a fresh seed, trial 2 is no better
    assert status.last_change == NOW + timedelta(minutes=60)
    assert (status.running, status.trials_per_hour, status.estimated_end) == ([], None, None)


def test_a_running_trial_has_a_fold_a_process_and_a_heartbeat(
    begin: Callable[..., None], study: optuna.Study, project: Project
) -> None:
    begin(HERE, folds=2, heartbeat_age_s=7)
    (status,) = read_statuses(project)
    (running,) = status.running
    assert (running.number, running.fold, running.folds, running.alive) == (6, 3, 5, True)
    assert running.process == f"{HERE[0]}:{HERE[1]}"
    assert running.heartbeat_age_s == pytest.approx(7, abs=5)
    assert status.queued == 0
    (worker,) = status.workers
    assert (worker.host, worker.process, worker.trial, worker.fold, worker.folds) == (*HERE, 6, 3, 5)
    assert worker.heartbeat_age_s == running.heartbeat_age_s


def test_the_estimated_end_follows_from_the_last_trials_and_those_that_run(
    begin: Callable[..., None], study: optuna.Study, project: Project
) -> None:
    begin(HERE)
    begin(["elsewhere", 1, "another boot", "1"])
    (status,) = read_statuses(project)
    assert status.trials_per_hour == pytest.approx(12)  # two at once, of ten minutes each
    assert [(one.host, one.trial) for one in status.workers] == [(HERE[0], 6), ("elsewhere", 7)]
    assert status.estimated_end is not None
    left_s = (status.estimated_end - datetime.now()).total_seconds()
    assert left_s == pytest.approx(5 / 12 * 3600, abs=60)


def test_a_trial_whose_process_is_gone_or_silent_is_dead_and_delays_the_estimate(
    begin: Callable[..., None], study: optuna.Study, project: Project
) -> None:
    gone = subprocess.Popen(["true"])
    gone.wait()
    begin([HERE[0], gone.pid])
    begin(["elsewhere", 1, "another boot", "1"], heartbeat_age_s=600)
    (status,) = read_statuses(project)
    assert [one.alive for one in status.running] == [False, False]
    assert status.workers == []
    assert status.trials_per_hour is None


def test_the_command_lists_workers_and_dead_trials(
    begin: Callable[..., None], study: optuna.Study, project: Project, call: Callable[..., Any]
) -> None:
    begin(HERE, folds=2, heartbeat_age_s=7)
    begin(["elsewhere", 1, "another boot", "1"], heartbeat_age_s=600)
    told = call(project.root, "status", "one", "--storage", project.storage_url)
    assert "(trial 1); 1 running, 1 dead, 0 queued" in told.out
    assert "trial 7 is dead: its process elsewhere:1 has ended or is silent; another worker runs it again" in told.out
    assert told.out.splitlines()[-1].split()[:4] == [HERE[0], str(HERE[1]), "6", "3/5"]
    (found,) = json.loads(call(project.root, "status", "--json", "--storage", project.storage_url).out)
    assert [list(one)[:5] for one in found["workers"]] == [["host", "process", "trial", "fold", "folds"]]
    assert [one["alive"] for one in found["running"]] == [True, False]


def test_trials_that_wait_in_the_outbox_are_counted(study: optuna.Study, project: Project) -> None:
    for name in (f"{'0' * 32}-000001", f"{'0' * 32}-totals", f"{'1' * 32}-000001"):
        (project.outbox / name).mkdir(parents=True)
        (project.outbox / name / "record.json").touch()
    (status,) = api.status(project=project)
    assert status.undelivered == 1


def test_an_unknown_study_is_answered_with_those_there_are(study: optuna.Study, project: Project) -> None:
    with pytest.raises(StudyError, match=r"^no study 'two' in sqlite:.*; it has: one$"):
        read_statuses(project, "two")


def test_looking_creates_no_database(tmp_path: Path) -> None:
    nowhere = Project(tmp_path, "sqlite://", f"sqlite:///{tmp_path}/studies/optuna.db", cache=tmp_path)
    assert read_statuses(nowhere) == []
    assert not list(tmp_path.iterdir())


SCRIPT = """
import sys, time
sys.argv = ["ser-tune", "status", *sys.argv[1:]]
from ser_tune.cli import main
try:
    main()
finally:
    heavy = [name for name in ("torch", "mlflow", "librosa", "sklearn", "pandas") if name in sys.modules]
    sys.stderr.write(f"{heavy} {time.process_time()}")
"""


@pytest.mark.slow
def test_the_command_imports_nothing_heavy(study: optuna.Study, project: Project) -> None:
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT, "one"],
        env=os.environ | {"PYTHONPATH": str(REPOSITORY)},
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.splitlines()[:2] == [
        "study one: 5 of 10 trials ended: 3 complete, 1 pruned, 1 failed; 1 interruptions",
        "best of the search 0.7000 (trial 1); 0 running, 1 queued",
    ]
    heavy, seconds = done.stderr.rsplit(" ", 1)
    assert heavy == "[]"
    # Processor time, so that a busy machine does not count; 0.9 s where this was written
    assert float(seconds) < 2.0


def test_courses_are_those_of_trials_that_run_or_count(study: optuna.Study, project: Project) -> None:
    trial = study.ask()
    trial.report(0.4, 1)
    trial.report(0.6, 2)
    courses = read_courses(project, ["one"])["one"]
    assert [(course.number, course.state) for course in courses] == [
        (0, "COMPLETE"),
        (1, "COMPLETE"),
        (2, "COMPLETE"),
        (3, "PRUNED"),
        (4, "FAIL"),
        (6, "RUNNING"),
    ]
    assert [course.score for course in courses] == [0.5, 0.7, 0.9, None, None, None]
    assert courses[2].confirms == 1
    assert courses[-1].after_folds == [0.4, 0.6]
    assert courses[-1].values == {"x": 1.0}


def test_a_page_of_the_state_has_its_numbers_and_charts(study: optuna.Study, project: Project) -> None:
    found = api.status(project=project)
    page = api.live_page(found, refresh_s=5, project=project)
    assert "<b>5 of 10</b>" in page
    assert "<b>0.700</b>" in page
    assert "Trial 4 failed: NonFiniteLossError: nan" in page
    assert page.count("<circle") == 4  # a confirmation is no part of the search
    assert '<meta http-equiv="refresh" content="5">' in page
    assert "No studies yet" in api.live_page([], project=project)
