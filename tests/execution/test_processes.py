"""Folds of one trial in processes: the same numbers, pruning and failures as one after another; nothing lost."""

import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import psutil
import pytest

from ser_tune.errors import ExecutionError, StorageError
from ser_tune.execution import Executor, InProcess, Processes
from ser_tune.project import Project
from ser_tune.protocol import prepare
from ser_tune.search import StudyObserver, Trainer, run_study
from ser_tune.training import EpochReport, FittedNetwork, FoldJob

pytestmark = pytest.mark.slow

FOLDS: dict[str, object] = {"study.parallel": "folds", "study.workers": 2, "training.threads": 1}


@pytest.fixture(scope="module")
def trainer(tiny: Callable[..., Any], shared_cache: Path) -> Trainer:
    settings = {"training.epochs": 2, "training.threads": 1}
    project = Project(shared_cache, "sqlite://", "sqlite://", shared_cache)
    return Trainer(prepare(tiny(**settings), project), shared_cache)


@pytest.fixture(scope="module")
def jobs(trainer: Trainer) -> list[FoldJob]:
    config = trainer.concrete({})
    return [trainer.job(config, fold) for fold in trainer.prepared.folds]


@pytest.fixture(scope="module")
def processes(shared_cache: Path) -> Iterator[Processes]:
    """Started once: what one test leaves in the line must not reach the next."""
    executor = Processes(2, shared_cache / "features")
    yield executor
    executor.close()
    assert not _children()


def _children() -> list[psutil.Process]:
    """Processes of the pool, but for multiprocessing's own tracker and its server that forks."""
    family = [one for one in psutil.Process().children() if one.status() != psutil.STATUS_ZOMBIE]
    own = ("multiprocessing.resource_tracker", "multiprocessing.forkserver")
    return [one for one in family if not any(name in " ".join(one.cmdline()) for name in own)]


@pytest.fixture
def nothing_left() -> Iterator[None]:
    """No process of this test outlives it."""
    before = {one.pid for one in _children()}
    yield
    assert {one.pid for one in _children()} <= before


def _run(executor: Executor, jobs: list[FoldJob]) -> tuple[list[FittedNetwork], list[tuple[int, int]], list[int]]:
    told, kept = list[tuple[int, int]](), list[int]()
    results = executor.run(
        jobs, on_epoch=lambda job, report: told.append((job, report.epoch)), keep=lambda job, _: kept.append(job)
    )
    return list(results), told, kept


def _assert_same(one: FittedNetwork, other: FittedNetwork) -> None:
    np.testing.assert_array_equal(one.validation, other.validation)
    assert (one.epoch, _losses(one)) == (other.epoch, _losses(other))
    weights = zip(one.network.state_dict().values(), other.network.state_dict().values(), strict=True)
    assert all(tensor.equal(twin) for tensor, twin in weights)


def _losses(fitted: FittedNetwork) -> list[tuple[float, float]]:
    return [(report.train_loss, report.validation_loss) for report in fitted.history]


def test_networks_and_epochs_are_those_of_one_process(
    processes: Processes, trainer: Trainer, jobs: list[FoldJob]
) -> None:
    here, told_here, _ = _run(InProcess(trainer.train), jobs)
    there, told_there, kept = _run(processes, jobs)
    for one, other in zip(here, there, strict=True):
        _assert_same(one, other)
    assert told_there == told_here == [(job, epoch) for job in range(3) for epoch in (1, 2)]
    assert sorted(kept) == [0, 1, 2]
    # What was left of an earlier trial does not reach the next
    results = processes.run(jobs, on_epoch=lambda *_: None, keep=lambda *_: None)
    next(results)
    results.close()
    again, told_again, _ = _run(processes, jobs[:1])
    _assert_same(again[0], here[0])
    assert told_again == [(0, 1), (0, 2)]


def test_a_failure_is_raised_in_its_turn_and_says_where(processes: Processes, jobs: list[FoldJob]) -> None:
    gone = replace(jobs[1], data=replace(jobs[1].data, features=("gone",)))
    kept: list[int] = []
    results = processes.run([jobs[0], gone], on_epoch=lambda *_: None, keep=lambda job, _: kept.append(job))
    next(results)
    with pytest.raises(StorageError, match=r"the cached features in '.*gone' are gone") as raised:
        next(results)
    assert "in train_fold" in "".join(raised.value.__notes__)
    assert kept == [0]


def test_folds_of_a_killed_process_are_trained_again_and_finished_ones_are_not(
    processes: Processes, jobs: list[FoldJob]
) -> None:
    kept: list[int] = []

    def kill_once(job: int, report: EpochReport) -> None:
        if len(killed) == 0 and job == 1:
            killed.extend(one.pid for one in _children())
            os.kill(killed[0], signal.SIGKILL)

    killed: list[int] = []
    long = [replace(job, config=_longer(job)) for job in jobs]
    results = list(processes.run(long, on_epoch=kill_once, keep=lambda job, _: kept.append(job)))
    assert len(results) == 3
    assert killed
    assert sorted(kept) == [0, 1, 2]


def test_a_process_that_is_killed_between_trials_is_replaced(processes: Processes, jobs: list[FoldJob]) -> None:
    _run(processes, jobs[:1])
    (idle, *_) = _children()
    idle.kill()
    idle.wait(10)
    results, _, kept = _run(processes, jobs[:1])
    assert len(results) == len(kept) == 1


def test_a_process_that_is_killed_again_and_again_is_told_in_one_sentence(
    shared_cache: Path, jobs: list[FoldJob], monkeypatch: pytest.MonkeyPatch
) -> None:
    from ser_tune.execution import processes as module

    monkeypatch.setattr(module, "RETRIES", 1)
    executor, killed = Processes(1, shared_cache / "features"), set[int]()

    def kill(job: int, report: EpochReport) -> None:
        for one in _children():
            if one.pid not in others:
                killed.add(one.pid)
                with suppress(psutil.NoSuchProcess):
                    one.kill()

    others = {one.pid for one in _children()}
    endless = replace(jobs[0], config=_longer(jobs[0], epochs=1000))
    with pytest.raises(ExecutionError, match="was ended from outside 2 times; where memory is short, pass fewer"):
        list(executor.run([endless], on_epoch=kill, keep=lambda *_: None))
    assert len(killed) == 2


def _longer(job: FoldJob, epochs: int = 30) -> Any:
    return job.config.model_copy(update={"training": job.config.training.model_copy(update={"epochs": epochs})})


@pytest.mark.usefixtures("nothing_left")
def test_a_study_ends_the_same_however_its_folds_are_trained(
    tiny: Callable[..., Any], project: Project, recorder: Any
) -> None:
    # Racing prunes between epochs and between folds: decisions are the same too
    quick = {"study.trials": 6, "training.epochs": 2, "study.race_error": 0.99, "study.confirm": 0.0, "seed": 3}
    told = []
    for name, settings in (("here", {"training.threads": 1}), ("there", FOLDS)):
        prepared = prepare(tiny(name=name, **quick, **settings), project)
        run_study(prepared, project, recorder)
        told.append(
            [
                (
                    one.number,
                    one.state,
                    one.reason,
                    one.scores and one.scores["uar"].value,
                    [list(map(_loss, fold.fitted.history)) for fold in one.folds],
                )
                for one in recorder.outcomes
            ]
        )
        told[-1].append([(fold, report.epoch) for fold, report in recorder.epochs])
        recorder.outcomes.clear()
        recorder.epochs.clear()
    assert told[0] == told[1]
    assert {"PRUNED", "COMPLETE"} == {one[1] for one in told[0][:-1]}


def _loss(report: EpochReport) -> float:
    return report.validation_loss


@pytest.mark.usefixtures("nothing_left")
def test_an_interrupted_trial_keeps_the_folds_that_have_ended(
    tiny: Callable[..., Any], project: Project, recorder: Any
) -> None:
    quick = {"name": "one", "study.trials": 1, "study.pruner": "none", "training.epochs": 1, "seed": 11, **FOLDS}

    def interrupt(fold: int, epoch: int) -> None:
        if fold == 1:
            raise KeyboardInterrupt

    recorder.on_epoch = interrupt
    prepared = prepare(tiny(**quick), project)
    assert run_study(prepared, project, recorder).interrupted
    recorder.on_epoch = lambda fold, epoch: None
    # Whoever goes on finds them, however it trains
    here = {**quick, "study.parallel": "trials", "study.workers": 1}
    assert run_study(prepare(tiny(**here), project), project, recorder).complete == 1
    stored = [fold for _, fold in recorder.stored]
    assert stored[0] == 0  # and perhaps others, which were in flight


HELPLESS = """
import sys
from pathlib import Path
from ser_tune.project import Project
from ser_tune.protocol import prepare
from ser_tune.search import StudyObserver, define_study, run_study


class Tell(StudyObserver):
    def epoch_finished(self, trial, fold, report):
        print("epoch", flush=True)


if __name__ == "__main__":
    flags = {
        "corpus.name": "manifest", "corpus.data": sys.argv[2], "training.epochs": 1000, "study.trials": 1,
        "study.parallel": "folds", "study.workers": 2,
    }
    run_study(prepare(define_study(Path(sys.argv[1]), flags=flags), Project.locate()), Project.locate(), Tell())
"""


def test_processes_end_with_a_parent_that_was_killed(
    study_file: Path, corpus_csv: Path, project: Project, tmp_path: Path
) -> None:
    script = tmp_path / "helpless.py"
    script.write_text(HELPLESS, encoding="utf-8")
    command = [sys.executable, script, study_file, corpus_csv]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as parent:
        assert parent.stdout is not None
        assert parent.stdout.readline() == "epoch\n"
        family = psutil.Process(parent.pid).children(recursive=True)
        assert len(family) >= 2
        parent.kill()
    _, alive = psutil.wait_procs(family, timeout=10)
    assert not alive


@pytest.mark.usefixtures("nothing_left")
def test_an_executor_of_a_study_that_trains_nothing_starts_nothing(tiny: Callable[..., Any], project: Project) -> None:
    trainer = Trainer(prepare(tiny(**FOLDS), project), project.cache)
    assert isinstance(trainer.executor, Processes)


def test_a_study_goes_on_with_the_threads_that_it_started_with(
    tiny: Callable[..., Any], project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    import torch

    quick = {"name": "one", "training.epochs": 1, "study.pruner": "none", "study.confirm": 0.0}
    before = torch.get_num_threads()
    observer = _Devices()
    try:
        torch.set_num_threads(2)
        run_study(prepare(tiny(**quick, **{"study.trials": 1}), project), project, observer)
        torch.set_num_threads(1)
        run_study(prepare(tiny(**quick, **{"study.trials": 2}), project), project, observer)
        assert torch.get_num_threads() == 1
    finally:
        torch.set_num_threads(before)
    assert observer.threads == [2, 2]


class _Devices(StudyObserver):
    def __init__(self) -> None:
        self.threads: list[int] = []

    def trial_started(self, number: int, config: Any, sampled: Any) -> None:
        self.threads.append(config.training.threads)
