"""A study whose process is killed, and killed again: nothing is lost, nothing is done twice."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import optuna
import pytest
from mlflow import MlflowClient

from ser_tune.coordination import place_of
from tests.project_copies import copy_project
from tests.warm_processes import LOGGED, run_warm


@pytest.fixture
def study(study_file: Path, corpus_csv: Path, shared_cache: Path) -> Callable[..., int]:
    """Run the tiny study in a process of its own, until an event: `study(root, "stored:4")`; returns its exit code."""

    def _study(root: Path, end: str = "-") -> int:
        corpus = ("--corpus", "manifest", "--data", str(corpus_csv))
        arguments = ("study", str(study_file), *corpus, "--name", "killed", "--trials", "4")
        environment = {"SER_TUNE_ROOT": str(root), "SER_TUNE_CACHE": str(shared_cache)}
        return run_warm(LOGGED, root / "log", end, *arguments, environment=environment).returncode

    return _study


def _trials(root: Path) -> list[optuna.trial.FrozenTrial]:
    storage = optuna.storages.RDBStorage(f"sqlite:///{root}/studies/optuna.db", skip_compatibility_check=True)
    return optuna.load_study(study_name="killed", storage=storage).get_trials(deepcopy=False)


def _by_place(trials: list[optuna.trial.FrozenTrial]) -> dict[int, tuple[Any, ...]]:
    return {place_of(one): (one.state, one.params, one.value) for one in trials if one.state.name != "FAIL"}


def _runs(root: Path) -> list[tuple[Any, ...]]:
    """Name, trial, status and scores of all runs in MLflow."""
    client = MlflowClient(f"sqlite:///{root}/mlruns/mlflow.db")
    runs = client.search_runs([one.experiment_id for one in client.search_experiments()], max_results=1000)
    told = [
        (
            run.info.run_name,
            run.data.tags.get("ser_tune.trial", ""),
            run.info.status,
            run.data.metrics.get("validation_uar", -1.0),
            run.data.tags.get("ser_tune.best_trial", ""),
        )
        for run in runs
    ]
    return sorted(told)


@pytest.mark.slow
def test_a_study_that_is_killed_ends_as_one_that_nobody_killed(
    study: Callable[..., int], root: Path, databases: Path, tmp_path: Path
) -> None:
    kills = (
        "epoch:2",  # in the first fold of all
        "stored:4",  # in trial 1, between two folds
        "epoch:7",  # in trial 1, in the last fold
        "record:1",  # when trial 1's record is on disk, but Optuna was not told
        "epoch:1",  # in trial 2
    )
    for end in kills:
        assert study(root, end) == -9, end
    assert study(root) == 0
    quiet = copy_project(databases, tmp_path / "quiet")
    assert study(quiet) == 0

    trials, expected = _trials(root), _by_place(_trials(quiet))
    assert sorted(expected) == [0, 1, 2, 3]
    # To the last digit, and what the sampler proposed after them too
    assert _by_place(trials) == expected
    assert [one.state.name for one in trials].count("FAIL") == len(kills)
    assert len(trials) == len(expected) + len(kills)

    events = [line.split() for line in (root / "log").read_text(encoding="utf-8").splitlines()]
    stored = set[str]()
    for event, *about in events:
        if event == "start":
            assert about[0] not in stored, "trained again after it was stored"
        if event == "stored":
            stored.add(about[0])
    assert len([event for event, *_ in events if event == "stored"]) == len(stored)

    assert _runs(root) == _runs(quiet)
    client = MlflowClient(f"sqlite:///{root}/mlruns/mlflow.db")
    complete = [one for one in trials if one.state.name == "COMPLETE"]
    (version,) = client.search_model_versions("name = 'ser-manifest-alex_net'")
    best = max(complete, key=lambda one: (one.value, -place_of(one)))
    assert client.get_run(version.run_id).data.tags["ser_tune.trial"] == str(place_of(best))
