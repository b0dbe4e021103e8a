"""Quick folds of a trial at once in threads: the same numbers and order as one after another, an error in its turn."""

import threading
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from ser_tune.architectures.linear.threads import blas_threads
from ser_tune.device import using_threads
from ser_tune.errors import UndefinedScoreError
from ser_tune.execution import InProcess
from ser_tune.project import Project
from ser_tune.protocol import prepare
from ser_tune.search import Trainer, define_study
from ser_tune.training import EpochReport, FittedNetwork, FoldJob

Told = list[tuple[str, int]]


@pytest.fixture(scope="module")
def solved(corpus_csv: Path, shared_cache: Path) -> Callable[..., tuple[Trainer, list[FoldJob]]]:
    """The trainer of a solved model, and the jobs of its folds: `solved(**settings)`."""

    def _solved(**settings: object) -> tuple[Trainer, list[FoldJob]]:
        flags: dict[str, object] = {"corpus.name": "manifest", "corpus.data": corpus_csv, "model.name": "linear_probe"}
        definition = define_study(None, flags=flags | {"features.name": "logmelspec"} | settings)
        project = Project(shared_cache, "sqlite://", "sqlite://", shared_cache)
        trainer = Trainer(prepare(definition, project), shared_cache)
        config = trainer.concrete({})
        return trainer, [trainer.job(config, fold) for fold in trainer.prepared.folds]

    return _solved


@pytest.fixture(autouse=True)
def two_threads() -> Iterator[None]:
    with using_threads(2):
        yield


def _run(train: Callable[..., FittedNetwork], jobs: list[FoldJob]) -> tuple[list[FittedNetwork], Told]:
    told: Told = []
    results = InProcess(train).run(
        jobs,
        on_epoch=lambda job, report: told.append(("epoch", job)),
        keep=lambda job, _: told.append(("kept", job)),
    )
    return list(results), told


@pytest.mark.parametrize("objective", ["ridge", "squared_hinge", "logistic"])
def test_folds_at_once_are_those_of_one_after_another(solved: Callable[..., Any], objective: str) -> None:
    trainer, jobs = solved(**{"model.objective": objective, "model.layers": "weighted"})
    fitted, told = _run(trainer.train, jobs)
    assert told == [(what, job) for job in range(len(jobs)) for what in ("epoch", "kept")]
    for job, found in zip(jobs, fitted, strict=True):
        alone = trainer.train(job)
        np.testing.assert_array_equal(found.validation, alone.validation)
        for tensor, twin in zip(found.network.parameters(), alone.network.parameters(), strict=True):
            assert tensor.equal(twin)


def test_two_quick_folds_run_at_once(solved: Callable[..., Any]) -> None:
    trainer, jobs = solved()
    both = threading.Barrier(2, timeout=60)

    def train(job: FoldJob, on_epoch: Callable[[EpochReport], None]) -> FittedNetwork:
        both.wait()
        return trainer.train(job, on_epoch)

    assert len(_run(train, jobs[:2])[0]) == 2


def test_folds_of_another_number_of_threads_are_trained_in_this_thread(solved: Callable[..., Any]) -> None:
    trainer, jobs = solved()
    training = jobs[0].config.training.model_copy(update={"threads": 1})
    config = jobs[0].config.model_copy(update={"training": training})
    here = list[bool]()

    def train(job: FoldJob, on_epoch: Callable[[EpochReport], None]) -> FittedNetwork:
        here.append(threading.current_thread() is threading.main_thread())
        return trainer.train(job, on_epoch)

    _run(train, [replace(job, config=config) for job in jobs])
    assert here == [True] * len(jobs)


def test_an_error_ends_the_run_when_its_turn_comes(solved: Callable[..., Any]) -> None:
    trainer, jobs = solved()
    told, begun = Told(), list[FoldJob]()

    def train(job: FoldJob, on_epoch: Callable[[EpochReport], None]) -> FittedNetwork:
        begun.append(job)
        if job is jobs[1]:
            raise UndefinedScoreError("no score")
        return trainer.train(job, on_epoch)

    results = InProcess(train).run(
        jobs, on_epoch=lambda job, _: told.append(("epoch", job)), keep=lambda job, _: told.append(("kept", job))
    )
    next(results)
    with pytest.raises(UndefinedScoreError, match="no score"):
        next(results)
    assert told == [("epoch", 0), ("kept", 0)]
    assert not [thread for thread in threading.enumerate() if thread.name.startswith("fold")]


def test_folds_are_not_begun_once_the_results_are_not_wanted(solved: Callable[..., Any]) -> None:
    trainer, jobs = solved()
    begun, more = list[FoldJob](), threading.Event()

    def train(job: FoldJob, on_epoch: Callable[[EpochReport], None]) -> FittedNetwork:
        begun.append(job)
        if job is not jobs[0]:
            more.wait(60)
        return trainer.train(job, on_epoch)

    results = InProcess(train).run(jobs, on_epoch=lambda job, _: None, keep=lambda job, _: None)
    next(results)
    threading.Timer(0.2, more.set).start()
    results.close()
    assert len(begun) <= 3  # the first, and one in each thread


def test_large_inputs_and_networks_that_descend_are_not_quick(
    solved: Callable[..., Any], tiny: Callable[..., Any], shared_cache: Path
) -> None:
    _, (job, *_) = solved()
    assert job.is_quick
    assert not replace(job, train=np.zeros(10**6, dtype=np.int64)).is_quick
    trainer = Trainer(prepare(tiny(), Project(shared_cache, "sqlite://", "sqlite://", shared_cache)), shared_cache)
    assert not trainer.job(trainer.concrete({}), trainer.prepared.folds[0]).is_quick


def test_fits_of_another_number_of_blas_threads_wait() -> None:
    entered = threading.Event()

    def enter(count: int) -> None:
        with blas_threads(count):
            entered.set()

    with blas_threads(1):
        other = threading.Thread(target=enter, args=(2,))
        other.start()
        assert not entered.wait(0.1)
        with blas_threads(1):
            pass
        beside = threading.Thread(target=enter, args=(1,))
        beside.start()
        assert entered.wait(10)
    for thread in (other, beside):
        thread.join(10)
        assert not thread.is_alive()
