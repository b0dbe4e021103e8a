"""Test and holdout speakers are scored once, and all of it is written down."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from mlflow.entities import Run

from ser_tune.config import Project
from ser_tune.coordination import load_study
from ser_tune.features import TYPICAL_CONDITIONS
from ser_tune.protocol import prepare
from ser_tune.tracking import Workspace, find_runs, score_on_holdout, score_on_test, score_stressed


class Opened(NamedTuple):
    project: Project
    workspace: Workspace
    prepared: Any
    runs: dict[int, Run]


@pytest.fixture
def opened(finished_copy: Any, shared_cache: Path, monkeypatch: pytest.MonkeyPatch) -> Opened:
    """The finished study, of whose trials one was promoted."""
    monkeypatch.setenv("SER_TUNE_ROOT", str(finished_copy.root))
    monkeypatch.setenv("SER_TUNE_CACHE", str(shared_cache))
    project = Project.locate()
    workspace = Workspace(project)
    study, definition = load_study("first", project)
    experiment = workspace.client.get_experiment_by_name("manifest")
    assert experiment is not None
    _, runs = find_runs(workspace, experiment.experiment_id, study.user_attrs["study_id"])
    return Opened(project, workspace, prepare(definition, project), runs)


@pytest.fixture
def looks(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What was looked at."""
    from ser_tune.tracking import held_out_scores

    seen: list[str] = []
    for side in ("test", "holdout"):
        original: Callable[..., Any] = getattr(held_out_scores, f"score_{side}_speakers")

        def look(*arguments: Any, side: str = side, original: Callable[..., Any] = original) -> Any:
            seen.append(side)
            return original(*arguments)

        monkeypatch.setattr(held_out_scores, f"score_{side}_speakers", look)
    return seen


@pytest.mark.slow
def test_test_speakers_are_looked_at_once(opened: Opened, looks: list[str]) -> None:
    number = next(number for number, run in opened.runs.items() if "test_uar" not in run.data.metrics)
    run_id = opened.runs[number].info.run_id
    scored = score_on_test(opened.workspace, opened.runs[number], opened.prepared)
    assert looks == ["test"]
    run = opened.workspace.client.get_run(run_id)
    assert scored == {key: value for key, value in run.data.metrics.items() if key.startswith(("validation", "test"))}
    assert {"test_uar", "test_uar_low", "test_wa_high", "test_recall/joy", "validation_uar"} <= set(scored)
    assert run.data.tags["ser_tune.test"] == "scored"
    files = {file.path for file in opened.workspace.client.list_artifacts(run_id)}
    assert {"test_predictions.csv", "test_confusion.png"} <= files
    assert score_on_test(opened.workspace, run, opened.prepared) == scored
    assert looks == ["test"]


def test_a_study_that_holds_nobody_out_has_no_holdout_scores(opened: Opened, looks: list[str]) -> None:
    run = next(run for run in opened.runs.values() if "test_uar" in run.data.metrics)
    scored = score_on_holdout(opened.workspace, run, opened.prepared)
    assert looks == []
    assert not [name for name in scored if name.startswith(("holdout", "optimism"))]


@pytest.mark.slow
def test_a_model_is_opened_once_for_both_sides(
    opened: Opened, looks: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    from ser_tune.tracking import held_out_scores

    opens: list[str] = []
    original = held_out_scores.open_predictor

    def counted(uri: str) -> Any:
        opens.append(uri)
        return original(uri)

    monkeypatch.setattr(held_out_scores, "open_predictor", counted)
    run = next(run for run in opened.runs.values() if "test_uar" not in run.data.metrics)
    config = opened.prepared.definition.config
    protocol = config.protocol.model_copy(update={"holdout": opened.prepared.corpus.speakers[:1]})
    definition = replace(opened.prepared.definition, config=config.model_copy(update={"protocol": protocol}))
    prepared = replace(opened.prepared, definition=definition)
    scored = score_on_test(opened.workspace, run, prepared)
    assert looks == ["test", "holdout"]
    assert len(opens) == 1
    assert {"test_uar", "holdout_uar", "optimism"} <= set(scored)


def test_without_its_table_a_run_is_not_scored(
    opened: Opened, looks: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Metrics say that all is there, so they come last."""
    from ser_tune.tracking import run_metrics

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    run = next(run for run in opened.runs.values() if "test_uar" not in run.data.metrics)
    monkeypatch.setattr(run_metrics, "write_predictions", full)
    with pytest.raises(OSError, match="No space left"):
        score_on_test(opened.workspace, run, opened.prepared)
    again = opened.workspace.client.get_run(run.info.run_id)
    assert not [name for name in again.data.metrics if name.startswith("test_")]
    assert "ser_tune.test" not in again.data.tags


@pytest.mark.slow
def test_validation_speakers_are_scored_in_worse_recordings_once(
    opened: Opened, looks: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    from ser_tune.tracking import held_out_scores

    chosen = {
        condition.name: condition
        for condition in TYPICAL_CONDITIONS
        if condition.kind in ("white noise", "babble", "clipping")
    }
    monkeypatch.setattr(held_out_scores, "TYPICAL_CONDITIONS", tuple(chosen.values()))
    run, told = opened.runs[0], list[str]()
    scored = score_stressed(opened.workspace, run, opened.prepared, on_condition=told.append)
    assert told == list(scored) == list(chosen)
    assert all(0 <= uar <= 1 for uar in scored.values())
    metrics = opened.workspace.client.get_run(run.info.run_id).data.metrics
    assert {key: value for key, value in metrics.items() if key.startswith("stressed")} == {
        "stressed_validation_uar/white noise 10 dB": scored["white noise 10 dB"],
        "stressed_validation_uar/babble 10 dB": scored["babble 10 dB"],
        "stressed_validation_uar/clipping 5_": scored["clipping 5%"],
    }
    assert score_stressed(opened.workspace, run, opened.prepared, on_condition=told.append) == scored
    assert len(told) == len(chosen)
    assert looks == []  # they are scored once
