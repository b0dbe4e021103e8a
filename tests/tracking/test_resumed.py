"""Tracked studies that go on: after interruptions and crashes, with some models kept, on a disk that is full."""

import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from mlflow.entities import Run

from ser_tune.errors import StorageError
from ser_tune.project import Project
from ser_tune.protocol import prepare
from ser_tune.search import Fanout, StudyObserver, StudySummary, run_study
from ser_tune.tracking import MODEL_TAG, TrackingObserver, Workspace

StudyRuns = Callable[[Project, Workspace], tuple[Run, dict[int, Run]]]


class Resumed(NamedTuple):
    project: Project
    workspace: Workspace
    run: Callable[..., StudySummary]
    runs: Callable[[], tuple[Run, dict[int, Run]]]


@pytest.fixture
def begun(
    root: Path, project_in: Callable[[Path], Project], study_runs: StudyRuns, tiny: Callable[..., Any]
) -> Resumed:
    """A project of its own, in which tracked studies of one epoch can run."""
    project = project_in(root)
    workspace = Workspace(project)

    def _run(trials: int, *others: StudyObserver, **settings: object) -> StudySummary:
        quick = {
            "training.epochs": 1,
            "training.batch_size": 4,
            "study.trials": trials,
            "study.pruner": "none",
            "name": "one",
        }
        observer = Fanout(TrackingObserver(workspace), *others)
        return run_study(prepare(tiny(**(quick | settings)), project), project, observer)

    return Resumed(project, workspace, _run, lambda: study_runs(project, workspace))


@pytest.fixture
def fresh(begun: Resumed, monkeypatch: pytest.MonkeyPatch) -> Resumed:
    """A project of its own, in which tracked studies of one epoch can run; models take time: none."""
    monkeypatch.setattr("ser_tune.tracking.observer.write_model", lambda *_: None)
    return begun


@pytest.mark.slow
def test_a_resumed_study_goes_on_in_the_same_parent_run(fresh: Resumed) -> None:
    fresh.run(1)
    before, _ = fresh.runs()
    fresh.run(2)
    parent, trials = fresh.runs()
    assert parent.info.run_id == before.info.run_id
    assert parent.info.status == "FINISHED"
    assert parent.data.metrics["trials_complete"] == 2
    assert [trials[number].info.status for number in (0, 1)] == ["FINISHED", "FINISHED"]


@pytest.mark.slow
def test_runs_that_a_crash_left_running_are_closed_on_resuming(fresh: Resumed) -> None:
    fresh.run(1)
    parent, trials = fresh.runs()
    for run in (parent, trials[0]):
        fresh.workspace.client.set_terminated(run.info.run_id, "RUNNING")
    fresh.run(1)
    parent, trials = fresh.runs()
    assert (parent.info.status, trials[0].info.status) == ("FINISHED", "FINISHED")


@pytest.mark.slow
def test_an_interrupted_study_is_killed_and_its_trial_failed(fresh: Resumed) -> None:
    class Interrupting(StudyObserver):
        def epoch_finished(self, trial: int, fold: int, report: Any) -> None:
            raise KeyboardInterrupt

    fresh.run(1, Interrupting())
    parent, trials = fresh.runs()
    assert (parent.info.status, trials[0].info.status) == ("KILLED", "FAILED")
    assert trials[0].data.tags["ser_tune.reason"] == "interrupted"
    fresh.run(1)
    parent, trials = fresh.runs()
    assert (parent.info.status, {number: run.info.status for number, run in trials.items()}) == (
        "FINISHED",
        {0: "FINISHED"},
    )
    assert "ser_tune.reason" not in trials[0].data.tags


@pytest.mark.slow
def test_only_the_best_models_are_kept_when_so_many_are_asked_for(begun: Resumed) -> None:
    begun.run(1, **{"study.keep_models": 1})
    begun.run(3, **{"study.keep_models": 1})
    _, trials = begun.runs()
    kept = {number: run.data.tags[MODEL_TAG] for number, run in trials.items() if MODEL_TAG in run.data.tags}
    scores = {number: run.data.metrics["validation_uar"] for number, run in trials.items()}
    (best,) = kept
    assert best == min(number for number, score in scores.items() if score == max(scores.values()))
    folders = [path.parent for path in begun.project.artifacts.rglob("MLmodel")]
    assert [folder.parent.name for folder in folders] == [kept[best]]


@pytest.mark.slow
def test_a_registered_model_is_never_deleted(begun: Resumed, monkeypatch: pytest.MonkeyPatch) -> None:
    from ser_tune.search import trial

    begun.run(1, **{"study.keep_models": 1})
    _, trials = begun.runs()
    model_id = trials[0].data.tags[MODEL_TAG]
    begun.workspace.client.create_registered_model("mine")
    begun.workspace.client.create_model_version("mine", source=f"models:/{model_id}", model_id=model_id)
    original = trial.score

    def better(*judged: Any) -> Any:
        """Whatever comes is better."""
        scores = original(*judged)
        return {**scores, "uar": replace(scores["uar"], value=2.0)}

    monkeypatch.setattr(trial, "score", better)
    begun.run(3, **{"study.keep_models": 1})
    _, trials = begun.runs()
    assert sorted(number for number, run in trials.items() if MODEL_TAG in run.data.tags) == [0, 1]
    assert Path(begun.workspace.client.get_logged_model(model_id).artifact_location, "MLmodel").is_file()


def _with_free(monkeypatch: pytest.MonkeyPatch, free: int) -> None:
    usage = type(shutil.disk_usage("/"))
    monkeypatch.setattr(shutil, "disk_usage", lambda path: usage(10**12, 10**12 - free, free))


def test_a_disk_that_the_models_cannot_fit_on_is_refused_with_the_numbers(
    fresh: Resumed, monkeypatch: pytest.MonkeyPatch
) -> None:
    _with_free(monkeypatch, 10_000_000)
    with pytest.raises(
        StorageError,
        match=r"the models of 1000 trials can take \d\.\d GB \(3 networks of up to \d MB a trial\), but .* has 0\.0 GB "
        r"free; pass --keep-models \d or fewer",
    ):
        fresh.run(1000)
    assert fresh.workspace.client.get_experiment_by_name("manifest") is None


def test_a_disk_for_not_even_one_model_gets_no_advice_that_would_not_help(
    fresh: Resumed, monkeypatch: pytest.MonkeyPatch
) -> None:
    _with_free(monkeypatch, 1000)
    with pytest.raises(StorageError, match="free some space"):
        fresh.run(1, **{"study.keep_models": 1})


@pytest.mark.slow
def test_a_disk_that_fills_up_ends_the_study_with_one_sentence_and_loses_nothing(
    fresh: Resumed, monkeypatch: pytest.MonkeyPatch, recorder: Any
) -> None:
    from ser_tune.tracking import trial_records

    def full(*arguments: object) -> None:
        raise OSError(28, "No space left on device")

    fresh.run(1)
    monkeypatch.setattr(trial_records, "write_predictions", full)
    with pytest.raises(StorageError, match=r"^trial 1 could not be stored in '.*outbox': No space left on device"):
        fresh.run(2)
    parent, trials = fresh.runs()
    assert (parent.info.status, sorted(trials)) == ("KILLED", [0])
    assert not list(fresh.project.outbox.glob("*-*"))  # not even half of a record
    monkeypatch.undo()
    assert fresh.run(2, recorder).complete == 2
    assert not recorder.epochs  # what was trained before the disk was full was not trained again
    parent, trials = fresh.runs()
    assert {number: run.info.status for number, run in trials.items()} == {0: "FINISHED", 1: "FINISHED"}
    assert parent.info.status == "FINISHED"


@pytest.mark.slow
def test_emotions_with_any_characters_can_be_tracked(
    fresh: Resumed, make_corpus: Callable[..., Path], tmp_path: Path
) -> None:
    table = make_corpus(tmp_path / "odd")
    table.write_text(table.read_text(encoding="utf-8").replace(",joy", ",Glück & Spaß = 50%!"), encoding="utf-8")
    fresh.run(1, **{"corpus.data": table})
    _, trials = fresh.runs()
    assert "validation_recall/Glück _ Spaß _ 50__" in trials[0].data.metrics
