"""A fold's job: plain data that any process can train, to the same numbers."""

import pickle
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from ser_tune.project import Project
from ser_tune.protocol import prepare
from ser_tune.search import Trainer
from ser_tune.training import DataReader, FittedNetwork, FoldJob, train_fold
from tests.warm_processes import warm_context

COPIED: dict[str, object] = {"perturbation.copies": 1, "perturbation.noise_snr_db": 10}


@pytest.fixture
def trainer(tiny: Callable[..., Any], project: Project) -> Trainer:
    return Trainer(prepare(tiny(**COPIED, **{"training.epochs": 2}), project), project.cache)


def _train(pickled: bytes, cache: Path) -> FittedNetwork:
    return train_fold(pickle.loads(pickled), DataReader(cache))


def _refuse_differences(one: FittedNetwork, other: FittedNetwork) -> None:
    np.testing.assert_array_equal(one.validation, other.validation)
    assert one.epoch == other.epoch
    assert [report.validation_loss for report in one.history] == [report.validation_loss for report in other.history]
    for (name, tensor), (same, twin) in zip(
        one.network.state_dict().items(), other.network.state_dict().items(), strict=True
    ):
        assert name == same
        assert tensor.equal(twin)


def test_a_job_is_the_same_after_pickling(trainer: Trainer) -> None:
    job = trainer.job(trainer.concrete({}, seed=3), trainer.prepared.folds[1])
    again: FoldJob = pickle.loads(pickle.dumps(job))
    assert again.config == job.config
    assert type(again.config) is type(job.config)
    assert (again.seed, again.goal, again.data.features) == (job.seed, job.goal, job.data.features)
    for side in ("train", "validation"):
        np.testing.assert_array_equal(getattr(again, side), getattr(job, side))


def test_a_job_is_small(trainer: Trainer) -> None:
    # Features are named, not sent
    assert len(pickle.dumps(trainer.job(trainer.concrete({}), trainer.prepared.folds[0]))) < 10_000


@pytest.mark.slow
def test_another_process_trains_the_same_network(trainer: Trainer, project: Project) -> None:
    job = trainer.job(trainer.concrete({}), trainer.prepared.folds[0])
    with ProcessPoolExecutor(1, mp_context=warm_context()) as pool:
        there = pool.submit(_train, pickle.dumps(job), project.cache / "features").result()
    _refuse_differences(trainer.train(job), there)


def test_only_the_features_of_the_last_job_are_kept(trainer: Trainer, project: Project) -> None:
    job, read = trainer.job(trainer.concrete({}), trainer.prepared.folds[0]), DataReader(project.cache / "features")
    data = read(job.data, job.config)
    assert len(data.copies) == 1
    assert read(job.data, job.config).features is data.features
    clean = job.config.model_copy(update={"perturbation": type(job.config.perturbation)()})
    alone = trainer.job(clean, trainer.prepared.folds[0])
    assert read(alone.data, clean).features is data.features
    assert read(alone.data, clean).copies == ()
    assert read(job.data, job.config).copies[0] is not data.copies[0]
