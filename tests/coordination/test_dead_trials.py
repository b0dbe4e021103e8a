"""Trials of processes that died: failed, and run again in their place."""

import sqlite3
import subprocess
import time
from collections.abc import Callable
from contextlib import closing
from functools import partial
from threading import Thread
from typing import Any

import optuna
import pytest
from optuna.trial import TrialState

from ser_tune.coordination import open_storage
from ser_tune.coordination.locking import StorageLock
from ser_tune.coordination.optuna_internals import set_attribute
from ser_tune.coordination.processes import Heartbeat, Watch, is_gone, note_process
from ser_tune.coordination.stored_trials import DIED
from ser_tune.project import Project
from ser_tune.search import StudySummary, TrialOutcome
from ser_tune.search.worker import OpenStudy, _run
from ser_tune.tracking import ATTEMPT_TAG, MODEL_TAG, TrackingObserver, Workspace

pytestmark = pytest.mark.slow

Run = Callable[..., StudySummary]
ELSEWHERE = ["elsewhere", 1, "another boot", "1"]


def _trials(project: Project) -> list[optuna.trial.FrozenTrial]:
    storage = optuna.storages.RDBStorage(project.storage_url, skip_compatibility_check=True)  # which takes long
    return optuna.load_study(study_name="one", storage=storage).get_trials(deepcopy=False)


@pytest.fixture
def left_running(run: Run, project: Project) -> optuna.Trial:
    """The second trial of a study, which somebody is still running, as far as the database knows."""
    run(1)
    study = optuna.load_study(study_name="one", storage=open_storage(project))
    trial = study.ask()
    note_process(trial)
    trial.suggest_float("optimizer.learning_rate", 1e-3, 3e-2, log=True)
    return trial


def _is_failed_and_run_again(run: Run, recorder: Any, project: Project, dead: optuna.Trial) -> None:
    summary = run(2, **{"study.grace_s": 1})
    assert summary.finished == {0: "COMPLETE", 1: "COMPLETE"}
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
    _write(project, "DELETE FROM trial_user_attributes WHERE key IN ('process', 'heartbeat')")
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
    left_running.set_user_attr("process", ELSEWHERE)
    _is_failed_and_run_again(run, recorder, project, left_running)


def test_the_trial_of_a_process_of_this_machine_that_died_is_failed_and_run_again_at_once(
    run: Run, recorder: Any, project: Project, left_running: optuna.Trial
) -> None:
    dead = subprocess.Popen(["true"])
    dead.wait()
    name, _, *rest = left_running.user_attrs["process"]
    left_running.set_user_attr("process", [name, dead.pid, *rest])
    _is_failed_and_run_again(run, recorder, project, left_running)


def test_a_process_number_is_compared_within_one_boot_and_namespace_only(left_running: optuna.Trial) -> None:
    dead = subprocess.Popen(["true"])
    dead.wait()
    name, number, namespace, started = left_running.user_attrs["process"]
    for process, gone in [
        ([name, number, namespace, started], False),
        ([name, dead.pid, namespace, started], True),
        ([name, dead.pid, "another boot", started], False),
        ([name, dead.pid], False),  # as earlier versions wrote it
        ([name, number, namespace, "1"], True),  # another process has the number now
    ]:
        left_running.set_user_attr("process", process)
        assert is_gone(left_running.study.get_trials()[-1]) == gone


def test_the_trial_of_a_process_that_lives_is_left_alone_and_waited_for(
    run: Run, recorder: Any, left_running: optuna.Trial
) -> None:
    def end() -> None:
        time.sleep(2.5)
        left_running.study.tell(left_running, 0.5)

    with Heartbeat(left_running, 1):
        thread = Thread(target=end)
        thread.start()
        summary = run(2, **{"study.grace_s": 1})
        thread.join()
    assert (summary.complete, summary.finished) == (2, {0: "COMPLETE", 1: "COMPLETE"})
    assert [number for number, *_ in recorder.trials] == [0]


def test_a_watch_that_was_itself_suspended_takes_nobody_for_dead(
    left_running: optuna.Trial, monkeypatch: pytest.MonkeyPatch
) -> None:
    left_running.set_user_attr("process", ELSEWHERE)
    trials, watch, now = left_running.study.get_trials()[-1:], Watch(60), 1000.0
    monkeypatch.setattr("time.monotonic", lambda: now)
    for seconds, dead in [(0, False), (25, False), (25, False), (600, False), (25, False), (25, False), (25, True)]:
        now += seconds
        assert bool(watch.dead(trials)) == dead


def test_a_watch_that_looks_between_long_trials_finds_the_dead(
    left_running: optuna.Trial, monkeypatch: pytest.MonkeyPatch
) -> None:
    left_running.set_user_attr("process", ELSEWHERE)
    trials, watch, now = left_running.study.get_trials()[-1:], Watch(60), 1000.0
    monkeypatch.setattr("time.monotonic", lambda: now)
    assert not watch.dead(trials)
    for _ in range(12):  # as the heartbeat of the trial that this process runs
        now += 10
        watch.stay_awake()
    assert watch.dead(trials)


def test_a_trial_taken_after_its_end_was_told_has_the_run_of_its_last_attempt(run: Run, project: Project) -> None:
    """As of a process whose network was lost between its last fold and its end."""

    class Taken(TrackingObserver):
        taken = False

        def trial_finished(self, outcome: TrialOutcome) -> None:
            super().trial_finished(outcome)
            if not self.taken:
                self.taken = True
                waiting = (one for one in iter(lambda: list(project.outbox.glob("*-000000")), []))
                assert all(waiting)  # until MLflow has the trial, and its model
                study = optuna.load_study(study_name="one", storage=open_storage(project))
                set_attribute(study, study.trials[0], DIED, True)
                study.tell(0, state=TrialState.FAIL)

    workspace = Workspace(project)
    summary = run(1, observer=Taken(workspace))
    experiment = workspace.client.get_experiment_by_name("manifest").experiment_id
    assert summary.finished == {0: "COMPLETE"}
    (only,) = workspace.client.search_runs([experiment], "tags.`ser_tune.trial` != ''")
    assert (only.info.run_name.partition(":")[0], only.info.status) == ("trial 0", "FINISHED")
    assert only.data.tags[ATTEMPT_TAG] == "1"
    (model,) = workspace.client.search_logged_models([experiment])
    assert model.model_id == only.data.tags[MODEL_TAG]


def test_an_end_that_is_told_twice_counts(left_running: optuna.Trial, monkeypatch: pytest.MonkeyPatch) -> None:
    """As where the answer to the first time was lost."""
    storage = left_running.study._storage
    tell = storage.set_trial_state_values

    def twice(*arguments: Any, **keywords: Any) -> bool:
        tell(*arguments, **keywords)
        return tell(*arguments, **keywords)

    monkeypatch.setattr(storage, "set_trial_state_values", twice)
    taken_back = list[bool]()
    objective: Any = partial(lambda value, trial: value, 0.75)
    objective.take_back = lambda: taken_back.append(True)
    failures = ["trial 0: no"]
    _run(
        OpenStudy(left_running.study, StorageLock("sqlite:///none", ""), None, None, failures), left_running, objective
    )
    assert left_running.study.get_trials()[-1].value == 0.75
    assert taken_back == []
    assert failures == []
