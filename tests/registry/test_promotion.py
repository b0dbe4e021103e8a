"""The champion rule, and what a version says of itself, in a real registry."""

import csv
import json
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pytest

from ser_tune.config import ModelSettings
from ser_tune.coordination import load_study
from ser_tune.errors import RegistryError, UnknownNameError
from ser_tune.features.logmelspec import LogMelSpecSettings
from ser_tune.project import Project
from ser_tune.protocol import prepare
from ser_tune.registry import Promotion, list_versions, load_model, promote
from ser_tune.registry.model_card import Networks, model_card
from ser_tune.registry.verdict import Verdict
from ser_tune.search import StudyObserver, run_study
from ser_tune.tasks import TASKS
from ser_tune.tracking import MODEL_TAG, Predictions, TrackingObserver, Workspace, draw_validation, find_runs
from tests.model_cards import section, table_of
from tests.opened_studies import Opened

NAME = "ser-manifest-alex_net"


class Promoting(NamedTuple):
    """A project in which studies run and are promoted."""

    project: Project
    workspace: Workspace
    study: Callable[..., None]
    promote: Callable[..., Promotion]


@pytest.fixture
def promoting(
    root: Path, project_in: Callable[[Path], Project], tiny: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> Promoting:
    project = project_in(root)
    monkeypatch.setenv("SER_TUNE_ROOT", str(root))
    monkeypatch.setattr("ser_tune.tracking.run_metrics.draw_confusion", lambda *_: None)  # pictures take time
    workspace = Workspace(project)

    def _study(name: str, *uars: float, **settings: object) -> None:
        """Run a study of one trial for each UAR, which replaces its score."""
        from ser_tune.search import trial

        original, coming = trial.score, list(uars)

        def planted(*judged: Any) -> Any:
            scores = original(*judged)
            return {**scores, "uar": replace(scores["uar"], value=coming.pop(0))}

        quick = {
            "training.epochs": 1,
            "training.batch_size": 4,
            "study.trials": len(uars) or 1,
            "study.pruner": "none",
            "name": name,
        }
        with pytest.MonkeyPatch.context() as patch:
            if uars:
                patch.setattr(trial, "score", planted)
            run_study(prepare(tiny(**(quick | settings)), project), project, TrackingObserver(workspace))

    def _promote(name: str, **how: Any) -> Promotion:
        study, definition = load_study(name, project)
        return promote(workspace, prepare(definition, project), study, **how)

    return Promoting(project, workspace, _study, _promote)


def _aliases(workspace: Workspace) -> dict[str, str]:
    return {alias: str(version) for alias, version in workspace.client.get_registered_model(NAME).aliases.items()}


@pytest.mark.slow
def test_the_champion_rule(promoting: Promoting) -> None:
    promoting.study("one", 0.6, 0.5, 0.7, 0.70004)
    first = promoting.promote("one", trial=0)
    assert (first.name, first.version, first.alias, first.created) == (NAME, "1", "champion", True)
    assert (first.trial, first.reason) == (0, "there was no champion before")

    worse = promoting.promote("one", trial=1)
    assert (worse.version, worse.alias) == ("2", "challenger")
    assert worse.reason == "its validation UAR 0.5000 does not beat the 0.6000 of the champion, version 1"
    assert _aliases(promoting.workspace) == {"champion": "1", "challenger": "2"}

    better = promoting.promote("one", trial=2)
    assert (better.version, better.alias) == ("3", "champion")
    assert better.reason == "its validation UAR 0.7000 beats the 0.6000 of version 1; the difference is unconfirmed"
    assert _aliases(promoting.workspace) == {"champion": "3", "challenger": "2"}

    # The best of the study, but more than the champion only by what rounding took from the champion's own score
    best = promoting.promote("one")
    assert (best.trial, best.version, best.alias) == (3, "4", "challenger")

    promoting.study("other", 0.99, **{"normalisation.scope": "utterance"})
    other = promoting.promote("other")
    assert other.alias == "challenger"
    assert other.reason == (
        "the champion, version 3, was scored under another protocol, the two are not comparable: "
        "normalisation_scope is 'utterance', not 'train'; this version and later ones of its protocol stay challengers "
        "under this name; register them with --as NAME"
    )
    assert _aliases(promoting.workspace) == {"champion": "3", "challenger": "5"}

    again = promoting.promote("one", trial=2)
    assert (again.version, again.alias, again.created) == ("3", "champion", False)
    assert again.reason == "it was registered before"
    assert len(list_versions(promoting.workspace)) == 5


@pytest.mark.slow
def test_the_lowest_error_is_kept_promoted_and_described(plugged: None, promoting: Promoting) -> None:
    goal = {"study.objectives": ("error",), "study.trials": 3, "study.keep_models": 1, "protocol.holdout": ("dan",)}
    promoting.study("lowest", **goal)
    study, _ = load_study("lowest", promoting.project)
    (experiment,) = promoting.workspace.client.search_experiments(filter_string="name = 'manifest'")
    parent, runs = find_runs(promoting.workspace, experiment.experiment_id, study.user_attrs["study_id"])
    errors = {number: run.data.metrics["validation_error"] for number, run in runs.items()}
    best = min(errors, key=lambda number: (errors[number], number))
    assert [number for number, run in runs.items() if MODEL_TAG in run.data.tags] == [best]
    assert parent is not None
    assert parent.data.metrics["best_validation_error"] == errors[best]
    promoted = promoting.promote("lowest")
    assert (promoted.trial, promoted.alias) == (best, "champion")
    single = promoting.workspace.client.get_run(runs[best].info.run_id).data.metrics["holdout_single_error"]
    assert promoted.metrics["optimism"] == pytest.approx(single - errors[best])
    version = promoting.workspace.client.get_model_version(NAME, promoted.version)
    assert version.tags["validation_error"] == f"{errors[best]:.4f}"
    assert {"test_error", "holdout_error", "test_uar", "test_error_fold_mean", "corrected_error"} <= set(version.tags)
    assert "test_uar_fold_mean" not in version.tags
    card = str(version.description)
    assert "| side | error rate | UAR | WA | error rate over folds | what it is |" in card
    assert table_of(section(card, "Metrics"))["test"][0].startswith(version.tags["test_error"])
    assert table_of(section(card, "Error rate by speaker"))
    assert table_of(section(card, "Recall by class"))


@pytest.mark.slow
def test_a_version_of_ensembles_says_so(promoting: Promoting) -> None:
    promoting.study("one", **{"model.networks": 2})
    for which, networks in ((False, "3"), (True, "1, trained on all speakers for 1 epochs")):
        version = promoting.workspace.client.get_model_version(NAME, promoting.promote("one", with_refit=which).version)
        assert version.tags["networks"] == f"{networks}; each is an ensemble of 2"
        assert f"Networks: {networks}; each is an ensemble of 2." in version.description


@pytest.mark.slow
def test_a_refit_is_one_network_and_is_made_once(promoting: Promoting) -> None:
    promoting.study("one")
    folds = promoting.promote("one")
    whole = promoting.promote("one", with_refit=True)
    assert (folds.version, whole.version, whole.alias) == ("1", "2", "challenger")
    again = promoting.promote("one", with_refit=True)
    assert (again.version, again.created) == ("2", False)
    assert whole.metrics == folds.metrics  # of the folds: a network that knows all speakers cannot be tested
    tags = promoting.workspace.client.get_model_version(NAME, "2").tags
    assert tags["networks"] == "1, trained on all speakers for 1 epochs"
    assert (tags["scores_of"], "scores_of" in promoting.workspace.client.get_model_version(NAME, "1").tags) == (
        "folds",
        False,
    )
    assert not [tag for tag in tags if tag.startswith(("test_", "holdout_", "optimism"))]
    assert tags["validation_uar"] == f"{folds.metrics['validation_uar']:.4f}"
    assert whole.reason.endswith("scores are those of the folds' networks")
    location = promoting.workspace.client.get_logged_model(tags["ser_tune.model_id"]).artifact_location
    assert len(list(Path(location).rglob("*.safetensors"))) == 1
    assert load_model(f"{NAME}/2").labels == ("anger", "joy")


@pytest.mark.slow
def test_a_model_that_was_not_kept_cannot_be_promoted(promoting: Promoting) -> None:
    promoting.study("one", 0.9, 0.5, **{"study.keep_models": 1})
    with pytest.raises(RegistryError, match=r"the model of trial 1 of study 'one' was not kept; .*--keep-models"):
        promoting.promote("one", trial=1)


@pytest.mark.slow
def test_a_trial_that_is_not_tracked_here_cannot_be_promoted(promoting: Promoting, tiny: Callable[..., Any]) -> None:
    definition = tiny(name="dark", **{"training.epochs": 1, "training.batch_size": 4, "study.trials": 1})
    run_study(prepare(definition, promoting.project), promoting.project, StudyObserver())
    with pytest.raises(RegistryError, match=r"trial 0 of study 'dark' has no run in sqlite"):
        promoting.promote("dark")


@pytest.mark.slow
def test_a_study_without_a_complete_trial_has_nothing_to_promote(promoting: Promoting) -> None:
    promoting.study("empty", **{"study.timeout_s": 1e-6})
    with pytest.raises(RegistryError, match="study 'empty' has no complete trial to promote"):
        promoting.promote("empty")


def test_only_the_promoted_trial_has_test_scores(located: Opened) -> None:
    for number, run in located.runs.items():
        tested = sorted(name for name in run.data.metrics if name.startswith("test_"))
        files = sorted(
            file.path for file in located.workspace.client.list_artifacts(run.info.run_id) if "test" in file.path
        )
        if number != located.best:
            assert not tested
            assert not files
            continue
        assert {"test_uar", "test_wa", "test_uar_fold_mean", "test_uar_fold_std", "test_recall/joy"} <= set(tested)
        assert files == ["test_confusion.png", "test_predictions.csv"]
        assert run.data.tags["ser_tune.test"] == "scored"


def test_the_promoted_trial_alone_has_pictures(located: Opened) -> None:
    client = located.workspace.client
    for number, run in located.runs.items():
        drawn = {file.path for file in client.list_artifacts(run.info.run_id) if file.path.endswith(".png")}
        assert drawn == ({"validation_confusion.png", "test_confusion.png"} if number == located.best else set())
    run = located.runs[located.best]
    draw_validation(located.workspace, run)  # again: it is there
    path = client.download_artifacts(run.info.run_id, "validation_confusion.png")
    assert Path(path).read_bytes().startswith(b"\x89PNG")


def test_a_version_says_what_it_is(located: Opened) -> None:
    version = located.workspace.client.get_model_version_by_alias(NAME, "champion")
    run = located.runs[located.best]
    assert version.run_id == run.info.run_id
    assert version.tags["study"] == "first"
    assert version.tags["trial"] == str(located.best)
    assert version.tags["networks"] == "3"
    assert json.loads(version.tags["emotions"]) == ["anger", "joy"]
    assert version.tags["fingerprint"] == located.prepared.protocol.fingerprint
    for metric in ("validation_uar", "test_uar", "test_wa"):
        assert float(version.tags[metric]) == pytest.approx(run.data.metrics[metric], abs=1e-4)
    assert f"| test | {run.data.metrics['test_uar']:.4f} [" in str(version.description)
    assert "normalisation scope: train" in str(version.description)


@pytest.mark.slow
def test_the_rule_is_a_setting_that_an_option_wins_over(promoting: Promoting) -> None:
    promoting.study("one", 0.9, 0.2, **{"study.promotion": "confident"})
    assert promoting.promote("one", trial=0).alias == "champion"
    with pytest.raises(UnknownNameError, match="unknown promotion rule 'best'; choose from: always, better, confident"):
        promoting.promote("one", trial=1, rule="best")
    always = promoting.promote("one", trial=1, rule="always")
    assert (always.alias, always.reason) == ("champion", "the rule is to replace version 1, whatever the scores")
    first, second = (promoting.workspace.client.get_model_version(NAME, number).tags for number in "12")
    assert (first["rule"], second["rule"]) == ("confident", "always")
    assert second["verdict"] == f"champion: {always.reason}"
    assert second["compared_with"] == "version 1"
    assert {"difference", "difference_interval", "p_value", "test"} <= set(second)
    # A version that is there may become champion later on: it is judged again, by the rule that is asked for
    promoting.study("two", 0.1)
    assert promoting.promote("two").alias == "challenger"
    later = promoting.promote("two", rule="always")
    assert (later.version, later.alias, later.created) == ("3", "champion", False)
    assert _aliases(promoting.workspace) == {"champion": "3"}
    assert promoting.workspace.client.get_model_version(NAME, "3").tags["rule"] == "always"
    back = promoting.promote("two", rule="better")
    assert (back.alias, back.reason) == ("champion", "it was registered before")


@pytest.mark.slow
@pytest.mark.parametrize("side", ["validation", "test"])
def test_training_and_the_loaded_model_say_the_same(located: Opened, tmp_path: Path, side: str) -> None:
    """What a fold's network said while it trained, it says again out of the registry, from the sound alone."""
    run_id = located.runs[located.best].info.run_id
    file = Path(located.workspace.client.download_artifacts(run_id, f"{side}_predictions.csv", str(tmp_path)))
    with file.open(encoding="utf-8", newline="") as table:
        rows = {row["utterance"]: row for row in csv.DictReader(table)}
    model = load_model(NAME)
    ensemble = model._predictor
    assert len(ensemble.networks) == len(located.prepared.folds)
    for fold in located.prepared.folds:
        alone = type(ensemble)(ensemble.recipe, [ensemble.networks[fold.number]], [ensemble.scalings[fold.number]])
        held_out = [located.prepared.corpus.utterances[number] for number in getattr(fold, side)]
        for utterance, prediction in zip(
            held_out, alone.predict([utterance.path for utterance in held_out]), strict=True
        ):
            row = rows.pop(utterance.id)
            assert int(row["fold"]) == fold.number
            then = [float(row[emotion]) for emotion in model.labels]
            np.testing.assert_allclose(list(prediction.probabilities.values()), then, atol=2e-5)
            assert prediction.label == row["predicted"]
    assert not rows


@pytest.mark.slow
def test_the_ensembles_probabilities_are_the_mean_of_its_networks(located: Opened, corpus_csv: Path) -> None:
    ensemble = load_model(NAME)._predictor
    path = corpus_csv.parent / "bob_joy_1.wav"
    alone = [
        type(ensemble)(ensemble.recipe, [network], [scaling]).predict([path])[0].probabilities["joy"]
        for network, scaling in zip(ensemble.networks, ensemble.scalings, strict=True)
    ]
    assert ensemble.predict([path])[0].probabilities["joy"] == pytest.approx(np.mean(alone), abs=1e-6)


@pytest.mark.slow
def test_a_moved_project_still_opens_its_models(
    finished_copy: Any, tmp_path: Path, corpus_csv: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = corpus_csv.parent / "ada_joy_0.wav"
    monkeypatch.setenv("SER_TUNE_ROOT", str(finished_copy.root))
    before = load_model(NAME).predict([path])
    moved = Path(shutil.move(finished_copy.root, tmp_path / "another place"))
    monkeypatch.setenv("SER_TUNE_ROOT", str(moved))
    assert load_model(NAME).predict([path]) == before
    assert load_model(f"{NAME}/1").predict([path]) == before


def test_a_version_whose_files_are_gone_is_named(finished_copy: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SER_TUNE_ROOT", str(finished_copy.root))
    shutil.rmtree(finished_copy.root / "mlruns" / "artifacts")
    with pytest.raises(RegistryError, match=f"the files of registered model '{NAME}/1' were deleted; "):
        load_model(NAME)


PARTS = ((ModelSettings(name="alex_net"), LogMelSpecSettings()),)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("settings", "limit"),
    [
        ({"normalisation.scope": "speaker"}, "- Transductive: features are normalised with all recordings of each"),
        (
            {"normalisation.scope": "speaker", "normalisation.batch_norm": "speaker"},
            "- Transductive: features are normalised with all recordings of each speaker, and batch norm takes",
        ),
        ({"protocol.fold_limit": 1}, "- Only 1 of 3 folds were trained."),
        ({"protocol.fold_limit": 1}, "- No test speaker validates in another fold, so test scores are free"),
        ({}, "- Validation speakers of one fold are test speakers of another, so test scores are not free of"),
    ],
    ids=["transductive", "batch norm", "folds", "free", "not free"],
)
def test_a_model_card_tells_of_what_limits_its_numbers(
    located: Opened, promoting: Promoting, tiny: Callable[..., Any], settings: dict[str, object], limit: str
) -> None:
    metrics = dict(located.runs[located.best].data.metrics)
    for named, tells in ((settings, True), ({} if settings else {"protocol.fold_limit": 1}, False)):
        prepared = prepare(tiny(**named), promoting.project)
        card = model_card(prepared, metrics, {}, Networks(3, parts=PARTS), Verdict("challenger", "of | a reason"))
        assert (limit in section(card, "Limits")) == tells
        assert "of | a reason" in card


@pytest.mark.slow
def test_a_model_card_of_many_speakers_has_their_quartiles(
    promoting: Promoting, located: Opened, tiny: Callable[..., Any]
) -> None:
    """MLflow's databases keep 5,000 characters of a description."""
    speakers = tuple(f"speaker-{number:03d}" for number in range(101) for _ in range(2))
    truth = np.tile([0, 1], 101)
    predicted = np.where(np.repeat(np.arange(101), 2) < 25, 0, truth)  # every fourth speaker has one class wrong
    task = TASKS.get("classification")
    many = Predictions(task, ("anger", "joy"), tuple(map(str, range(202))), speakers, truth, predicted)
    metrics = dict(located.runs[located.best].data.metrics)
    verdict = Verdict("champion", "there was no champion before")
    card = model_card(prepare(tiny(), promoting.project), metrics, {"test": many}, Networks(3, parts=PARTS), verdict)
    assert "speaker-000" not in card
    assert table_of(section(card, "UAR by speaker")) == {
        "lowest": ["0.500"],
        "lower quartile": ["1.000"],
        "median": ["1.000"],
        "upper quartile": ["1.000"],
        "highest": ["1.000"],
    }
    assert len(card) < 5000
