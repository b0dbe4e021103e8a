"""Combinations of trials: scores are those of the averaged probabilities, and members keep theirs to themselves."""

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from ser_tune.errors import ProtocolError, RegistryError, StorageError, UnknownNameError
from ser_tune.experiments import combine
from ser_tune.metrics import METRICS
from ser_tune.protocol import prepare
from ser_tune.registry import load_model
from ser_tune.results import compare, find_run, leaderboard
from ser_tune.search import run_study
from ser_tune.tracking import TrackingObserver, find_runs, open_predictor

pytestmark = pytest.mark.usefixtures("_no_pictures")


def _averaged(tables: list[list[dict[str, str]]]) -> tuple[np.ndarray, np.ndarray]:
    """Truth, and the most probable emotion of the mean of several tables' probabilities."""
    emotions = ["anger", "joy"]
    truth = np.array([emotions.index(row["emotion"]) for row in tables[0]])
    probabilities = [[[float(row[emotion]) for emotion in emotions] for row in rows] for rows in tables]
    return truth, np.mean(probabilities, axis=0).argmax(axis=1)


def _parent(opened: Any) -> str:
    parent, _ = find_runs(opened.workspace, opened.runs[0].info.experiment_id, opened.study.user_attrs["study_id"])
    assert parent is not None
    return str(parent.info.run_id)


@pytest.mark.slow
def test_validation_scores_are_those_of_the_averaged_probabilities(copied: Any) -> None:
    found = combine(copied.workspace, ["first:0", "first:1"])
    truth, said = _averaged([copied.predictions(number) for number in (0, 1)])
    metrics = copied.workspace.client.get_run(found.run.info.run_id).data.metrics
    assert metrics["validation_uar"] == pytest.approx(METRICS.get("uar").score(truth, said, 2))
    paired = compare(copied.workspace, found.run.info.run_id, "first:0", "validation").predictions[0][0]
    assert paired.predicted.tolist() == said.tolist()
    assert {"validation_uar_low", "validation_wa", "test_uar", "test_wa_high"} <= metrics.keys()
    of_trial, tags = copied.runs[0].data.tags, found.run.data.tags
    told = [name for name in of_trial if name.startswith(("version.", "protocol.", "ser_tune.corpus"))]
    assert len(told) > 10
    assert {name: tags[name] for name in told} == {name: of_trial[name] for name in told}


@pytest.mark.slow
def test_test_speakers_are_scored_for_the_combination_alone(copied: Any) -> None:
    untested = [number for number, run in copied.runs.items() if "test_uar" not in run.data.metrics]
    assert len(untested) == 2
    combine(copied.workspace, [f"first:{number}" for number in untested])
    for number in untested:
        run = copied.workspace.client.get_run(copied.runs[number].info.run_id)
        assert not [name for name in run.data.metrics if name.startswith("test")]


@pytest.mark.slow
def test_a_combination_is_a_version_that_predicts_the_mean(copied: Any, finished: Any) -> None:
    found = combine(copied.workspace, ["first:0", "first:1"], name="both")
    promotion = found.promotion
    assert (promotion.name, promotion.version, promotion.alias, promotion.trial) == ("both", "1", "champion", None)
    version = copied.workspace.client.get_model_version("both", "1")
    assert version.tags["study"] == "first:0 + first:1"
    assert "trial" not in version.tags
    assert version.tags["networks"] == "3; each is an ensemble of 2, of 2 configurations"
    assert version.description.startswith("# alex_net with logmelspec on manifest\n")
    uri = copied.project.tracking_uri
    paths = [finished.csv.parent / name for name in ("ada_joy_0.wav", "bob_anger_1.wav")]
    together = load_model("both", tracking_uri=uri).predict(paths)
    models = [copied.runs[number].data.tags["ser_tune.model_id"] for number in (0, 1)]
    alone = [open_predictor(f"models:/{model}").predict(paths) for model in models]
    for place, prediction in enumerate(together):
        expected = np.mean([said[place].probabilities["joy"] for said in alone])
        assert prediction.probabilities["joy"] == pytest.approx(expected)


@pytest.mark.slow
def test_the_same_combination_is_made_once_in_whichever_order(copied: Any) -> None:
    first = combine(copied.workspace, ["first:0", "first:1"], name="both")
    again = combine(copied.workspace, ["first:1", "first:0", "first:1"], name="both")
    assert again.run.info.run_id == first.run.info.run_id
    assert (again.promotion.created, again.promotion.version) == (False, "1")
    assert find_run(copied.workspace, "both").info.run_id == first.run.info.run_id


@pytest.mark.slow
def test_a_study_can_give_its_best_trials(copied: Any) -> None:
    found = combine(copied.workspace, ["first"], top=2)
    best = sorted(copied.runs, key=lambda number: (-copied.runs[number].data.metrics["validation_uar"], number))[:2]
    assert [member.info.run_id for member in found.members] == [copied.runs[number].info.run_id for number in best]


@pytest.mark.slow
def test_a_trial_whose_storing_failed_is_not_among_the_best(copied: Any) -> None:
    best = max(copied.runs.values(), key=lambda run: run.data.metrics["validation_uar"])
    copied.workspace.client.set_terminated(best.info.run_id, "FAILED")
    others = [run for run in copied.runs.values() if run.info.run_id != best.info.run_id]
    # The study's name stands for its best trial, so call the study by one that is whole
    copied.workspace.client.set_tag(_parent(copied), "ser_tune.best_trial", others[0].data.tags["ser_tune.trial"])
    found = combine(copied.workspace, ["first"], top=3)
    assert {member.info.run_id for member in found.members} == {other_run.info.run_id for other_run in others}


@pytest.mark.slow
def test_a_combination_stands_on_the_leaderboard_below_its_members(copied: Any) -> None:
    combine(copied.workspace, ["first:0", "first:1"])
    kinds = {(entry.source, entry.model, entry.trials) for entry in leaderboard(copied.workspace).entries}
    assert kinds <= {("study first", "alex_net", 4), ("first:0 + first:1", "alex_net", 4)}
    assert len(kinds) == 1  # of one kind, the best


@pytest.mark.slow
def test_unlike_configurations_with_held_out_speakers(
    copied: Any, make_corpus: Callable[..., Path], tiny: Callable[..., Any], tmp_path: Path
) -> None:
    csv = make_corpus(tmp_path / "corpus", ("ada", "bob", "cyd", "dan", "eve"))
    unlike: dict[str, dict[str, object]] = {
        "a": {},
        "b": {"model.name": "light_cnn", "features.name": "logmeldeltaspec", "segments.frames": 48},
    }
    shared = {"corpus.data": csv, "protocol.holdout": ["eve"], "study.trials": 1}
    for name, settings in unlike.items():
        prepared = prepare(tiny(name=name, **shared, **settings).without_search(), copied.project)
        run_study(prepared, copied.project, TrackingObserver(copied.workspace))
    found = combine(copied.workspace, ["a", "b"])
    assert found.promotion.name == "ser-manifest-combined"
    metrics = found.promotion.metrics
    assert {"holdout_uar", "holdout_single_uar", "optimism", "test_uar"} <= metrics.keys()
    assert metrics["optimism"] == pytest.approx(metrics["validation_uar"] - metrics["holdout_single_uar"])
    description = copied.workspace.client.get_model_version("ser-manifest-combined", "1").description
    assert description.startswith("# alex_net with logmelspec, light_cnn with logmeldeltaspec on manifest\n")


def test_members_of_other_protocols_are_refused_with_what_differs(copied: Any) -> None:
    copied.workspace.client.set_tag(copied.runs[1].info.run_id, "protocol.aggregation", "mean_probability")
    with pytest.raises(ProtocolError, match=r"first:0 and first:1 cannot be combined: .* aggregation is 'mean_log_sof"):
        combine(copied.workspace, ["first:0", "first:1"])


def test_one_trial_is_no_combination(copied: Any) -> None:
    run_id = copied.runs[0].info.run_id
    with pytest.raises(RegistryError, match=f"'first:0', '{run_id}': 1 trial; expected at least two to combine"):
        combine(copied.workspace, ["first:0", run_id])


@pytest.mark.slow
def test_a_combination_is_no_member(copied: Any) -> None:
    combine(copied.workspace, ["first:0", "first:1"], name="both")
    with pytest.raises(RegistryError, match=r"run [0-9a-f]{32} \(combination of 2\) is no trial; combine trials"):
        combine(copied.workspace, ["both", "first:2"])


def test_a_member_whose_model_is_gone_is_refused(copied: Any) -> None:
    copied.workspace.client.delete_tag(copied.runs[1].info.run_id, "ser_tune.model_id")
    with pytest.raises(RegistryError, match="the model of first:1 was not kept; run its study with more --keep-models"):
        combine(copied.workspace, ["first:0", "first:1"])


def test_a_rule_that_is_none_is_refused_before_anything_is_scored(copied: Any) -> None:
    with pytest.raises(UnknownNameError, match="promotion rule"):
        combine(copied.workspace, ["first:0", "first:1"], rule="best")
    experiment = copied.runs[0].info.experiment_id
    assert not [run for run in copied.workspace.client.search_runs([experiment]) if "ser_tune.members" in run.data.tags]


@pytest.mark.slow
def test_what_fails_half_way_is_a_failed_run_and_the_next_call_begins_anew(
    copied: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object, **__: object) -> str:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as broken:
        broken.setattr(sys.modules["ser_tune.experiments.combine"], "log_predictor", full)
        with pytest.raises(StorageError, match=r"the combination could not be stored: .*No space left"):
            combine(copied.workspace, ["first:0", "first:1"])
    experiment = copied.runs[0].info.experiment_id
    (run,) = [run for run in copied.workspace.client.search_runs([experiment]) if "ser_tune.members" in run.data.tags]
    assert run.info.status == "FAILED"
    found = combine(copied.workspace, ["first:0", "first:1"])
    assert found.run.info.run_id != run.info.run_id
    assert found.promotion.created
    _, trials = find_runs(copied.workspace, experiment, copied.study.user_attrs["study_id"])
    assert len(trials) == 3
