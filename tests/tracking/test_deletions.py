"""What somebody deleted in MLflow's pages is told with the command that restores it."""

import shlex
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from mlflow import MlflowClient

from ser_tune.config import Project
from ser_tune.tracking import STUDY_NAME_TAG, STUDY_TAG, TRIAL_TAG, deleted_of, open_tracking, what_was_deleted

NAME = 'it\'s "a/b" 😀'
Call = Callable[..., Any]


@pytest.fixture
def client(project: Project) -> MlflowClient:
    """A store with a study's own run and three trials, and a study of another name."""
    client = open_tracking(project)
    experiment = client.create_experiment("demo")
    for name in (NAME, "other"):
        tags = {STUDY_NAME_TAG: name, STUDY_TAG: name * 2}
        client.create_run(experiment, tags=tags, run_name=name)
        for number in range(3):
            client.create_run(experiment, tags={**tags, TRIAL_TAG: str(number)})
    return client


def _runs(client: MlflowClient, name: str = NAME) -> dict[str, str]:
    """The identifiers of a study's runs by trial; the study's own is by an empty text."""
    found = client.search_runs([one.experiment_id for one in client.search_experiments()])
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
    call: Call, root: Path, client: MlflowClient, deleted: tuple[str, ...], told: str
) -> None:
    before = _runs(client)
    assert what_was_deleted(client, NAME) == ""
    for key in (*deleted,):
        client.delete_run(before[key])
    client.delete_run(_runs(client, "other")["1"])
    text = what_was_deleted(client, NAME)
    assert text.startswith(f"somebody deleted {told} '{NAME}' in MLflow; ")
    command = shlex.split(text.split("`")[1])
    assert command == ["ser-tune", "sync", "--restore", NAME]
    restored = call(root, *command[1:])
    assert restored.code == 0, restored.err
    assert restored.out.count("restored: ") == len(deleted)
    assert _runs(client) == before
    assert what_was_deleted(client, NAME) == ""
    assert len(deleted_of(client, "other")) == 1
    call(root, *command[1:]).refused(f"nothing to restore: MLflow has no deleted run of a study '{NAME}'")


def test_a_deleted_experiment_is_restored_with_its_runs(call: Call, root: Path, client: MlflowClient) -> None:
    before = _runs(client)
    client.delete_experiment(str(client.get_experiment_by_name("demo").experiment_id))  # type: ignore[union-attr]
    assert _runs(client) == {}
    call(root, "report", NAME).refused("somebody deleted the runs of the study itself and of trials 0, 1, 2")
    assert call(root, "sync", "--restore", NAME).code == 0
    assert _runs(client) == before


@pytest.mark.slow
def test_a_study_whose_best_run_or_files_were_deleted_says_so_before_it_trains(
    finished_copy: Any, call: Call, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    root, page = finished_copy.root, tmp_path / "page.html"
    monkeypatch.setenv("SER_TUNE_ROOT", str(root))
    client = open_tracking(Project.locate())
    version = client.get_model_version("ser-manifest-alex_net", "1")
    client.delete_run(version.run_id)
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

    folder = Path(client.get_logged_model(version.source.removeprefix("models:/")).artifact_location)
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
