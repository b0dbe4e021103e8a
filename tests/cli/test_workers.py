"""`study --workers` and `worker`: real processes that train, and what they leave in the databases."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import optuna
import pytest
from mlflow import MlflowClient

from ser_tune.coordination import place_of
from ser_tune.project import Project
from tests.tiny_studies import TASKS

pytestmark = pytest.mark.slow
QUICK = ("--pruner", "none", "--sampler", "random", "--set", "training.epochs=1")


@pytest.fixture
def args_of(file_of: Callable[[str], Path], data_of: Callable[[str], Path]) -> Callable[[str], list[str]]:
    def _args_of(task: str) -> list[str]:
        corpus = ["--corpus", "manifest", "--data", str(data_of(task)), "--set", f"task.name={task}"]
        return ["study", str(file_of(task)), *corpus, "--trials", "4", *QUICK]

    return _args_of


@pytest.fixture
def args(args_of: Callable[[str], list[str]]) -> list[str]:
    return args_of("classification")


def _scores(root: Path, name: str) -> dict[int, tuple[Any, ...]]:
    storage = optuna.storages.RDBStorage(f"sqlite:///{root}/studies/optuna.db", skip_compatibility_check=True)
    trials = optuna.load_study(study_name=name, storage=storage).get_trials(deepcopy=False)
    return {place_of(one): (one.state, one.params, one.value) for one in trials}


@pytest.mark.parametrize("task", TASKS)
def test_workers_give_the_scores_of_one_process_under_one_parent_run(
    task: str,
    call: Callable[..., Any],
    root: Path,
    args_of: Callable[[str], list[str]],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    args = args_of(task)
    monkeypatch.setenv("SER_TUNE_ROOT", str(root))
    assert call(root, *args, "--name", "alone").code == 0
    told = call(root, *args, "--name", "together", "--workers", "2")
    assert told.code == 0, told.err
    assert told.err.count("trial 3: ") == 1
    assert "best trial" in told.out
    assert _scores(root, "together") == _scores(root, "alone")

    client = MlflowClient(Project.locate().tracking_uri)
    experiments = [one.experiment_id for one in client.search_experiments()]
    runs = client.search_runs(experiments, "tags.`ser_tune.study` = 'together'")
    assert sorted(run.data.tags.get("ser_tune.trial", "parent") for run in runs) == ["0", "1", "2", "3", "parent"]
    assert {run.info.status for run in runs} == {"FINISHED"}


def test_a_worker_joins_a_study_and_is_refused_with_another_corpus_or_version(
    call: Callable[..., Any],
    root: Path,
    args: list[str],
    make_corpus: Callable[..., Path],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    from ser_tune.coordination import load_study
    from ser_tune.search import opening

    monkeypatch.setenv("SER_TUNE_ROOT", str(root))
    assert call(root, *args, "--name", "joined", "--timeout", "0.000001").code == 1  # it starts, and trains nothing
    other = make_corpus(tmp_path / "other", seed=1)
    call(root, "worker", "joined", "--data", str(other)).refused("corpus_digest")
    call(root, "worker", "unknown").refused("no study 'unknown'")
    with monkeypatch.context() as patch:
        patch.setattr(opening, "code_digest", lambda: "other")
        call(root, "worker", "joined").refused("runs with another version of ser-tune")
    told = call(root, "worker", "joined", "--data", str(make_corpus(tmp_path / "moved")))
    assert (told.code, told.out) == (0, "study joined: 0 complete, 0 pruned, 0 failed; 0 running elsewhere\n")
    _, definition = load_study("joined", Project.locate())
    assert definition.config.corpus.data != tmp_path / "moved" / "manifest.csv"  # of that machine alone


def test_every_search_of_a_nested_study_has_the_workers(call: Callable[..., Any], root: Path, args: list[str]) -> None:
    settings = ("protocol.folds=none", "study.confirm=0")  # folds of one speaker each
    nested = [*args, "--nested", "--name", "nested", "--trials", "2", "--workers", "2"]
    told = call(root, *nested, *(word for one in settings for word in ("--set", one)))
    assert told.code == 0, told.err
    assert "outer, pooled" in told.out
    assert [len(_scores(root, f"nested-outer{number:02d}")) for number in range(4)] == [2, 2, 2, 2]
