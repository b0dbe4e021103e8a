"""Folds on a Ray cluster of two nodes on this machine: the same numbers, without a shared folder, past a dead node."""

from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from ser_tune.errors import AudioError, ConfigError, ExecutionError
from ser_tune.execution import Ray
from ser_tune.features import FEATURE_SETS, Extraction, extract_features
from ser_tune.project import Project
from ser_tune.protocol import prepare
from ser_tune.search import StudyObserver, Trainer, run_study
from ser_tune.training import EpochReport

pytest.importorskip("ray", reason="needs the extra ray")
pytestmark = [
    pytest.mark.slow,
    pytest.mark.filterwarnings("ignore::ResourceWarning", "ignore::pytest.PytestUnraisableExceptionWarning"),
]


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    """A head that trains nothing, and two nodes of one CPU that share no folder with anybody."""
    from ray.cluster_utils import Cluster

    cluster = Cluster(initialize_head=True, head_node_args={"num_cpus": 0})
    with pytest.MonkeyPatch.context() as patch:
        cluster.caches = [tmp_path_factory.mktemp("node"), tmp_path_factory.mktemp("node")]
        for cache in cluster.caches:
            patch.setenv("SER_TUNE_CACHE", str(cache))
            cluster.add_node(num_cpus=1)
    yield cluster
    cluster.shutdown()


def test_a_study_on_ray_outlives_a_node_and_trains_no_fold_twice_that_had_ended(
    cluster: Any, tiny: Callable[..., Any], project: Project, recorder: Any
) -> None:
    quick: dict[str, object] = {"study.trials": 2, "training.epochs": 3, "study.pruner": "none", "study.confirm": 0.0}
    here = prepare(tiny(name="here", **quick, **{"training.threads": 1}), project)
    assert run_study(here, project, recorder).complete == 2
    scores = [_numbers(one) for one in recorder.outcomes]
    recorder.outcomes.clear()

    class Killer(StudyObserver):
        folds: list[tuple[int, int]] = []  # noqa: RUF012 - one object

        def fold_finished(self, trial: int, fold: Any, *, stored: bool) -> None:
            self.folds.append((trial, fold.fold.number))
            if self.folds[-1] == (1, 0):  # its other folds are on their way
                cluster.remove_node(list(cluster.worker_nodes)[-1], allow_graceful=False)

    from ser_tune.search import Fanout

    settings = {"study.executor": "ray", "study.ray_address": cluster.address}
    there = prepare(tiny(name="there", **quick, **settings), project)
    killer = Killer()
    summary = run_study(there, project, Fanout(recorder, killer))
    cluster.wait_for_nodes(timeout=60)  # the next test must not be put on the node that is gone
    assert (summary.complete, summary.failed, len(summary.finished)) == (2, 0, 2)
    assert killer.folds == [(trial, fold) for trial in range(2) for fold in range(3)]
    assert [_numbers(one) for one in recorder.outcomes] == scores
    # Features were sent to both nodes
    assert all(list((cache / "features").glob("*/frames.bin")) for cache in cluster.caches)


def _numbers(outcome: Any) -> Any:
    return [
        (fold.fitted.validation.tolist(), [report.validation_loss for report in fold.fitted.history])
        for fold in outcome.folds
    ]


def test_a_trial_is_given_up_while_its_folds_are_trained(
    cluster: Any, tiny: Callable[..., Any], project: Project
) -> None:
    trainer = Trainer(prepare(tiny(**{"training.threads": 1}), project), project.cache)
    config = trainer.concrete({})
    quick = [trainer.job(config, fold) for fold in trainer.prepared.folds]
    endless = config.model_copy(update={"training": config.training.model_copy(update={"epochs": 1000})})
    executor, kept = Ray(cluster.address, project.cache / "features"), list[int]()

    def give_up(job: int, report: EpochReport) -> None:
        raise KeyError(report.epoch)

    try:
        jobs = [trainer.job(endless, fold) for fold in trainer.prepared.folds]
        with pytest.raises(KeyError, match="1"):
            list(executor.run(jobs, on_epoch=give_up, keep=lambda job, _: kept.append(job)))
        assert not kept
        # Nodes are free for the next trial, which is told nothing of the last
        told: list[tuple[int, int]] = []
        results = executor.run(
            quick, on_epoch=lambda job, report: told.append((job, report.epoch)), keep=lambda job, _: kept.append(job)
        )
        assert len(list(results)) == 3
        assert told == [(job, epoch) for job in range(3) for epoch in (1, 2, 3)]
    finally:
        executor.close()


def test_features_are_those_that_this_process_extracts(
    cluster: Any, tiny: Callable[..., Any], project: Project, tmp_path: Path
) -> None:
    prepared = prepare(tiny(), project)
    settings = prepared.definition.config.features
    feature_set = FEATURE_SETS.get(settings.name)
    wanted, lost = Extraction(prepared.corpus, feature_set, settings), list[Any]()
    executor, told = Ray(cluster.address, tmp_path), list[int]()

    def lose_a_node(done: int, total: int) -> None:
        if done == 4:  # tasks are on their way
            lost.extend(cluster.worker_nodes)
            cluster.add_node(num_cpus=1, num_gpus=1)
            cluster.remove_node(lost[0], allow_graceful=False)

    try:
        here = tmp_path / "here" / extract_features(wanted, tmp_path / "here")
        there = (
            tmp_path
            / "there"
            / extract_features(wanted, tmp_path / "there", progress=lose_a_node, shards=executor.shards)
        )
        assert {path.name: path.read_bytes() for path in here.iterdir()} == {
            path.name: path.read_bytes() for path in there.iterdir()
        }
        assert lost
        gone = replace(prepared.corpus.utterances[1], path=tmp_path / "gone.wav")
        other = replace(prepared.corpus, utterances=[prepared.corpus.utterances[0], gone], audio_digest="other")
        with pytest.raises(AudioError, match=r"gone\.wav"):
            extract_features(
                replace(wanted, corpus=other),
                tmp_path / "there",
                progress=lambda done, _: told.append(done),
                shards=executor.shards,
            )
        assert not told
        gpus = lambda sounds, _: [np.full((1, 1, 1), len(__import__("ray").get_gpu_ids())) for _ in sounds]  # noqa: E731
        on_gpu = replace(wanted, feature_set=replace(feature_set, extract_batch=gpus))
        ((extracted,),) = executor.shards(on_gpu.extract, [prepared.corpus.utterances[:1]])
        assert extracted.frames.item() == 1
    finally:
        executor.close()


def test_more_than_a_node_has_is_refused(cluster: Any, tiny: Callable[..., Any], project: Project) -> None:
    settings = {"study.executor": "ray", "study.ray_address": cluster.address, "training.threads": 2}
    prepared = prepare(tiny(name="wide", **settings, **{"study.max_failures": 1}), project)
    (reason,) = run_study(prepared, project, StudyObserver()).failures
    assert "training.threads is 2; expected at most 1, the CPUs of the largest node" in reason


def test_a_cluster_that_is_not_there_is_told_in_one_sentence(project: Project) -> None:
    executor = Ray("127.0.0.1:9", project.cache / "features")
    with pytest.raises(ExecutionError, match=r"the Ray cluster at '127.0.0.1:9' cannot be reached: "):
        executor.threads(3)


def test_ray_that_is_not_installed_is_told_by_its_extra(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(__import__("sys").modules, "ray", None)
    with pytest.raises(ConfigError, match=r"the package ray is missing; install ser-tune\[ray\]"):
        Ray(None, project.cache).threads(3)


def test_features_arrive_as_they_were_sent(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from ser_tune.execution import ray_node
    from ser_tune.execution.ray_node import packed, unpack

    entry = tmp_path / "here" / "entry"
    entry.mkdir(parents=True)
    (entry / "frames.bin").write_bytes(np.arange(5).tobytes())
    monkeypatch.setattr(ray_node, "PIECE", 16)
    assert len(list(packed(entry))) == 3
    for _ in range(2):  # the second finds the first's
        unpack(packed(entry), tmp_path / "there" / "entry")
    assert (tmp_path / "there" / "entry" / "frames.bin").read_bytes() == (entry / "frames.bin").read_bytes()
    assert [path.name for path in (tmp_path / "there").iterdir()] == ["entry"]
