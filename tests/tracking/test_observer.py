"""What a study leaves in a real MLflow database: runs, their states, parameters, curves, artifacts, models."""

import base64
import csv
import json
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

import pytest
import yaml
from mlflow.entities import Run

from ser_tune.config import flatten
from ser_tune.definition.sizes import largest_network_bytes
from ser_tune.errors import NonFiniteLossError
from ser_tune.project import Project
from ser_tune.protocol import prepare
from ser_tune.search import Fanout, StudyObserver, StudySummary, run_study
from ser_tune.tracking import MODEL_TAG, TrackingObserver, Workspace

StudyRuns = Callable[[Project, Workspace], tuple[Run, dict[int, Run]]]


@dataclass(frozen=True)
class Tracked:
    """A study of a complete, a pruned, a failed and another complete trial, and what MLflow has of it."""

    project: Project
    workspace: Workspace
    prepared: Any
    outcomes: list[Any]
    summary: StudySummary
    parent: Run
    trials: dict[int, Run]


class Saboteur(StudyObserver):
    """Fails trial 2 in its second fold; keeps the outcomes."""

    def __init__(self) -> None:
        self.outcomes: list[Any] = []

    def epoch_finished(self, trial: int, fold: int, report: Any) -> None:
        if (trial, fold) == (2, 1):
            raise NonFiniteLossError("the loss is nan")

    def trial_finished(self, outcome: Any) -> None:
        self.outcomes.append(outcome)


@pytest.fixture(scope="module")
def tracked(new_project: Callable[[str], Project], study_runs: StudyRuns, tiny: Callable[..., Any]) -> Tracked:
    project = new_project("tracked")
    prepared = prepare(tiny(name="tracked", **{"study.trials": 4, "study.pruner": "none"}), project)
    workspace, saboteur = Workspace(project), Saboteur()

    def second_fold_of_trial_1(judge: Any, fold: int, report: Any) -> str:
        return "no hope" if (fold, len(saboteur.outcomes)) == (1, 1) else ""

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("ser_tune.search.objective.Reporting.after_epoch", second_fold_of_trial_1)
        summary = run_study(prepared, project, Fanout(TrackingObserver(workspace), saboteur))
    return Tracked(project, workspace, prepared, saboteur.outcomes, summary, *study_runs(project, workspace))


@pytest.mark.slow
def test_there_is_one_parent_run_and_a_child_for_each_trial(tracked: Tracked) -> None:
    assert sorted(tracked.trials) == [0, 1, 2, 3]
    assert "mlflow.parentRunId" not in tracked.parent.data.tags
    for run in tracked.trials.values():
        assert run.data.tags["mlflow.parentRunId"] == tracked.parent.info.run_id
    assert tracked.parent.info.run_name == "tracked"


def test_a_runs_name_is_what_it_differs_in(tracked: Tracked) -> None:
    for number, run in tracked.trials.items():
        rate, decay = (float(run.data.params[f"optimizer.{name}"]) for name in ("learning_rate", "weight_decay"))
        assert run.info.run_name == f"trial {number}: learning_rate {rate:.3g}, weight_decay {decay:.3g}"


def test_the_score_is_the_metric_that_comparisons_open_on(tracked: Tracked) -> None:
    """MLflow keeps the order in which metrics were logged first, and its page takes the first."""
    for number in (0, 3):
        assert (
            next(iter(tracked.workspace.client.get_run(tracked.trials[number].info.run_id).data.metrics))
            == "validation_uar"
        )


def test_a_trial_has_system_metrics_from_its_start_to_its_end(tracked: Tracked) -> None:
    for run in tracked.trials.values():
        points = tracked.workspace.client.get_metric_history(run.info.run_id, "system/cpu_utilization_percentage")
        assert points
        assert all(run.info.start_time <= point.timestamp <= run.info.end_time + 1 for point in points)
        assert run.data.metrics["system/system_memory_usage_megabytes"] > 100


def test_a_study_has_a_saved_view_with_scores_and_searched_settings(tracked: Tracked) -> None:
    tags = tracked.workspace.client.get_experiment(tracked.parent.info.experiment_id).tags
    view = json.loads(tags[f"mlflow.sharedViewState.{tracked.parent.data.tags['ser_tune.study_id']}"])
    kind, packed = view["state"].split(";")
    state = json.loads(zlib.decompress(base64.b64decode(packed)))
    assert (view["name"], kind) == ("tracked: trials by score", "deflate")
    assert (state["orderByKey"], state["orderByAsc"]) == ("metrics.`validation_uar`", False)
    assert {"metrics.`test_uar`", "params.`optimizer.learning_rate`"} <= set(state["selectedColumns"])
    found = tracked.workspace.client.search_runs([tracked.parent.info.experiment_id], state["searchFilter"])
    assert {int(run.data.tags["ser_tune.trial"]) for run in found} == {0, 3}  # the complete ones


def test_the_study_and_its_best_trial_link_each_other(tracked: Tracked) -> None:
    best = tracked.trials[tracked.summary.best[0]].info.run_id
    assert f"/runs/{best}?" in tracked.parent.data.tags["mlflow.note.content"]
    note = tracked.workspace.client.get_run(best).data.tags["mlflow.note.content"]
    assert f"/runs/{tracked.parent.info.run_id}?" in note


def test_a_runs_status_is_its_trials_state(tracked: Tracked) -> None:
    assert [outcome.state for outcome in tracked.outcomes] == ["COMPLETE", "PRUNED", "FAIL", "COMPLETE"]
    status = {number: run.info.status for number, run in tracked.trials.items()}
    assert status == {0: "FINISHED", 1: "KILLED", 2: "FAILED", 3: "FINISHED"}
    assert tracked.parent.info.status == "FINISHED"


def test_every_leaf_setting_of_a_trial_is_a_parameter(tracked: Tracked) -> None:
    for outcome in tracked.outcomes:
        settings = flatten(outcome.config.model_dump(mode="json"))
        assert tracked.trials[outcome.number].data.params == {path: str(value) for path, value in settings.items()}
    assert "training.gradient_clip_norm" in tracked.trials[0].data.params


def test_the_parent_has_the_studys_settings_and_ranges(tracked: Tracked) -> None:
    params = tracked.parent.data.params
    assert params["study.trials"] == "4"
    assert params["protocol.folds"] == "3"
    assert params["search.optimizer.learning_rate"] == "0.001 … 0.03 (log)"


def test_every_fold_has_its_curves_with_a_point_for_each_epoch(tracked: Tracked) -> None:
    outcome, run = tracked.outcomes[0], tracked.trials[0]
    for part in outcome.folds:
        fold = f"fold_{part.fold.number:02d}"
        for name in ("train_loss", "validation_loss", "validation_uar", "validation_wa", "learning_rate", "seconds"):
            curve = tracked.workspace.client.get_metric_history(run.info.run_id, f"{fold}/{name}")
            points = sorted((point.step, point.value) for point in curve)
            assert points == [(report.epoch, report.curves[name]) for report in part.fitted.history]
        assert run.data.metrics[f"{fold}/kept_epoch"] == part.fitted.epoch


def test_a_complete_trial_has_both_forms_of_both_numbers_and_every_recall(tracked: Tracked) -> None:
    scores, metrics = tracked.outcomes[0].scores, tracked.trials[0].data.metrics
    expected = {
        "validation_uar": scores["uar"].value,
        "validation_wa": scores["wa"].value,
        "validation_uar_fold_mean": scores["uar"].fold_mean,
        "validation_uar_fold_std": scores["uar"].fold_std,
        "validation_wa_fold_mean": scores["wa"].fold_mean,
        "validation_wa_fold_std": scores["wa"].fold_std,
        "validation_recall/anger": scores["uar"].parts[0],
        "validation_recall/joy": scores["uar"].parts[1],
        "folds_finished": 3,
    }
    assert {name: metrics[name] for name in expected} == pytest.approx(expected)


@pytest.mark.parametrize(("number", "reason"), [(1, "no hope"), (2, "NonFiniteLossError: the loss is nan")])
def test_a_trial_that_did_not_complete_has_only_a_partial_score(tracked: Tracked, number: int, reason: str) -> None:
    run, outcome = tracked.trials[number], tracked.outcomes[number]
    assert not [name for name in run.data.metrics if name.startswith("validation_")]
    assert run.data.metrics["partial_validation_uar"] == pytest.approx(outcome.scores["uar"].value)
    assert run.data.metrics["folds_finished"] == 1
    assert run.data.tags["ser_tune.reason"] == reason
    assert MODEL_TAG not in run.data.tags


def test_no_trial_has_seen_the_test_speakers(tracked: Tracked) -> None:
    for run in tracked.trials.values():
        assert not [name for name in run.data.metrics if "test" in name]
        assert not [
            file.path for file in tracked.workspace.client.list_artifacts(run.info.run_id) if "test" in file.path
        ]


def test_the_exact_configuration_stands_beside_every_trial(tracked: Tracked, tmp_path: Path) -> None:
    for outcome in tracked.outcomes:
        run_id = tracked.trials[outcome.number].info.run_id
        stored = outcome.config.model_dump(mode="json")
        file = Path(tracked.workspace.client.download_artifacts(run_id, "config.yaml", str(tmp_path)))
        assert yaml.safe_load(file.read_text(encoding="utf-8")) == stored


def test_no_picture_is_drawn_for_a_trial(tracked: Tracked) -> None:
    for trial in tracked.trials.values():
        files = {file.path for file in tracked.workspace.client.list_artifacts(trial.info.run_id)}
        assert {"config.yaml", "study.json"} <= files <= {"config.yaml", "study.json", "validation_predictions.csv"}


def test_the_predictions_of_every_validated_utterance_are_a_table(tracked: Tracked, tmp_path: Path) -> None:
    run_id = tracked.trials[0].info.run_id
    table = Path(tracked.workspace.client.download_artifacts(run_id, "validation_predictions.csv", str(tmp_path)))
    with table.open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    corpus, folds = tracked.prepared.corpus, tracked.prepared.folds
    assert sorted(row["utterance"] for row in rows) == [utterance.id for utterance in corpus.utterances]
    by_id = {utterance.id: utterance for utterance in corpus.utterances}
    for row in rows:
        probabilities = {emotion: float(row[emotion]) for emotion in corpus.emotions}
        assert sum(probabilities.values()) == pytest.approx(1, abs=1e-5)
        assert row["predicted"] == max(probabilities, key=lambda emotion: probabilities[emotion])
        assert row["emotion"] == by_id[row["utterance"]].emotion
        assert row["speaker"] in folds[int(row["fold"])].validation_speakers
    right = [row for row in rows if row["predicted"] == row["emotion"]]
    assert len(right) / len(rows) == pytest.approx(tracked.outcomes[0].scores["wa"].value)


def test_the_corpus_is_a_dataset_of_every_run_with_its_digest(tracked: Tracked) -> None:
    corpus = tracked.prepared.corpus
    for run in (tracked.parent, *tracked.trials.values()):
        (given,) = tracked.workspace.client.get_run(run.info.run_id).inputs.dataset_inputs
        assert (given.dataset.name, given.dataset.digest) == ("manifest", corpus.digest[:36])
        assert json.loads(given.dataset.profile) == {"utterances": 16, "speakers": 4, "emotions": 2}
        assert run.data.tags["ser_tune.corpus_digest"] == corpus.digest


def test_versions_commit_and_protocol_are_tags(tracked: Tracked) -> None:
    for run in (tracked.parent, *tracked.trials.values()):
        assert run.data.tags["version.torch"] == version("torch")
        assert run.data.tags["version.ser-tune"]
        assert run.data.tags["ser_tune.fingerprint"] == tracked.prepared.protocol.fingerprint
    tags = tracked.parent.data.tags
    assert tags["protocol.normalisation_scope"] == "train"
    assert tags["ser_tune.best_trial"] == str((tracked.summary.best or (None,))[0])


def test_the_git_commit_is_a_tag_where_there_is_one(tracked: Tracked) -> None:
    here = Path(__file__).parents[2]
    if not (here / ".git").is_dir():
        pytest.skip("not a clone")
    commit = tracked.parent.data.tags["mlflow.source.git.commit"]
    assert len(commit) == 40
    assert set(commit) <= set("0123456789abcdef")


def test_the_parent_sums_up(tracked: Tracked) -> None:
    metrics = tracked.parent.data.metrics
    assert (metrics["trials_complete"], metrics["trials_pruned"], metrics["trials_failed"]) == (2, 1, 1)
    assert tracked.summary.best is not None
    assert metrics["best_validation_uar"] == pytest.approx(tracked.summary.best[1])


def test_every_complete_trial_has_a_model_and_no_other_has(tracked: Tracked) -> None:
    kept = {number for number, run in tracked.trials.items() if MODEL_TAG in run.data.tags}
    assert kept == {0, 3}
    for number in kept:
        model = tracked.workspace.client.get_logged_model(tracked.trials[number].data.tags[MODEL_TAG])
        assert (str(model.status), model.source_run_id) == ("READY", tracked.trials[number].info.run_id)
        assert model.artifact_location.startswith(str(tracked.project.artifacts))
        assert len(list(Path(model.artifact_location).rglob("network-*.safetensors"))) == 3


def test_the_estimate_is_an_upper_bound_of_what_a_trial_takes(tracked: Tracked) -> None:
    networks = sum(file.stat().st_size for file in tracked.project.artifacts.rglob("*.safetensors"))
    definition = tracked.prepared.definition
    assert networks <= 2 * 3 * largest_network_bytes(definition, ("a", "b")) * 1.05
