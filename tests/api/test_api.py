"""The Python API returns what the command line prints."""

import json
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import ser_tune
from ser_tune import api
from ser_tune.errors import ConfigError, SerTuneError
from ser_tune.project import Project
from ser_tune.resampling import describe_score, with_interval
from tests.project_copies import copy_project

Call = Callable[..., Any]
NAME = "ser-manifest-alex_net"


@pytest.fixture
def here(finished_copy: Any, monkeypatch: pytest.MonkeyPatch) -> Any:
    """The finished project, as the place where the interpreter was started."""
    monkeypatch.setenv("SER_TUNE_ROOT", str(finished_copy.root))
    return finished_copy


@pytest.mark.slow
def test_a_study_returns_its_trials_the_best_and_the_promotion(
    here: Any, study_file: Path, corpus_csv: Path, call: Call
) -> None:
    # The study of `finished` has ended: the same call reads it
    flags: api.StudyFlags = {"corpus": "manifest", "data": corpus_csv, "name": "first", "trials": 3, "pruner": "none"}
    result = api.study(study_file, settings={"seed": 3}, **flags)
    assert result.trials.index.tolist() == [0, 1, 2]
    assert result.trials["state"].tolist() == ["COMPLETE"] * 3
    assert list(result.trials.columns) == [
        *("state", "validation_uar", "seconds", "optimizer.learning_rate", "optimizer.weight_decay")
    ]
    assert result.best is not None
    assert result.best.number == result.trials["validation_uar"].idxmax()
    assert result.best.score == result.trials["validation_uar"].max()
    assert result.promotion is not None
    assert result.promotion.trial == result.best.number
    told = call(here.root, "study", *here.args)
    lines = told.out.splitlines()
    assert lines[0] == f"study first: 3 complete, 0 pruned, 0 failed; best trial {result.best.number}"
    for side in ("validation", "test"):
        row = next(line for line in lines if line.startswith(side))
        assert describe_score(result.promotion.metrics, f"{side}_uar") in row
    assert f"already registered: {NAME} version {result.promotion.version} as champion ({result.promotion.reason})" in (
        told.out
    )


@pytest.mark.slow
def test_training_returns_one_trial_and_tells_an_observer(
    root: Path, study_file: Path, corpus_csv: Path, recorder: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SER_TUNE_ROOT", str(root))
    result = api.train(
        study_file,
        settings={"training.epochs": 1, "optimizer": {"learning_rate": 0.01}},
        observer=recorder,
        corpus="manifest",
        data=corpus_csv,
        name="mine",
    )
    assert (result.summary.name, len(result.records)) == ("mine", 1)
    ((_, config, _),) = recorder.trials
    assert (config.training.epochs, config.optimizer.learning_rate) == (1, 0.01)
    assert [(one.name, one.version, one.aliases) for one in api.models()] == [(NAME, "1", ("champion",))]


@pytest.mark.slow
def test_a_study_without_a_complete_trial_promotes_nothing(
    root: Path, study_file: Path, corpus_csv: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SER_TUNE_ROOT", str(root))
    settings = {"study.timeout_s": 1e-9}
    result = api.study(study_file, settings=settings, corpus="manifest", data=str(corpus_csv), name="none")
    assert (result.best, result.promotion) == (None, None)
    assert result.trials["state"].tolist() == ["WAITING"]  # the next call begins with it


@pytest.mark.slow
def test_a_promotion_is_what_the_command_line_prints(here: Any, call: Call) -> None:
    promotion = api.promote("first", trial=1, as_name="mine", rule="always")
    assert (promotion.name, promotion.version, promotion.alias, promotion.trial) == ("mine", "1", "champion", 1)
    told = call(here.root, "promote", "first", "--trial", "1", "--as", "mine")
    again = api.promote("first", trial=1, as_name="mine")
    assert f"already registered: mine version 1 as champion ({again.reason})" in told.out


@pytest.mark.slow
def test_a_comparison_is_what_the_command_line_prints(here: Any, call: Call) -> None:
    paired = api.compare("first:0", "first:1").paired
    told = call(here.root, "compare", "first:0", "first:1")
    assert with_interval(paired.primary.value, paired.primary.interval, "+") in told.out
    assert f"p = {paired.p_value:.4f}" in told.out


def test_a_leaderboard_is_what_the_command_line_prints(here: Any, call: Call) -> None:
    table = api.leaderboard().table
    told = call(here.root, "leaderboard", "--format", "csv").out.splitlines()
    assert len(told) == 1 + len(table)
    assert (table["corpus"][0], table["rank"][0], table["trials"][0]) == ("manifest", 1, 3)
    assert f"{table['validation_uar'][0]:.4f}" in told[1]
    assert table["run"][0] in told[1]


@pytest.mark.slow
def test_a_combination_is_what_the_command_line_prints(here: Any, call: Call) -> None:
    found = api.combine(["first:0", "first:1"], as_name="both")
    told = call(here.root, "combine", "first:0", "first:1", "--as", "both")
    assert describe_score(found.promotion.metrics, "test_uar") in told.out
    assert "already registered: both version 1" in told.out


@pytest.mark.slow
def test_a_replay_of_a_trial_is_identical(here: Any) -> None:
    assert api.replay("first:0").identical


@pytest.mark.slow
def test_a_confirmation_has_the_scores_of_its_seeds(here: Any, call: Call) -> None:
    found = api.confirm("first", top=1, seeds=2)
    (candidate,) = found.candidates
    assert len(candidate.scores) == 2
    told = call(here.root, "confirm", "first", "--top", "1", "--seeds", "2")
    assert with_interval(candidate.mean, candidate.interval) in told.out


@pytest.mark.slow
def test_an_ablation_yields_the_unchanged_configuration_and_every_change(
    root: Path, study_file: Path, corpus_csv: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SER_TUNE_ROOT", str(root))
    found = api.ablate(
        study_file,
        changes={"slow": {"optimizer.learning_rate": 1e-5}},
        settings={"training.epochs": 1, "training.batch_size": 8},
        seeds=1,
        corpus="manifest",
        data=corpus_csv,
        name="small",
    )
    unchanged, slow = found
    assert not isinstance(unchanged, SerTuneError)
    assert not isinstance(slow, SerTuneError)
    assert (unchanged.study, slow.study) == ("small-ablate", "small-ablate slow")
    assert (unchanged.against is None, slow.against is None) == (True, False)


def test_an_extraction_is_what_the_command_line_writes(
    root: Path, corpus_csv: Path, call: Call, tmp_path: Path
) -> None:
    command = ("extract", "--corpus", "manifest", "--data", corpus_csv, "--set", "segments.frames=32")
    told = call(root, *command, "--out", tmp_path / "out.npz")
    assert told.code == 0, told.err
    project = replace(Project.locate(), cache=root / ".cache")
    settings = {"segments.frames": 32}
    found = api.extract("manifest", data=corpus_csv, settings=settings, project=project)
    assert found.emotions == ("anger", "joy")
    with np.load(tmp_path / "out.npz", allow_pickle=False) as arrays:
        np.testing.assert_array_equal(arrays["ada/segments"], found.segments["ada"][0])


def test_a_check_is_what_the_command_line_prints(root: Path, corpus_csv: Path, call: Call) -> None:
    found = api.check("manifest", data=corpus_csv)
    told = json.loads(call(root, "corpus", "check", "manifest", "--data", corpus_csv, "--json").out)
    assert told["emotions"] == dict(found.check.emotion_counts)
    assert (told["ok"], told["text_baseline"]) == (found.check.ok, found.text_baseline) == (True, None)


def test_an_unknown_argument_is_answered_with_those_there_are() -> None:
    with pytest.raises(
        TypeError, match="unknown argument 'modle'; choose from: batch_size, corpus, data, epochs, executor, features"
    ):
        api.study(modle="alex_net")  # type: ignore[call-arg]


def test_a_range_among_settings_is_refused() -> None:
    with pytest.raises(ConfigError, match="ranges belong in the search section of a study file"):
        api.study(settings={"search.model.width": [0.5]}, model="alex_net")


def test_every_flag_is_a_setting_of_every_study() -> None:
    from ser_tune.config import flagged_settings

    known = flagged_settings()
    assert set(api.StudyFlags.__annotations__) == set(known)
    assert {setting.path for setting in known.values()} <= {row["path"] for row in api.options(model="alex_net")}


def test_the_api_is_imported_when_it_is_asked_for() -> None:
    assert ser_tune.api is api
    code = "import sys, ser_tune; print('torch' in sys.modules); ser_tune.api.models; print('torch' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["False", "False"]


def test_a_project_can_lie_elsewhere(finished: Any, tmp_path: Path) -> None:
    root = copy_project(finished.root, tmp_path / "elsewhere")
    project = Project.locate(tracking_uri=f"sqlite:///{root}/mlruns/mlflow.db")
    assert [one.name for one in api.models(project=project)] == [NAME]
