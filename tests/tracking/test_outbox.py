"""The outbox on disk, and its delivery to a real MLflow database."""

import os
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest
from mlflow import MlflowClient
from mlflow.entities import Run
from mlflow.exceptions import MlflowException

from ser_tune.errors import StorageError
from ser_tune.project import Project
from ser_tune.tracking import (
    ATTEMPT_TAG,
    MODEL_TAG,
    STUDY_NAME_TAG,
    STUDY_TAG,
    TRIAL_TAG,
    Workspace,
    deliver_waiting,
    find_runs,
    open_delivered,
    what_was_deleted,
)
from ser_tune.tracking.courier import Courier
from ser_tune.tracking.delivery import Delivery
from ser_tune.tracking.failures import TrackingClient
from ser_tune.tracking.outbox import (
    ARTIFACTS,
    MODEL,
    StudyRecord,
    TrialRecord,
    read_record,
    remove_record,
    sweep,
    waiting,
    waiting_trials,
    write_record,
)

STUDY = "5" * 32
TRIAL = TrialRecord(
    study_id=STUDY,
    study="mine",
    corpus="emodb",
    number=3,
    tags={STUDY_TAG: STUDY, TRIAL_TAG: "3"},
    params={"model.name": "alex_net"},
    metrics=[("validation_uar", 0.5, 1_700_000_000_000, 0), ("loss", float("nan"), 1_700_000_000_000, 1)],
    dataset={"name": "emodb", "digest": "0", "source_type": "local", "source": "emodb", "profile": "{}"},
    status="FINISHED",
    began_ms=1_700_000_000_000,
    ended_ms=1_700_000_009_000,
    keep_models="all",
    title="trial 3: learning_rate 0.01",
    marked=True,
)
TOTALS = StudyRecord(
    study_id=STUDY,
    study="mine",
    corpus="emodb",
    tags={"ser_tune.best_trial": "3"},
    metrics=[("trials_complete", 1.0, 1_700_000_000_000, 0)],
    status="FINISHED",
    ended_ms=1_700_000_010_000,
    statuses=[(3, "FINISHED")],
)


def _numbered(number: int, **changes: Any) -> TrialRecord:
    return replace(TRIAL, number=number, tags={STUDY_TAG: STUDY, TRIAL_TAG: str(number)}, **changes)


def _put(outbox: Path, record: Any) -> Path:
    with write_record(outbox, record) as folder:
        (folder / ARTIFACTS).mkdir()
        (folder / ARTIFACTS / "config.yaml").write_text("a: 1")
    return outbox / str(record.name)


def test_a_record_is_read_as_it_was_written(tmp_path: Path) -> None:
    for record in (_numbered(3, metrics=TRIAL.metrics[:1]), TOTALS):
        folder = _put(tmp_path, record)
        assert read_record(folder) == record
        assert (folder / ARTIFACTS / "config.yaml").read_text() == "a: 1"


def test_trials_are_delivered_by_number_and_totals_last(tmp_path: Path) -> None:
    for record in (TOTALS, _numbered(10), _numbered(2), replace(TRIAL, study_id="6" * 32)):
        _put(tmp_path, record)
    names = [path.name.partition("-")[2] for path in waiting(tmp_path, STUDY)]
    assert names == ["000002", "000010", "totals"]
    assert waiting_trials(tmp_path, STUDY) == {2, 10}
    assert len(waiting(tmp_path)) == 4


def test_what_was_only_half_written_or_half_removed_does_not_wait_and_is_swept_later(tmp_path: Path) -> None:
    whole = _put(tmp_path, TRIAL)
    half = tmp_path / f"{STUDY}-000004.77.partial"
    half.mkdir()
    (half / "record.json").write_text("{}")
    removed = tmp_path / f"{STUDY}-000005"
    removed.mkdir()
    assert waiting(tmp_path) == [whole]
    sweep(tmp_path)
    assert half.exists()  # somebody may be writing it
    for path in (half, removed):
        os.utime(path, (time.time() - 7200,) * 2)
    sweep(tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == [whole.name]


def test_a_full_disk_leaves_no_half_of_a_record(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="No space left"):
        _put(tmp_path, TRIAL)
    assert not list(tmp_path.iterdir())


def test_a_record_that_another_process_delivered_is_gone(tmp_path: Path) -> None:
    folder = _put(tmp_path, TRIAL)
    remove_record(folder)
    assert read_record(folder) is None
    assert not folder.exists()


@dataclass(frozen=True)
class Store:
    """A tracking store that has the study's run."""

    project: Project
    workspace: Workspace
    experiment: str

    def put(self, *records: Any) -> None:
        for record in records:
            _put(self.project.outbox, record)

    def trials(self) -> dict[int, Run]:
        parent, trials = find_runs(self.workspace, self.experiment, STUDY)
        assert parent is not None
        assert len(self.workspace.client.search_runs([self.experiment])) == len(trials) + 1  # each once
        return trials


@pytest.fixture
def store(project: Project) -> Store:
    workspace = Workspace(project)
    experiment = workspace.experiment("emodb")
    workspace.client.create_run(experiment, tags={STUDY_TAG: STUDY, STUDY_NAME_TAG: "mine"})
    return Store(project, workspace, experiment)


def test_a_delivered_trial_is_a_run_with_its_own_times(store: Store) -> None:
    store.put(TRIAL, TOTALS)
    assert deliver_waiting(store.workspace) == {"mine": 1}
    run = store.trials()[3]
    parent, _ = find_runs(store.workspace, store.experiment, STUDY)
    assert parent is not None
    assert (run.info.run_name, run.info.status) == (TRIAL.title, "FINISHED")
    assert (run.info.start_time, run.info.end_time) == (TRIAL.began_ms, TRIAL.ended_ms)
    assert run.data.tags["mlflow.parentRunId"] == parent.info.run_id
    assert run.data.params == {"model.name": "alex_net"}
    assert [file.path for file in store.workspace.client.list_artifacts(run.info.run_id)] == ["config.yaml"]
    assert (parent.info.status, parent.data.metrics) == ("FINISHED", {"trials_complete": 1.0})
    assert parent.data.tags["ser_tune.best_trial"] == "3"
    assert not waiting(store.project.outbox)
    assert deliver_waiting(store.workspace) == {}


BREAKS = (
    *((MlflowClient, call) for call in ("create_run", "log_batch", "log_inputs", "set_terminated")),
    (Workspace, "store_files"),
)


@pytest.mark.slow
@pytest.mark.parametrize(("of", "call"), BREAKS, ids=[call for _, call in BREAKS])
@pytest.mark.parametrize("after", [False, True], ids=["before", "after"])
def test_a_delivery_that_breaks_off_is_completed_and_makes_no_second_run(
    store: Store, monkeypatch: pytest.MonkeyPatch, of: type, call: str, after: bool
) -> None:
    store.put(TRIAL)
    original = getattr(of, call)

    def broken(*arguments: Any, **named: Any) -> None:
        if after:
            original(*arguments, **named)
        raise MlflowException("no answer")

    with monkeypatch.context() as patch:
        patch.setattr(of, call, broken)
        with pytest.raises(StorageError, match=r"failed: no answer; 1 records wait in '.*outbox' for `ser-tune sync`"):
            deliver_waiting(store.workspace, STUDY)
    assert len(waiting(store.project.outbox)) == 1
    open_delivered(store.project)
    (run,) = store.trials().values()
    assert run.info.status == "FINISHED"
    assert run.data.metrics["validation_uar"] == 0.5
    assert len(store.workspace.client.get_metric_history(run.info.run_id, "validation_uar")) == 1
    inputs = store.workspace.client.get_run(run.info.run_id).inputs
    assert inputs is not None
    assert len(inputs.dataset_inputs) == 1


def test_a_trial_is_delivered_with_few_requests_and_none_of_them_reads_a_run(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[str] = []
    for name, call in list(vars(TrackingClient).items()):
        if not name.startswith("_"):
            monkeypatch.setattr(
                TrackingClient, name, lambda *a, name=name, call=call, **k: (asked.append(name), call(*a, **k))[1]
            )
    delivery = Delivery(store.workspace)
    store.put(_numbered(0))
    delivery.deliver(STUDY)  # finds the study's own run
    asked.clear()
    store.put(_numbered(1))
    delivery.deliver(STUDY)
    assert sorted(asked) == ["create_run", "log_batch", "log_inputs", "set_terminated"]
    store.put(_numbered(1, status="FAILED"), _numbered(2, marked=False))  # taken back, and of an earlier version
    delivery.deliver(STUDY)
    assert asked.count("create_run") == 2  # of records 1 and 2, once each
    assert {number: run.info.status for number, run in store.trials().items()} == {
        0: "FINISHED",
        1: "FAILED",
        2: "FINISHED",
    }


def test_a_model_that_was_half_stored_is_replaced(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    made: list[str] = []

    def stored(workspace: Workspace, run: Run, folder: Path, **named: Any) -> str:
        assert (folder / "MLmodel").read_text() == "m"
        model = workspace.client.create_logged_model(run.info.experiment_id, source_run_id=run.info.run_id, **named)
        made.append(model.model_id)
        if len(made) == 1:
            raise MlflowException("no answer")
        return str(model.model_id)

    monkeypatch.setattr("ser_tune.tracking.package.log_saved", stored)
    with write_record(store.project.outbox, TRIAL) as folder:
        (folder / ARTIFACTS).mkdir()
        (folder / MODEL).mkdir()
        (folder / MODEL / "MLmodel").write_text("m")
    with pytest.raises(StorageError, match="no answer"):
        deliver_waiting(store.workspace)
    deliver_waiting(store.workspace)
    assert store.trials()[3].data.tags[MODEL_TAG] == made[1]
    assert [model.model_id for model in store.workspace.client.search_logged_models([store.experiment])] == [made[1]]


def test_a_trial_that_was_killed_before_optuna_was_told_is_corrected(store: Store) -> None:
    store.put(TRIAL, replace(TOTALS, statuses=[(3, "FAILED")]))
    deliver_waiting(store.workspace)
    assert store.trials()[3].info.status == "FAILED"


LATE = (("FINISHED", None), ("FINISHED", 7), ("FAILED", None))  # by a process that another took for dead


@pytest.mark.parametrize("ends", [(("FAILED", None), ("FINISHED", 7)), LATE, (*LATE[1:], LATE[0], LATE[2])])
@pytest.mark.parametrize("at_once", [False, True])
def test_a_trial_has_the_run_of_its_last_attempt_and_nobody_misses_another(
    store: Store, ends: tuple[tuple[str, int | None], ...], at_once: bool
) -> None:
    for status, attempt in ends:
        again = {} if attempt is None else {ATTEMPT_TAG: str(attempt)}
        record = _numbered(3, status=status, attempt=attempt)
        store.put(replace(record, tags={**record.tags, STUDY_NAME_TAG: "mine", **again}))
        if not at_once:
            deliver_waiting(store.workspace)
    assert waiting_trials(store.project.outbox, STUDY) == ({3} if at_once else set())
    deliver_waiting(store.workspace)
    runs = store.workspace.client.search_runs([store.experiment], f"tags.`{TRIAL_TAG}` = '3'")
    assert [(run.info.status, run.data.tags[ATTEMPT_TAG]) for run in runs] == [("FINISHED", "7")]
    assert what_was_deleted(store.workspace, "mine") == ""


def test_what_is_meant_for_another_store_waits_for_it(store: Store) -> None:
    store.put(replace(TRIAL, study_id="6" * 32), replace(TRIAL, corpus="iemocap"), _numbered(4))
    assert deliver_waiting(store.workspace) == {"mine": 1}
    assert sorted(store.trials()) == [4]
    assert len(waiting(store.project.outbox)) == 2


def _until(true: Callable[[], bool]) -> None:
    for _ in range(200):
        if true():
            return
        time.sleep(0.05)
    raise TimeoutError


class Failing(Delivery):
    """Fails until it is told not to."""

    error: Exception | None = None

    def deliver(self, study_id: str | None = None) -> Any:
        if self.error is not None:
            raise self.error
        return super().deliver(study_id)


def test_a_courier_delivers_when_it_is_told_and_tries_again_when_the_store_answers(store: Store) -> None:
    delivery = Failing(store.workspace)
    courier = Courier(delivery, store.project.outbox, STUDY)
    store.put(_numbered(0))
    courier.notify()
    _until(lambda: not waiting(store.project.outbox))
    delivery.error = StorageError("no answer")
    store.put(_numbered(1), _numbered(2))
    courier.notify()
    _until(lambda: courier._failures > 0)
    assert len(waiting(store.project.outbox)) == 2
    delivery.error = None
    courier.close(patience_s=10.0)
    assert sorted(store.trials()) == [0, 1, 2]


def test_a_courier_gives_up_after_a_while_and_what_waits_waits_on(store: Store) -> None:
    delivery = Failing(store.workspace)
    delivery.error = StorageError("no answer")
    courier = Courier(delivery, store.project.outbox, STUDY)
    store.put(TRIAL)
    started = time.monotonic()
    courier.close(patience_s=0.5)
    assert 0.4 < time.monotonic() - started < 5
    assert len(waiting(store.project.outbox)) == 1


def test_a_mistake_of_ours_in_the_thread_is_raised_in_the_study(store: Store) -> None:
    delivery = Failing(store.workspace)
    delivery.error = ZeroDivisionError()
    courier = Courier(delivery, store.project.outbox, STUDY)
    with pytest.raises(ZeroDivisionError):
        courier.close(patience_s=0.0)
    with pytest.raises(ZeroDivisionError):
        courier.notify()
