"""The search once for each outer fold: what it never saw, what it is worth, what is left in MLflow."""

import re
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pytest
from mlflow.entities import Run

from ser_tune.api import evaluate
from ser_tune.coordination import load_study, place_of
from ser_tune.errors import ConfigError, StudyError
from ser_tune.features import Condition
from ser_tune.project import Project
from ser_tune.resampling import describe_score, mean_interval, score, with_interval
from ser_tune.results import Nested, OuterFold, leaderboard
from ser_tune.search.first_trials import first_trials
from ser_tune.tracking import (
    NETWORKS_TAG,
    STUDY_NAME_TAG,
    STUDY_TAG,
    TRIAL_TAG,
    Workspace,
    protocol_of,
)
from tests.nested_studies import QUICK, Watch, nested
from tests.tiny_studies import TASKS

pytestmark = pytest.mark.slow

RATE = "optimizer.learning_rate"
METRICS_OF = {
    "classification": ["uar", "wa"],
    "dimensions": ["ccc", "pcc", "mae", "rmse"],
    "distribution": ["jsd", "kl", "total_variation", "uar", "macro_f1"],
}


class Outer(NamedTuple):
    """A nested study that was interrupted in its third search, and run again."""

    project: Project
    found: Nested
    interrupted: Watch
    resumed: Watch


@pytest.fixture(scope="module")
def outer_of(new_project: Callable[[str], Project], tiny_of: Callable[..., Any]) -> Callable[[str], Outer]:
    @cache
    def _outer_of(task: str) -> Outer:
        project, interrupted, resumed = new_project("nested"), Watch(interrupt=True), Watch()
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr("ser_tune.tracking.run_metrics.draw_confusion", lambda *_: None)  # pictures take time
            with pytest.raises(KeyboardInterrupt):
                nested(project, tiny_of, interrupted, task)
            return Outer(project, nested(project, tiny_of, resumed, task), interrupted, resumed)

    return _outer_of


@pytest.fixture
def outer(outer_of: Callable[[str], Outer]) -> Outer:
    return outer_of("classification")


@pytest.mark.parametrize("task", TASKS)
def test_an_interrupted_nested_study_goes_on_where_it_was(task: str, outer_of: Callable[[str], Outer]) -> None:
    outer = outer_of(task)
    names = [start.definition.name for start in outer.interrupted.started]
    assert names == ["outer-outer00", "outer-outer01", "outer-outer02"]
    assert [start.trials_to_run for start in outer.resumed.started] == [0, 0, 1, 1]
    assert [fold.study for fold in outer.found.folds] == [*names, "outer-outer03"]


@pytest.mark.parametrize("task", TASKS)
def test_no_search_sees_its_outer_speakers(task: str, outer_of: Callable[[str], Outer]) -> None:
    outer = outer_of(task)
    assert [fold.speakers for fold in outer.found.folds] == [("ada",), ("bob",), ("cyd",), ("dan",)]
    for search, start in zip(outer.found.folds, outer.resumed.started, strict=True):
        utterances = start.corpus.utterances
        assert start.definition.config.protocol.holdout == search.speakers
        for fold in start.folds:
            seen = {utterances[number].speaker for side in (fold.train, fold.validation, fold.test) for number in side}
            assert seen == {"ada", "bob", "cyd", "dan"} - set(search.speakers)
        assert set(search.predictions.speakers) == set(search.speakers)
        study, _ = load_study(search.study, outer.project)
        assert (search.best_trial, search.inner_score) == (place_of(study.best_trial), study.best_value)


@pytest.mark.parametrize("task", TASKS)
def test_the_outer_scores_are_those_of_all_predictions_together(task: str, outer_of: Callable[[str], Outer]) -> None:
    outer = outer_of(task)
    folds, scores = outer.found.folds, outer.found.outer
    metrics = outer.resumed.started[0].definition.metrics
    collected = [name for fold in folds for name in fold.predictions.utterances]
    assert sorted(collected) == sorted(utterance.id for utterance in outer.resumed.started[0].corpus.utterances)
    truth = np.concatenate([fold.predictions.truth for fold in folds])
    predicted = np.concatenate([fold.predictions.predicted for fold in folds])
    pooled = score([(truth, predicted, np.array([name.partition("_")[0] for name in collected]))], metrics, 2)
    assert list(scores) == [metric.name for metric in metrics] == METRICS_OF[task]
    for name, expected in pooled.items():
        assert (scores[name].value, scores[name].interval) == (expected.value, expected.interval)
    by_fold = [metrics[0].score(fold.predictions.truth, fold.predictions.predicted, 2) for fold in folds]
    assert scores[metrics[0].name].fold_mean == pytest.approx(np.mean(by_fold))


@pytest.mark.parametrize("task", TASKS)
def test_optimism_is_paired_by_speaker(task: str, outer_of: Callable[[str], Outer]) -> None:
    outer = outer_of(task)
    metric, differences = outer.resumed.started[0].definition.objective, []
    for outer_fold in outer.found.folds:
        (speaker,) = outer_fold.speakers
        inner = []
        for fold in outer.found.folds:
            said = fold.validation
            own = np.array([name == speaker for name in said.speakers])
            if fold is not outer_fold:
                inner.append(metric.score(said.truth[own], said.predicted[own], 2))
            else:
                assert not own.any()
        assert len(inner) == 3
        assert outer.found.by_speaker[speaker] == pytest.approx((np.mean(inner), outer_fold.outer_single_score))
        gained = np.mean(inner) - outer_fold.outer_single_score
        differences.append(gained if metric.higher_is_better else -gained)
    assert outer.found.optimism == pytest.approx(np.mean(differences))
    assert outer.found.optimism_interval == mean_interval(metric, np.array(differences))


def _runs_of_its_own(outer: Outer) -> list[Run]:
    workspace = Workspace(outer.project)
    experiments = [experiment.experiment_id for experiment in workspace.client.search_experiments()]
    return list(workspace.client.search_runs(experiments, f"tags.`{STUDY_NAME_TAG}` = 'outer'"))


def test_a_run_of_its_own_tells_of_them_under_a_protocol_of_its_own(outer: Outer) -> None:
    (run,) = _runs_of_its_own(outer)
    assert (run.info.run_name, run.info.status) == ("outer, nested", "FINISHED")
    expected = {f"outer_{name}": score.value for name, score in outer.found.outer.items()}
    expected |= {"inner_uar": outer.found.inner_score, "optimism": outer.found.optimism}
    expected |= {"outer_single_uar": outer.found.outer_single_score}
    interval = outer.found.optimism_interval
    expected |= {"optimism_low": interval.low, "optimism_high": interval.high}
    assert {name: run.data.metrics[name] for name in expected} == pytest.approx(expected)
    protocol = outer.found.protocol
    assert protocol_of(run).facts == protocol.facts
    # Each search leaves one of four speakers out, and judges this speaker by the networks of its three folds together
    assert outer.found.networks == run.data.tags[NETWORKS_TAG] == "3"
    assert protocol.fingerprint not in {start.protocol.fingerprint for start in outer.resumed.started}
    assert re.fullmatch("4 nested searches, SHA-256 [0-9a-f]{64}", protocol.facts["folds"])
    assert "never saw" in protocol.facts["score"]


def test_the_leaderboard_lists_it_apart_from_its_searches(outer: Outer) -> None:
    entries = leaderboard(Workspace(outer.project)).entries
    assert [entry.evaluation for entry in entries] == ["nested"] + ["held-out"] * 4
    (run,) = _runs_of_its_own(outer)
    assert (entries[0].run.info.run_id, entries[0].source) == (run.info.run_id, "study outer")
    assert (entries[0].model, entries[0].features) == (entries[1].model, entries[1].features)


def _plant_interval(outer: Outer, fold: OuterFold) -> None:
    workspace, (study, _) = Workspace(outer.project), load_study(fold.study, outer.project)
    (run,) = workspace.client.search_runs(
        [experiment.experiment_id for experiment in workspace.client.search_experiments()],
        f"tags.`{STUDY_TAG}` = '{study.user_attrs['study_id']}' and tags.`{TRIAL_TAG}` = '{fold.best_trial}'",
    )
    workspace.client.log_metric(run.info.run_id, "validation_uar_low", 0.1)
    workspace.client.log_metric(run.info.run_id, "validation_uar_high", 0.9)


def test_the_command_tells_of_every_search_and_registers_nothing(
    outer: Outer, call: Callable[..., Any], study_file: Path, corpus_csv: Path
) -> None:
    settings = [f"--set={path}={value}" for path, value in QUICK.items()]
    corpus = ("--corpus", "manifest", "--data", corpus_csv, "--set", "protocol.folds=none")
    inners = [f"{fold.inner_score:.4f} [0.100, 0.900]" for fold in outer.found.folds]
    for fold in outer.found.folds:  # of networks that name one class whatever they hear no interval is known
        _plant_interval(outer, fold)
    told = call(outer.project.root, "study", study_file, *corpus, "--name", "outer", "--nested", *settings)
    assert told.code == 0, told.err
    header, *rows, _, pooled, summary, last, following = told.out.splitlines()
    assert pooled.split()[:3] == ["outer,", "pooled", f"{outer.found.outer['uar'].value:.4f}"]
    assert header.split("  ")[0] == "study"
    assert [row.split() for row in rows] == [
        [
            *(fold.study, *fold.speakers, str(fold.best_trial), *inner.split()),
            *describe_score(fold.selection.metrics, "corrected_uar").split(),
            f"{fold.outer_single_score:.4f}",
        ]
        for fold, inner in zip(outer.found.folds, inners, strict=True)
    ]
    assert summary.startswith(
        f"single networks, mean over 4 speakers: inner UAR {outer.found.inner_score:.4f} in the searches that saw the "
        f"speaker, outer UAR {outer.found.outer_single_score:.4f}"
    )
    optimism = with_interval(outer.found.optimism, outer.found.optimism_interval, "+")
    assert f"optimism {optimism}; protocol {outer.found.protocol.fingerprint}" in summary
    assert last == "nothing is registered: run the study without --nested for a champion"
    assert following == "next: ser-tune evaluate outer --corpus manifest"
    assert call(outer.project.root, "models").out == ""
    assert len(_runs_of_its_own(outer)) == 1  # the same command tells of the same run


def test_its_speakers_are_evaluated_by_the_searches_that_never_saw_them(outer: Outer) -> None:
    found = evaluate("outer", corpus="manifest", project=outer.project)
    assert found.evaluation.overall.scores["uar"].value == outer.found.outer["uar"].value
    setup = found.evaluation.setup
    collected = [name for fold in outer.found.folds for name in fold.predictions.utterances]
    assert [utterance.id for utterance in setup.utterances] == collected
    assert "nested: no network was trained or chosen by the speakers that it judges" in setup.notes
    (run,) = _runs_of_its_own(outer)
    logged = Workspace(outer.project).client.get_run(found.run_id)
    assert logged.data.tags["mlflow.parentRunId"] == run.info.run_id
    assert logged.data.metrics["evaluation_uar"] == outer.found.outer["uar"].value
    # Recordings that are put in place of the corpus's are judged by the same networks
    same = Condition("unchanged", "", lambda speech, rng, babble: speech)
    silent = Condition("silence", "", lambda speech, rng, babble: np.zeros_like(speech))
    np.testing.assert_allclose(setup.networks.outputs(same), setup.networks.outputs(), atol=1e-5)
    assert np.abs(setup.networks.outputs(silent) - setup.networks.outputs()).max() > 1e-3


def test_a_nested_study_is_evaluated_on_its_own_corpus_alone(outer: Outer) -> None:
    with pytest.raises(ConfigError, match=r"'outer' is a nested study of manifest, .* a corpus of it, not demo"):
        evaluate("outer", corpus="demo", project=outer.project)


@pytest.mark.parametrize(
    "command",
    [
        ("compare", "outer", "outer-outer00"),
        ("compare", "outer-outer00", "outer"),
        ("combine", "outer", "outer-outer00"),
        ("replay", "outer"),
        ("replay", "outer:0"),
        ("report", "outer"),
    ],
    ids=" ".join,
)
def test_a_command_that_needs_a_trial_refuses_a_nested_study(
    outer: Outer, call: Callable[..., Any], command: tuple[str, ...]
) -> None:
    told = call(outer.project.root, *command)
    told.refused("'outer' is a nested study, which has scores but no trials; name a search of it, such as 'outer-")


@pytest.mark.parametrize("command", ["promote", "confirm", "status"])
def test_a_command_that_needs_a_search_lists_those_of_a_nested_study(
    outer: Outer, call: Callable[..., Any], command: str
) -> None:
    told = call(outer.project.root, command, "outer")
    told.refused("no study 'outer' in")
    assert "outer-outer00" in told.err


def test_each_search_starts_from_the_search_that_held_out_the_same_speakers(
    outer: Outer, tiny: Callable[..., Any], study_file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    other = tmp_path / "other.yaml"  # whose default is not that of the earlier searches
    other.write_text(study_file.read_text(encoding="utf-8").replace("0.003", "0.01"), encoding="utf-8")
    searches: list[Any] = []

    def search(_: Workspace, prepared: Any, *__: object) -> OuterFold:
        """Kept, and not run."""
        searches.append(prepared)
        return outer.found.folds[len(searches) - 1]

    monkeypatch.setattr("ser_tune.experiments.nested.run_study", lambda *_, **__: None)
    monkeypatch.setattr("ser_tune.experiments.nested._outer_fold", search)
    warm = {"name": "warm", "study.warm_start": ["outer"], "study.trials": 4}
    nested(outer.project, lambda _, **settings: tiny(other, **settings), Watch(), **warm)
    assert [search.definition.config.study.warm_start for search in searches] == [
        (f"outer-outer0{n}",) for n in range(4)
    ]
    for prepared in searches:  # of the same protocol, which a study with the outer speakers is not
        default, taken = (trial.values for trial in first_trials(prepared, outer.project))
        assert (default[RATE], taken[RATE]) == (0.01, 0.003)


def test_a_nested_study_does_not_start_from_trials_that_its_outer_speakers_chose(
    outer: Outer, tiny_of: Callable[..., Any]
) -> None:
    watch = Watch()
    with pytest.raises(StudyError, match=r"study 'outer-outer00' is not a nested study of 4 searches, .* have chosen"):
        nested(outer.project, tiny_of, watch, name="warm", **{"study.warm_start": ["outer-outer00"]})
    assert not watch.started
