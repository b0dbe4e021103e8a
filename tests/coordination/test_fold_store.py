"""Trained folds of trials that have not ended: what is read is what was written, or nothing."""

import math
import os
import random
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from ser_tune.coordination import fold_store
from ser_tune.coordination.fold_store import FoldStore
from ser_tune.errors import NonFiniteLossError, StorageError
from ser_tune.project import Project
from ser_tune.protocol import prepare
from ser_tune.search import Trainer
from ser_tune.training import FittedNetwork, FoldJob

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def made(
    tiny: Callable[..., Any], shared_cache: Path, tmp_path_factory: pytest.TempPathFactory
) -> tuple[Trainer, FoldJob, FittedNetwork]:
    root = tmp_path_factory.mktemp("made")
    project = Project(root, "sqlite://", f"sqlite:///{root}/optuna.db", shared_cache)
    trainer = Trainer(prepare(tiny(**{"training.epochs": 2}), project), shared_cache)
    job = trainer.job(trainer.concrete({}), trainer.prepared.folds[0])
    return trainer, job, trainer.train(job)


@pytest.fixture
def store(tmp_path: Path) -> FoldStore:
    return FoldStore(tmp_path, "folds")


def _retargeted(job: FoldJob, **changes: Any) -> FoldJob:
    return replace(job, data=replace(job.data, targets=replace(job.data.targets, **changes)))


def _entry(tmp_path: Path) -> Path:
    (path,) = (tmp_path / "folds").iterdir()
    return path


def test_what_is_read_is_what_was_written(made: Any, store: FoldStore) -> None:
    _, job, fitted = made
    assert store.get(job) is None
    store.put(job, fitted)
    found = store.get(job)
    assert found is not None
    assert (found.epoch, found.history) == (fitted.epoch, fitted.history)
    assert found.validation.dtype == fitted.validation.dtype
    np.testing.assert_array_equal(found.validation, fitted.validation)
    np.testing.assert_array_equal(found.scaling.shift, fitted.scaling.shift)
    np.testing.assert_array_equal(found.scaling.spread, fitted.scaling.spread)
    weights = zip(found.network.state_dict().items(), fitted.network.state_dict().items(), strict=True)
    assert all(name == same and tensor.equal(twin) for (name, tensor), (same, twin) in weights)
    assert not found.network.training


def test_scores_of_any_metrics_are_kept_to_the_last_digit(made: Any, store: FoldStore) -> None:
    _, job, fitted = made
    scores = {"agreement": -0.1 - 0.2, "error": 5e-324, "spread": math.nan, "wa": 0.0}
    report = replace(fitted.history[0], validation=scores, kept=-1 / 3)
    store.put(job, replace(fitted, history=(report,)))
    found = store.get(job)
    assert found is not None
    assert repr(found.history) == repr((report,))  # NaN is not equal to itself
    assert found.history[0].score == scores["agreement"]


def test_a_fold_without_a_scaling_of_the_training_speakers_is_kept_too(made: Any, store: FoldStore) -> None:
    _, job, fitted = made
    store.put(job, replace(fitted, scaling=None))
    found = store.get(job)
    assert found is not None
    assert found.scaling is None


@pytest.mark.parametrize(
    "other",
    [
        lambda job: replace(job, seed=job.seed + 1),
        lambda job: replace(job, train=job.train[1:]),
        lambda job: replace(job, validation=job.validation[1:]),
        lambda job: replace(job, goal=replace(job.goal, aggregation="majority")),
        lambda job: replace(job, goal=replace(job.goal, metrics=job.goal.metrics[::-1])),
        lambda job: _retargeted(job, values=1 - job.data.targets.values),
        lambda job: _retargeted(job, strata=1 - job.data.targets.strata),
        lambda job: _retargeted(job, names=("b", "a")),
        lambda job: replace(job, data=replace(job.data, features=("elsewhere",))),
        lambda job: replace(job, config=job.config.model_copy(update={"seed": 9})),
        lambda job: replace(
            job,
            config=job.config.model_copy(update={"loss": job.config.loss.model_copy(update={"label_smoothing": 0.1})}),
        ),
    ],
    ids=[
        "seed",
        "train",
        "validation",
        "aggregation",
        "metrics",
        "values",
        "strata",
        "names",
        "features",
        "trial seed",
        "setting",
    ],
)
def test_another_job_is_another_entry(made: Any, store: FoldStore, other: Callable[[FoldJob], FoldJob]) -> None:
    _, job, fitted = made
    store.put(job, fitted)
    assert store.get(other(job)) is None
    assert store.get(job) is not None


def test_another_version_of_the_program_finds_nothing(
    made: Any, store: FoldStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    _, job, fitted = made
    store.put(job, fitted)
    monkeypatch.setattr(fold_store, "code_digest", lambda: "other")
    assert store.get(job) is None


def _cut(content: bytes) -> bytes:
    return content[: len(content) // 2]


def _flip(content: bytes) -> bytes:
    return content[:-100] + bytes([content[-100] ^ 1]) + content[-99:]


@pytest.mark.parametrize("damage", [_cut, _flip, lambda _: b"", lambda _: b"no tensors at all"])
def test_a_damaged_entry_is_ignored_and_removed(
    made: Any, store: FoldStore, tmp_path: Path, damage: Callable[[bytes], bytes]
) -> None:
    _, job, fitted = made
    store.put(job, fitted)
    path = _entry(tmp_path)
    path.write_bytes(damage(path.read_bytes()))
    assert store.get(job) is None
    assert not path.exists()
    store.put(job, fitted)
    assert store.get(job) is not None


def test_every_flipped_bit_of_an_entry_is_seen(
    made: Any, store: FoldStore, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    _, job, fitted = made
    store.put(job, fitted)
    path = _entry(tmp_path)
    content = path.read_bytes()
    rng = random.Random(0)
    header = 8 + int.from_bytes(content[:8], "little")
    for at in [rng.randrange(header) for _ in range(150)] + [rng.randrange(len(content)) for _ in range(50)]:
        path.write_bytes(content[:at] + bytes([content[at] ^ 1 << rng.randrange(8)]) + content[at + 1 :])
        found = store.get(job)
        assert found is None or _same(found, fitted)  # as a space in the header does
    assert f"note: the trained fold in '{path}' is damaged" in caplog.text


def _same(found: FittedNetwork, fitted: FittedNetwork) -> bool:
    one, two = found.network.state_dict(), fitted.network.state_dict()
    return found.history == fitted.history and all(one[name].equal(two[name]) for name in one.keys() | two.keys())


def test_what_is_half_written_is_no_entry(made: Any, store: FoldStore, tmp_path: Path) -> None:
    _, job, fitted = made
    store.put(job, fitted)
    path = _entry(tmp_path)
    half = path.rename(path.with_suffix(".1.partial"))
    assert store.get(job) is None
    # Another process may be writing it, but not for hours
    FoldStore(tmp_path, "other")
    assert half.exists()
    os.utime(half, (time.time(), time.time() - 2 * 3600))
    FoldStore(tmp_path, "other")
    assert not half.exists()


def test_entries_are_removed_when_asked_to_and_when_they_are_old(made: Any, store: FoldStore, tmp_path: Path) -> None:
    _, job, fitted = made
    store.put(job, fitted)
    store.remove([job, job])
    assert store.get(job) is None
    store.put(job, fitted)
    days = 24 * 3600
    for age, there in ((10 * days, True), (20 * days, False)):
        path = _entry(tmp_path)
        os.utime(path, (time.time(), time.time() - age))
        FoldStore(tmp_path, "other")
        assert path.exists() is there


def test_the_folder_of_a_study_that_ended_is_removed(made: Any, store: FoldStore, tmp_path: Path) -> None:
    _, job, fitted = made
    for study, is_empty in (("ended", True), ("interrupted", False)):
        FoldStore(tmp_path, study).put(job, fitted)
        if is_empty:
            FoldStore(tmp_path, study).remove([job])
        os.utime(tmp_path / study, (time.time(), time.time() - 2 * 3600))
    store.put(job, fitted)
    store.remove([job])
    FoldStore(tmp_path, "other")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["folds", "interrupted"]


def test_a_full_disk_is_told_in_one_sentence_and_leaves_nothing(
    made: Any, store: FoldStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    _, job, fitted = made

    def full(path: Path, content: bytes) -> None:
        path.touch()
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "write_bytes", full)
    with pytest.raises(StorageError, match=r"a trained fold cannot be written to .*: No space left on device; make"):
        store.put(job, fitted)
    assert list((tmp_path / "folds").iterdir()) == []


@pytest.fixture
def trained(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Seeds of all folds whose training started."""
    from ser_tune.training import job

    original, seeds = job.fit, list[int]()

    def noted(*arguments: Any, seed: int, **others: Any) -> Any:
        seeds.append(seed)
        return original(*arguments, seed=seed, **others)

    monkeypatch.setattr(job, "fit", noted)
    return seeds


def _stored(project: Project, recorder: Any) -> int:
    return len(list((project.cache / "folds" / recorder.started[-1].study_id).glob("*")))


def test_an_interrupted_trial_goes_on_with_its_next_fold(
    run: Callable[..., Any], recorder: Any, project: Project, trained: list[int], tmp_path: Path
) -> None:
    def interrupt(fold: int, epoch: int) -> None:
        if len(recorder.trials) == 2 and fold == 2:
            raise KeyboardInterrupt

    recorder.on_epoch = interrupt
    assert run(2).interrupted
    assert _stored(project, recorder) == 2
    recorder.on_epoch = lambda fold, epoch: None
    assert run(2).complete == 2
    assert len(trained) == 3 + 3 + 1
    assert len(set(trained)) == 3  # seeds of folds, which all trials of a search share
    assert recorder.stored == [(1, 0), (1, 1)]
    assert recorder.outcomes[2].seconds > sum(report.seconds for _, report in recorder.epochs[3:5])
    assert _stored(project, recorder) == 0  # the trial is stored, and so its folds are not kept

    # The scores are those of a study that nobody interrupted
    assert run(2, name="whole").complete == 2
    through, whole = recorder.outcomes[2], recorder.outcomes[-1]
    assert (through.config, through.scores) == (whole.config, whole.scores)
    for one, other in zip(through.folds, whole.folds, strict=True):
        np.testing.assert_array_equal(one.fitted.validation, other.fitted.validation)


def test_a_failed_trial_of_a_rerun_goes_on_with_its_next_fold(
    tiny: Callable[..., Any], recorder: Any, project: Project, trained: list[int]
) -> None:
    from ser_tune.coordination import Rerun
    from ser_tune.search import run_study

    def fail(fold: int, epoch: int) -> None:
        if fold == 2:
            raise NonFiniteLossError("the loss is nan")

    prepared = prepare(
        tiny(name="again", **{"study.trials": 1, "study.pruner": "none", "training.epochs": 1, "seed": 77}), project
    )
    rerun = Rerun(queue=[{"optimizer.learning_rate": 0.01, "optimizer.weight_decay": 1e-4}])
    recorder.on_epoch = fail
    assert run_study(prepared, project, recorder, rerun=rerun).failed == 1
    recorder.on_epoch = lambda fold, epoch: None
    assert run_study(prepared, project, recorder, rerun=rerun).complete == 1
    assert len(trained) == 3 + 1


def test_a_fold_from_the_store_is_judged_as_if_it_had_been_trained(
    run: Callable[..., Any], recorder: Any, project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    from ser_tune.search import objective

    def interrupt(fold: int, epoch: int) -> None:
        if fold == 1:
            raise KeyboardInterrupt

    recorder.on_epoch = interrupt
    assert run(1, seed=5).interrupted
    monkeypatch.setattr(objective.Reporting, "after_epoch", lambda *_: "no hope")
    assert run(1, seed=5).pruned == 1
    assert (recorder.outcomes[1].state, recorder.outcomes[1].reason) == ("PRUNED", "no hope")
    assert len(recorder.epochs) == 2
