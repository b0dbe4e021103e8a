"""A trial that is trained again from MLflow alone: identical, or every difference told."""

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import soundfile

from ser_tune.errors import CorpusError, RegistryError
from ser_tune.experiments import replay
from ser_tune.results import find_run
from ser_tune.tracking import TRIAL_TAG
from tests.tiny_studies import TASKS

pytestmark = pytest.mark.slow

POOLED = {
    "classification": {"validation_uar_low", "validation_recall/joy"},
    "dimensions": {"validation_CCC/arousal"},
    "distribution": {"validation_jsd_high"},
}


@pytest.mark.parametrize("task", TASKS)
def test_a_trial_is_the_same_to_the_last_bit(task: str, first_of: Callable[[str], Any]) -> None:
    first = first_of(task)
    run = find_run(first.workspace, "first:0")
    told: list[tuple[int, int]] = []
    again = replay(first.workspace, run, on_epoch=lambda fold, report: told.append((fold, report.epoch)))
    assert (again.unequal, again.circumstances, again.identical) == ([], [], True)
    # Two losses, the learning rate and all metrics for each of three epochs of three folds, three kept epochs, and the
    # pooled scores
    pooled = [name for name in run.data.metrics if name.startswith("validation_")]
    metrics = first.prepared.definition.goal.metrics
    assert again.compared == (3 + len(metrics)) * 3 * 3 + 3 + len(pooled)
    assert {f"validation_{name}" for name in metrics} | POOLED[task] <= set(pooled)
    assert told == [(fold, epoch) for fold in range(3) for epoch in (1, 2, 3)]


def test_the_study_in_optuna_is_not_needed(copied: Any) -> None:
    Path(copied.project.root, "studies", "optuna.db").unlink()
    assert replay(copied.workspace, copied.runs[2]).identical


def test_every_planted_difference_is_told(copied: Any) -> None:
    client, run_id = copied.workspace.client, copied.runs[1].info.run_id
    before = copied.runs[1].data.metrics["validation_uar"]
    client.log_metric(run_id, "validation_uar", 0.123)
    client.log_metric(run_id, "fold_01/seconds", 1e6, step=1)  # a time is no result
    client.log_metric(run_id, "validation_recall/fear", 0.5)
    client.set_tag(run_id, "version.torch", "0.4.1")
    client.set_tag(run_id, "mlflow.source.git.commit", "0123abc")
    client.set_tag(run_id, "ser_tune.device", "an abacus")
    client.set_tag(run_id, "ser_tune.solver", "an oracle")
    client.delete_tag(run_id, "ser_tune.feature_format")  # as runs of earlier versions lack it
    again = replay(copied.workspace, client.get_run(run_id))
    assert again.unequal == [
        "validation_recall/fear: 0.5 before, None now",
        f"validation_uar: 0.123 before, {before} now",
    ]
    assert not again.identical
    assert [line.partition(", is ")[0] for line in again.circumstances] == [
        "torch was 0.4.1",
        "commit was 0123abc",
        "device was an abacus",
        "format of features was unknown",
        "solver was an oracle",
    ]


@pytest.fixture
def moved_corpus(corpus_csv: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(corpus_csv.parent, tmp_path / "elsewhere")) / corpus_csv.name


def test_a_corpus_may_have_moved(first: Any, moved_corpus: Path) -> None:
    again = replay(first.workspace, first.runs[0], data=moved_corpus)
    assert (again.unequal, again.circumstances) == ([], [])


def test_a_changed_recording_is_told(first: Any, moved_corpus: Path) -> None:
    path = moved_corpus.parent / "cyd_joy_1.wav"
    samples, rate = soundfile.read(path)
    soundfile.write(path, samples[::-1], rate)
    again = replay(first.workspace, first.runs[0], data=moved_corpus)
    (told,) = again.circumstances
    assert told.startswith("protocol: corpus_digest is '")
    # Its speaker validates fold 0, is tested in fold 1, which therefore stays as it was, and is trained on in fold 2
    changed = {line.partition(",")[0] for line in again.unequal}
    assert {"fold_00/validation_loss", "fold_02/train_loss"} <= changed
    assert not {"fold_00/train_loss"} & changed
    assert not [name for name in changed if name.startswith("fold_01/")]


def test_a_corpus_that_is_gone_is_an_error(first: Any, tmp_path: Path) -> None:
    with pytest.raises(CorpusError, match=r"gone\.csv' does not exist"):
        replay(first.workspace, first.runs[0], data=tmp_path / "gone.csv")


def test_a_run_of_another_program_cannot_be_replayed(copied: Any) -> None:
    experiment = copied.runs[0].info.experiment_id
    run_id = copied.workspace.client.create_run(experiment, tags={TRIAL_TAG: "0"}).info.run_id
    copied.workspace.client.log_metric(run_id, "validation_uar", 0.9)
    copied.workspace.client.set_terminated(run_id)
    with pytest.raises(RegistryError, match=f"run {run_id} has no study.json and config.yaml; only trials of ser-tune"):
        replay(copied.workspace, find_run(copied.workspace, run_id))
