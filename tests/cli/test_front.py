"""A study with two objectives, through what people type and read: killed, continued by two workers, and promoted."""

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import optuna
import pytest
from mlflow import MlflowClient

from ser_tune.coordination import place_of, shown_trials
from tests.conftest import TINY
from tests.project_copies import copy_project
from tests.warm_processes import LOGGED, run_warm

SETTINGS = ("--set", "study.objectives=[uar, size_mb]", "--set", "training.epochs=1", "--set", "study.confirm=0.25")
SEARCH = ("--trials", "4", "--sampler", "random", "--pruner", "none", "--name", "two")


@pytest.fixture
def arguments(tmp_path: Path, corpus_csv: Path) -> list[str]:
    file = tmp_path / "widths.yaml"
    file.write_text(f"{TINY}  model.width: [0.04, 0.06, 0.08]\n", encoding="utf-8")
    return ["study", str(file), "--corpus", "manifest", "--data", str(corpus_csv), *SEARCH, *SETTINGS]


def _trials(root: Path) -> list[optuna.trial.FrozenTrial]:
    storage = optuna.storages.RDBStorage(f"sqlite:///{root}/studies/optuna.db", skip_compatibility_check=True)
    return shown_trials(optuna.load_study(study_name="two", storage=storage))


def _ended(trials: list[optuna.trial.FrozenTrial]) -> dict[int, tuple[Any, ...]]:
    """Parameters and values of the complete trials, by place: trials of fresh seeds begin in any order."""
    done = [trial for trial in trials if trial.state.name == "COMPLETE"]
    return {place_of(trial): (trial.params, trial.values) for trial in done if "confirms" not in trial.user_attrs}


def _by_brute_force(trials: list[optuna.trial.FrozenTrial]) -> set[int]:
    """UAR is better when higher, size when lower."""
    done = [trial for trial in trials if trial.state.name == "COMPLETE" and "confirms" not in trial.user_attrs]
    points = {trial.number: (trial.values[0], -trial.values[1]) for trial in done}
    return {
        number
        for number, (score, size) in points.items()
        if not any(a >= score and b >= size and (a, b) != (score, size) for a, b in points.values())
    }


@pytest.mark.slow
def test_the_front_of_a_killed_study_that_two_workers_end_is_that_of_a_quiet_one(
    arguments: list[str],
    call: Callable[..., Any],
    root: Path,
    databases: Path,
    shared_cache: Path,
    tmp_path: Path,
) -> None:
    paths = {"SER_TUNE_ROOT": str(root), "SER_TUNE_CACHE": str(shared_cache)}
    end = "record:1"  # when a record is on disk, but Optuna was not told
    killed = run_warm(LOGGED, root / "log", end, *arguments, environment=paths)
    assert killed.returncode == -9, killed.stderr
    told = call(root, *arguments, "--workers", "2", "--json")
    assert told.code == 0, told.err
    (found,) = json.loads(told.out)
    quiet = copy_project(databases, tmp_path / "quiet")
    (expected,) = json.loads(call(quiet, *arguments, "--json").out)

    trials = _trials(root)
    assert _ended(trials) == _ended(_trials(quiet))
    front = found["front"]
    numbers = [trial["trial"] for trial in front["trials"]]
    assert set(numbers) == _by_brute_force(trials)
    assert front["objectives"] == ["uar", "size_mb"]
    assert [[trial["uar"], trial["size_mb"]] for trial in front["trials"]] == [trials[n].values for n in numbers]
    for same in ("complete", "hypervolume", "reference"):
        assert front[same] == expected["front"][same]
    assert [trial["uar"] for trial in front["trials"]] == [trial["uar"] for trial in expected["front"]["trials"]]
    # Fresh seeds: the front's trials first
    confirmed = {trial.user_attrs["confirms"] for trial in trials if "confirms" in trial.user_attrs}
    assert set(numbers[:1]) <= confirmed

    again = call(root, *arguments)
    assert f"{len(numbers)} of {front['complete']} complete trials, hypervolume {front['hypervolume']:.4f}" in again.out
    assert re.search(r"^Pareto front +uar +size_mb$", again.out, re.MULTILINE)
    fewer = [argument.replace("[uar, size_mb]", "[uar]") for argument in arguments]
    call(root, *fewer).refused("study.objectives is 'uar', not 'uar, size_mb'")

    _check_pages(root, front)
    _check_promotion(call, root, front)


def _check_pages(root: Path, front: dict[str, Any]) -> None:
    """MLflow has the front, and every trial's values."""
    client = MlflowClient(f"sqlite:///{root}/mlruns/mlflow.db")
    runs = client.search_runs(
        [experiment.experiment_id for experiment in client.search_experiments()], max_results=1000
    )
    (parent,) = [run for run in runs if "ser_tune.trial" not in run.data.tags]
    numbers = " ".join(str(trial["trial"]) for trial in front["trials"])
    assert parent.data.tags["ser_tune.front"] == numbers
    assert json.loads(parent.data.tags["ser_tune.objectives"]) == ["uar", "size_mb"]
    assert parent.data.metrics["hypervolume"] == pytest.approx(front["hypervolume"])
    assert parent.data.metrics["front_trials"] == len(front["trials"])
    assert "Pareto front: [trial " in parent.data.tags["mlflow.note.content"]
    sizes = {
        run.data.tags["ser_tune.trial"]: run.data.metrics.get("objective_size_mb") for run in runs if run != parent
    }
    assert {str(trial["trial"]): trial["size_mb"] for trial in front["trials"]}.items() <= sizes.items()


def _check_promotion(call: Callable[..., Any], root: Path, front: dict[str, Any]) -> None:
    """`promote --prefer` takes another trial of the front, and the report shows all."""
    smallest = min(front["trials"], key=lambda trial: (trial["size_mb"], -trial["uar"]))
    (small,) = json.loads(call(root, "promote", "two", "--prefer", "size_mb", "--as", "small", "--json").out)
    assert small["metrics"]["validation_uar"] == pytest.approx(smallest["uar"])
    best = front["trials"][0]["trial"]
    assert small["trial"] == smallest["trial"] or smallest["trial"] == best  # which fresh seeds have trained again
    call(root, "promote", "two", "--prefer", "macs").refused(
        "--prefer is 'macs', but study 'two' has the objectives uar, size_mb"
    )
    call(root, "promote", "two", "--prefer", "uar", "--trial", "0").refused("--trial 0 and --prefer uar exclude each")
    alone = call(root, "study", "light_cnn", "--set", "study.prefer=size_mb")
    alone.refused("study.prefer is 'size_mb'; expected several study.objectives with it")
    page = root / "page.html"
    assert call(root, "report", "two", "--no-audio", "--out", page).code == 0
    html = page.read_text(encoding="utf-8")
    assert "<h3>Pareto front</h3>" in html
    assert html.count("Pareto front:") >= 2  # below the picture and below the table
