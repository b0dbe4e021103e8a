"""What somebody deleted in MLflow's pages is told with the command that restores it."""

import shlex
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from ser_tune.project import Project
from ser_tune.tracking import STUDY_NAME_TAG, STUDY_TAG, TRIAL_TAG, Workspace, deleted_of, what_was_deleted

NAME = 'it\'s "a/b" 😀'
Call = Callable[..., Any]


@pytest.fixture
def workspace(project: Project) -> Workspace:
    """A store with a study's own run and three trials, and a study of another name."""
    workspace = Workspace(project)
    experiment = workspace.client.create_experiment("demo")
    for name in (NAME, "other"):
        tags = {STUDY_NAME_TAG: name, STUDY_TAG: name * 2}
        workspace.client.create_run(experiment, tags=tags, run_name=name)
        for number in range(3):
            workspace.client.create_run(experiment, tags={**tags, TRIAL_TAG: str(number)})
    return workspace


def _runs(workspace: Workspace, name: str = NAME) -> dict[str, str]:
    """The identifiers of a study's runs by trial; the study's own is by an empty text."""
    found = workspace.client.search_runs(
        [experiment.experiment_id for experiment in workspace.client.search_experiments()]
    )
    return {run.data.tags.get(TRIAL_TAG, ""): run.info.run_id for run in found if name in run.data.tags.values()}


@pytest.mark.parametrize(
    ("deleted", "told"),
    [
        (("1",), "the runs of trial 1 of"),
        (("0", "2"), "the runs of trials 0, 2 of"),
        (("",), "the runs of the study itself of"),
        (("", "0", "1", "2"), "the runs of the study itself and of trials 0, 1, 2 of"),
    ],
)
def test_deleted_runs_are_told_and_restored(
    call: Call, root: Path, workspace: Workspace, deleted: tuple[str, ...], told: str
) -> None:
    before = _runs(workspace)
    assert what_was_deleted(workspace, NAME) == ""
    for key in (*deleted,):
        workspace.client.delete_run(before[key])
    workspace.client.delete_run(_runs(workspace, "other")["1"])
    text = what_was_deleted(workspace, NAME)
    assert text.startswith(f"somebody deleted {told} '{NAME}' in MLflow; ")
    command = shlex.split(text.split("`")[1])
    assert command == ["ser-tune", "sync", "--restore", NAME]
    restored = call(root, *command[1:])
    assert restored.code == 0, restored.err
    assert restored.out.count("restored: ") == len(deleted)
    assert _runs(workspace) == before
    assert what_was_deleted(workspace, NAME) == ""
    assert len(deleted_of(workspace, "other")) == 1
    call(root, *command[1:]).refused(f"nothing to restore: MLflow has no deleted run of a study '{NAME}'")


@pytest.mark.slow
def test_a_deleted_experiment_is_restored_with_its_runs(call: Call, root: Path, workspace: Workspace) -> None:
    before = _runs(workspace)
    workspace.client.delete_experiment(str(workspace.client.get_experiment_by_name("demo").experiment_id))  # type: ignore[union-attr]
    assert _runs(workspace) == {}
    call(root, "report", NAME).refused("somebody deleted the runs of the study itself and of trials 0, 1, 2")
    assert call(root, "sync", "--restore", NAME).code == 0
    assert _runs(workspace) == before


@pytest.mark.slow
def test_a_study_whose_best_run_or_files_were_deleted_says_so_before_it_trains(
    finished_copy: Any, call: Call, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    root, page = finished_copy.root, tmp_path / "page.html"
    monkeypatch.setenv("SER_TUNE_ROOT", str(root))
    workspace = Workspace(Project.locate())
    version = workspace.client.get_model_version("ser-manifest-alex_net", "1")
    workspace.client.delete_run(version.run_id)
    best = version.tags["trial"]
    for command in (
        ("report", "first", "--out", page),
        ("study", *finished_copy.args, "--trials", "4"),
        ("promote", "first", "--trial", best),
    ):
        told = call(root, *command)
        told.refused(f"somebody deleted the runs of trial {best} of 'first' in MLflow; `ser-tune sync --restore first`")
        assert "trial 3" not in told.err  # nothing was trained
    assert call(root, "sync", "--restore", "first").code == 0
    assert call(root, "report", "first", "--out", page, "--no-audio").code == 0

    folder = Path(workspace.client.get_logged_model(version.source.removeprefix("models:/")).artifact_location)
    aside = shutil.move(folder, tmp_path / "aside")
    recording = next(finished_copy.csv.parent.glob("*.wav"))
    told = call(root, "predict", "ser-manifest-alex_net", recording)
    told.refused("the files of registered model 'ser-manifest-alex_net/1' were deleted; put them back from a copy")
    told = call(root, "promote", "first")
    assert told.code == 2, told.out
    assert "already registered" not in told.out
    assert "deleted" in told.err
    shutil.move(aside, folder)
    assert call(root, "predict", "ser-manifest-alex_net", recording).code == 0
    assert "already registered" in call(root, "promote", "first").out
