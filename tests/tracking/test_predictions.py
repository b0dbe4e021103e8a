"""The table of predictions: what is written is read back, sorted, whatever the utterances are called."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from mlflow.entities import Run, RunData, RunInfo

from ser_tune.metrics import METRICS
from ser_tune.project import Project
from ser_tune.protocol import Protocol, prepare
from ser_tune.resampling import score
from ser_tune.search import HeldOut
from ser_tune.tasks import TASKS
from ser_tune.tracking import Predictions, Workspace, protocol_tags, read_predictions
from ser_tune.tracking.prediction_tables import write_predictions
from tests.plugged import LEVELS

CLASSIFICATION = TASKS.get("classification")


@pytest.fixture
def prepared(tiny: Callable[..., Any], project: Project) -> Any:
    return prepare(tiny(), project)


@pytest.fixture
def held_out(prepared: Any) -> HeldOut:
    """All utterances, last first: every other one is taken for joy."""
    corpus = prepared.corpus
    order = np.arange(len(corpus.utterances))[::-1]
    truth = prepared.targets.values[order]
    said = np.tile([[0.9, 0.1], [0.2, 0.8]], (len(order) // 2, 1))
    return HeldOut(
        scores=score([(truth, said.argmax(axis=1), order)], prepared.definition.metrics, 2),
        utterances=tuple(corpus.utterances[one].id for one in order),
        fold=np.zeros(len(order), dtype=np.int64),
        truth=truth,
        predicted=said.argmax(axis=1),
        outputs=np.log(said),
    )


@pytest.fixture
def read(prepared: Any, project: Project, tmp_path: Path) -> Callable[[HeldOut], Predictions]:
    """Through a run of a real tracking store."""

    def _read(held_out: HeldOut) -> Predictions:
        workspace = Workspace(project)
        run = workspace.client.create_run(
            workspace.client.create_experiment("x", artifact_location=str(tmp_path / "artifacts"))
        )
        names, task = prepared.targets.names, prepared.definition.task
        write_predictions(tmp_path / "test_predictions.csv", held_out, prepared.corpus, task, names)
        workspace.client.log_artifact(run.info.run_id, str(tmp_path / "test_predictions.csv"))
        assert read_predictions(workspace, run, "validation") is None
        found = read_predictions(workspace, run, "test")
        assert found is not None
        return found

    return _read


def test_predictions_are_read_back_sorted_by_utterance(
    prepared: Any, held_out: HeldOut, read: Callable[[HeldOut], Predictions]
) -> None:
    found = read(held_out)
    corpus = prepared.corpus
    assert found.names == corpus.emotions
    assert found.utterances == tuple(sorted(one.id for one in corpus.utterances))
    by_id = {one.id: one for one in corpus.utterances}
    said = dict(zip(held_out.utterances, held_out.predicted, strict=True))
    for number, name in enumerate(found.utterances):
        assert found.speakers[number] == by_id[name].speaker
        assert found.names[found.truth[number]] == by_id[name].emotion
        assert found.predicted[number] == said[name]


def test_sums_are_of_each_speaker_in_sorted_order() -> None:
    found = Predictions(
        task=CLASSIFICATION,
        names=("anger", "fear", "joy"),
        utterances=("1", "2", "3", "4"),
        speakers=("bob", "ada", "bob", "ada"),
        truth=np.array([0, 2, 0, 0]),
        predicted=np.array([0, 2, 2, 0]),
    )
    assert found.speaker_numbers.tolist() == [1, 0, 1, 0]
    ada, bob = found.sums(METRICS.get("uar")).tolist()
    assert ada == [[1, 0, 0], [0, 0, 0], [0, 0, 1]]
    assert bob == [[1, 0, 1], [0, 0, 0], [0, 0, 0]]


def test_a_table_has_the_answers_of_its_task(
    plugged: None, held_out: HeldOut, prepared: Any, tmp_path: Path, project: Project
) -> None:
    path = tmp_path / "test_predictions.csv"
    write_predictions(path, held_out, prepared.corpus, LEVELS, ("low", "high"))
    header, first, *_ = path.read_text(encoding="utf-8").splitlines()
    assert header == "utterance,speaker,fold,level,predicted,low,high"
    assert first.split(",")[3] in ("low", "high")
    workspace = Workspace(project)
    experiment = workspace.client.create_experiment("x", artifact_location=str(tmp_path / "artifacts"))
    run = workspace.client.create_run(experiment, tags=protocol_tags(Protocol(facts={"task": "levels"})))
    workspace.client.log_artifact(run.info.run_id, str(path))
    found = read_predictions(workspace, run, "test")
    assert found is not None
    assert (found.task.name, found.names) == ("levels", ("low", "high"))
    order = np.argsort(held_out.utterances)
    assert found.truth.tolist() == held_out.truth[order].tolist()
    assert found.predicted.tolist() == held_out.predicted[order].tolist()


def test_a_run_that_does_not_exist_has_no_predictions(project: Project) -> None:
    run = Run(RunInfo("0" * 32, "0", "", "FINISHED", 0, 0, "active"), RunData())
    assert read_predictions(Workspace(project), run, "validation") is None
