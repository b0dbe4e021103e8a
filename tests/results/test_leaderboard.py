"""The best of every kind, by what chose it, and never beside another protocol."""

from itertools import count
from typing import Any

import pytest

from ser_tune.protocol import Protocol
from ser_tune.results import Entry, Leaderboard, leaderboard
from ser_tune.tracking import (
    BEST_TAG,
    CONFIRMED_TAG,
    CONFIRMS_TAG,
    NETWORKS_TAG,
    STUDY_NAME_TAG,
    STUDY_TAG,
    TRIAL_TAG,
    Workspace,
    protocol_tags,
)

FACTS = {
    "corpus": "emodb",
    "emotions": ("anger", "joy", "fear"),
    "merged": (),
    "styles": (),
    "folds": "10: a/b",
    "normalisation_scope": "train",
}
WIDTHS = count(1)
"""Planted trials are of unlike configurations, unless a test tells their width."""


@pytest.fixture
def workspace(project: Any) -> Workspace:
    return Workspace(project)


def _plant(
    workspace: Workspace, validation: float, test: float | None = None, objective: str = "uar", **how: Any
) -> str:
    """A complete trial, in an otherwise empty store; returns its run."""
    if objective != "uar":
        how["objectives"] = (objective,)
    params = {"model.name": how.pop("model", "alex_net"), "features.name": how.pop("features", "logspec")}
    params |= {"seed": how.pop("seed", "0"), "model.width": how.pop("width", str(next(WIDTHS)))}
    tags = {STUDY_TAG: "s", STUDY_NAME_TAG: "one", TRIAL_TAG: "0", **protocol_tags(Protocol(facts={**FACTS, **how}))}
    run_id = str(workspace.client.create_run("0", tags=tags).info.run_id)
    for name, value in params.items():
        workspace.client.log_param(run_id, name, value)
    workspace.client.log_metric(run_id, f"validation_{objective}", validation)
    workspace.client.log_metric(run_id, "validation_wa", validation)
    if test is not None:
        workspace.client.log_metric(run_id, f"test_{objective}", test)
    workspace.client.set_terminated(run_id)
    return run_id


def test_the_best_of_a_kind_is_so_by_validation_and_not_by_test(workspace: Workspace) -> None:
    _plant(workspace, 0.6, 0.9)
    best = _plant(workspace, 0.7, 0.5)
    _plant(workspace, 0.65, 0.95)
    (entry,) = leaderboard(workspace).entries
    assert entry.run.info.run_id == best
    assert (entry.trials, entry.rank, entry.source) == (3, 1, "study one")


def test_kinds_are_ranked_by_validation_and_not_by_test(workspace: Workspace) -> None:
    _plant(workspace, 0.7, 0.9, model="alex_net")
    _plant(workspace, 0.8, 0.5, model="fcn_attention")
    _plant(workspace, 0.75, 0.99, model="alex_net", features="logmelspec")
    found = [(entry.rank, entry.model, entry.features) for entry in leaderboard(workspace).entries]
    assert found == [
        (1, "fcn_attention", "logspec"),
        (2, "alex_net", "logmelspec"),
        (3, "alex_net", "logspec"),
    ]


def _plant_nested(
    workspace: Workspace, outer: float, *, inner: float = 0.99, model: str = "alex_net", scope: str = "train"
) -> str:
    """The run of a nested study."""
    facts = {**FACTS, "folds": "10 nested searches, SHA-256 0", "normalisation_scope": scope}
    run_id = str(
        workspace.client.create_run("0", tags={STUDY_NAME_TAG: "n", **protocol_tags(Protocol(facts=facts))}).info.run_id
    )
    workspace.client.log_param(run_id, "model.name", model)
    workspace.client.log_param(run_id, "features.name", "logspec")
    for name, value in {"inner_uar": inner, "outer_uar": outer, "outer_wa": outer}.items():
        workspace.client.log_metric(run_id, name, value)
    workspace.client.set_terminated(run_id)
    return run_id


def test_nested_held_out_and_cross_validated_results_are_listed_apart(workspace: Workspace) -> None:
    crossed = _plant(workspace, 0.9, 0.9)
    held_out = _plant(workspace, 0.8, 0.8, holdout="ada")
    workspace.client.log_metric(held_out, "holdout_uar", 0.5)
    better, worse = _plant_nested(workspace, 0.7, model="fcn_gap"), _plant_nested(workspace, 0.6)
    board = leaderboard(workspace)
    assert [(entry.evaluation, entry.rank, entry.run.info.run_id) for entry in board.entries] == [
        ("nested", 1, better),
        ("nested", 2, worse),
        ("held-out", 1, held_out),
        ("cross-validated", 1, crossed),
    ]
    assert [entry.protocol.n_folds for entry in board.entries] == [10] * 4
    # What no search used is in columns of its own; a cross-validated result has nothing of the kind
    assert board.table["outer_uar"].tolist()[:3] == [0.7, 0.6, 0.5]
    assert board.table["outer_uar"].isna().tolist() == [False, False, False, True]
    assert board.table["test_uar"].isna().tolist() == [True, True, False, False]
    assert board.table["validation_uar"].tolist() == [0.99, 0.99, 0.8, 0.9]


def test_every_entry_tells_how_many_networks_judged_together(workspace: Workspace) -> None:
    _plant(workspace, 0.9, 0.9, model="alex_net")
    ensemble = _plant(workspace, 0.8, 0.8, model="fcn_gap")
    workspace.client.log_param(ensemble, "model.networks", "3")
    held_out = _plant(workspace, 0.7, 0.8, holdout="ada")
    workspace.client.log_metric(held_out, "holdout_uar", 0.6)
    workspace.client.log_metric(held_out, "holdout_single_uar", 0.5)
    told, untold = _plant_nested(workspace, 0.7, model="fcn_gap"), _plant_nested(workspace, 0.6)
    workspace.client.set_tag(told, NETWORKS_TAG, "9")
    board = leaderboard(workspace)
    assert {entry.run.info.run_id: entry.networks for entry in board.entries if entry.evaluation == "nested"} == {
        told: "outer 9",
        untold: "outer unknown",  # of an earlier version
    }
    found = {(entry.evaluation, entry.model): entry.networks for entry in board.entries}
    assert found["cross-validated", "alex_net"] == "1"
    assert found["cross-validated", "fcn_gap"] == "3"
    assert found["held-out", "alex_net"] == "1, outer 10"
    assert board.table["networks"].tolist() == [entry.networks for entry in board.entries]
    assert board.table["outer_single_uar"].dropna().tolist() == [0.5]


@pytest.mark.slow
def test_evaluations_are_in_one_order_whatever_their_fingerprints_and_scores(workspace: Workspace) -> None:
    scopes = ("train", "utterance", "speaker (transductive)")
    for scope in scopes:
        _plant(workspace, 0.99, 0.99, normalisation_scope=scope)
        _plant(workspace, 0.98, 0.98, normalisation_scope=scope, holdout="ada")
        _plant_nested(workspace, 0.5, inner=0.5, scope=scope)
    evaluations = [entry.evaluation for entry in leaderboard(workspace).entries]
    assert evaluations == [kind for kind in ("nested", "held-out", "cross-validated") for _ in scopes]


def test_outer_scores_do_not_choose_among_nested_studies_of_one_kind(workspace: Workspace) -> None:
    chosen = _plant_nested(workspace, 0.6, inner=0.9)
    _plant_nested(workspace, 0.7, inner=0.8)
    (entry,) = leaderboard(workspace).entries
    assert (entry.run.info.run_id, entry.trials) == (chosen, 2)


def test_of_equals_the_oldest_stands_there(workspace: Workspace) -> None:
    oldest = _plant(workspace, 0.7)
    _plant(workspace, 0.7)
    assert leaderboard(workspace).entries[0].run.info.run_id == oldest


def test_a_study_that_confirmed_its_best_is_represented_by_the_seed_that_it_chose(workspace: Workspace) -> None:
    scores = {"0": 0.9, "1": 0.8, "2": 0.95, "3": 0.7}  # two searched, and the second of them on two fresh seeds
    runs = {
        number: _plant(workspace, score, seed=number, width=str(int(number != "0"))) for number, score in scores.items()
    }
    for number, run_id in runs.items():
        workspace.client.set_tag(run_id, TRIAL_TAG, number)
    for number in ("2", "3"):
        workspace.client.set_tag(runs[number], CONFIRMED_TAG, "1")
    workspace.client.create_run("0", tags={STUDY_TAG: "s", BEST_TAG: "3"})
    (entry,) = leaderboard(workspace).entries
    assert entry.run.info.run_id == runs["3"]
    assert (entry.trials, entry.seeds) == (4, 2)
    assert entry.scores["validation_uar"] == pytest.approx((0.95 + 0.7) / 2)  # and not the best seed's


@pytest.mark.slow
def test_seeds_of_a_configuration_are_one_result_that_is_their_mean(workspace: Workspace) -> None:
    seeds = [_plant(workspace, score, width="0.5", seed=str(place)) for place, score in enumerate((0.6, 0.95, 0.7))]
    _plant(workspace, 0.74)  # one seed, worse than the best of three, but no worse than their mean
    _plant(workspace, 0.8, width="0.5", seed="1", model="fcn_gap")
    first, second = leaderboard(workspace).entries
    assert (first.model, second.model, second.seeds) == ("fcn_gap", "alex_net", 3)
    assert second.scores["validation_uar"] == pytest.approx(0.75)
    assert second.run.info.run_id == seeds[2]  # the median one
    assert leaderboard(workspace).table["validation_uar"].tolist() == pytest.approx([0.8, 0.75])


def test_a_search_that_was_confirmed_later_is_represented_by_the_fresh_seeds(workspace: Workspace) -> None:
    _plant(workspace, 0.9)
    for seed, score in enumerate((0.7, 0.8)):
        run_id = _plant(workspace, score, width="0.5", seed=str(seed))
        workspace.client.set_tag(run_id, STUDY_TAG, "again")
        workspace.client.set_tag(run_id, CONFIRMS_TAG, "s")
    (entry,) = leaderboard(workspace).entries
    assert (entry.seeds, entry.scores["validation_uar"]) == (2, pytest.approx(0.75))


def test_each_protocol_has_ranks_of_its_own(workspace: Workspace) -> None:
    for scope, better in (("train", 0.7), ("speaker (transductive)", 0.9)):
        for worse, model in enumerate(("alex_net", "fcn_gap")):
            _plant(workspace, better - worse / 100, model=model, normalisation_scope=scope)
    entries = leaderboard(workspace).entries
    assert sorted((entry.protocol.facts["normalisation_scope"], entry.rank, entry.model) for entry in entries) == [
        ("speaker (transductive)", 1, "alex_net"),
        ("speaker (transductive)", 2, "fcn_gap"),
        ("train", 1, "alex_net"),
        ("train", 2, "fcn_gap"),
    ]
    # One protocol after the other
    fingerprints = [entry.protocol.fingerprint for entry in entries]
    assert fingerprints[0] == fingerprints[1] != fingerprints[2] == fingerprints[3]


@pytest.mark.slow
@pytest.mark.usefixtures("plugged")
def test_each_objective_is_ranked_by_itself_in_its_own_direction(workspace: Workspace) -> None:
    planted = {"uar": (0.9, 0.8), "error": (0.1, 0.2), "shortfall": (-0.1, -0.2), "wa": (0.0, -0.0)}
    runs = {
        objective: [
            _plant(workspace, score, score, objective, model=model)
            for model, score in zip(("alex_net", "fcn_gap"), scores, strict=True)
        ]
        for objective, scores in planted.items()
    }
    board = leaderboard(workspace)
    found: dict[str, list[Entry]] = {objective: [] for objective in runs}
    for entry in board.entries:
        found[entry.protocol.objective.name].append(entry)
    for objective in ("uar", "error", "shortfall"):  # a score below zero is a score, and so is zero
        ranks = {entry.run.info.run_id: entry.rank for entry in found[objective]}
        assert ranks == {run_id: rank for rank, run_id in enumerate(runs[objective], start=1)}
    assert {entry.run.info.run_id for entry in found["wa"]} == set(runs["wa"])
    # Every objective has its column, and every metric that is computed of an entry
    table = board.table.set_index("run")
    for objective, (better, worse) in planted.items():
        for run_id, score in zip(runs[objective], (better, worse), strict=True):
            assert table.loc[run_id, f"validation_{objective}"] == table.loc[run_id, f"test_{objective}"] == score
    assert table["validation_error"].count() == 2
    assert board.columns["outer_single_error"] == "outer error rate of one network"
    assert list(board.columns)[:4] == [f"validation_{entry.protocol.objective.name}" for entry in _first_of_each(board)]


def _first_of_each(board: Leaderboard) -> list[Entry]:
    return list({entry.protocol.objective.name: entry for entry in reversed(board.entries)}.values())[::-1]


@pytest.mark.usefixtures("plugged")
def test_of_a_kind_the_best_is_so_by_the_objectives_direction(workspace: Workspace) -> None:
    scores = (0.3, 0.1, 0.2)
    runs = [_plant(workspace, score, objective="error") for score in scores]
    (entry,) = leaderboard(workspace).entries
    assert (entry.run.info.run_id, entry.trials) == (runs[1], 3)


@pytest.mark.usefixtures("plugged")
def test_nested_studies_of_another_objective_are_ranked_by_their_outer_scores(workspace: Workspace) -> None:
    for model, outer in (("alex_net", 0.4), ("fcn_gap", 0.3)):
        facts = {**FACTS, "folds": "10 nested searches, SHA-256 0", "objectives": ("error",)}
        run = workspace.client.create_run("0", tags={STUDY_NAME_TAG: "n", **protocol_tags(Protocol(facts=facts))})
        for name, value in {"model.name": model, "features.name": "logspec"}.items():
            workspace.client.log_param(run.info.run_id, name, value)
        for name, value in {"inner_error": 0.1, "outer_error": outer, "outer_single_error": outer}.items():
            workspace.client.log_metric(run.info.run_id, name, value)
        workspace.client.set_terminated(run.info.run_id)
    board = leaderboard(workspace)
    assert [(entry.evaluation, entry.model) for entry in board.entries] == [
        ("nested", "fcn_gap"),
        ("nested", "alex_net"),
    ]
    assert board.table["validation_error"].tolist() == [0.1, 0.1]
    assert board.table["outer_single_error"].tolist() == [0.3, 0.4]


def test_a_board_of_uar_alone_has_the_columns_that_it_always_had(workspace: Workspace) -> None:
    titles = {
        "validation_uar": "validation UAR",
        "test_uar": "test UAR",
        "test_wa": "test WA",
        "outer_uar": "outer UAR",
        "outer_wa": "outer WA",
        "outer_single_uar": "outer UAR of one network",
    }
    assert list(leaderboard(workspace).columns.items()) == list(titles.items())
    _plant(workspace, 0.7)
    assert list(leaderboard(workspace).columns.items()) == list(titles.items())


def test_runs_of_a_plug_in_that_is_gone_are_left_out_with_a_warning(
    workspace: Workspace, caplog: pytest.LogCaptureFixture
) -> None:
    there, gone = _plant(workspace, 0.7), _plant(workspace, 0.2, objective="no_such_metric")
    (entry,) = leaderboard(workspace).entries
    assert entry.run.info.run_id == there
    assert f"run {gone} is left out: unknown metric 'no_such_metric'" in caplog.text


def test_one_corpus_can_be_asked_for(workspace: Workspace) -> None:
    _plant(workspace, 0.7)
    _plant(workspace, 0.8, corpus="iemocap")
    assert [entry.corpus for entry in leaderboard(workspace).entries] == ["emodb", "iemocap"]
    assert [entry.corpus for entry in leaderboard(workspace, "iemocap").entries] == ["iemocap"]
    assert leaderboard(workspace, "tess").entries == []
    assert {published.corpus for published in leaderboard(workspace, "iemocap").published} == {"iemocap"}
    assert leaderboard(workspace).table["corpus"].tolist() == ["emodb", "iemocap"]


def test_a_task_says_styles_emotions_and_merges(workspace: Workspace) -> None:
    _plant(workspace, 0.7)
    _plant(workspace, 0.7, corpus="iemocap", styles="improvised", merged="excitement=happiness")
    tasks = [entry.task for entry in leaderboard(workspace).entries]
    assert tasks == ["3 emotions", "improvised: 3 emotions, excitement=happiness"]


def test_what_is_no_trial_is_not_ranked(workspace: Workspace) -> None:
    workspace.client.delete_tag(_plant(workspace, 0.9), TRIAL_TAG)
    pruned = workspace.client.create_run("0", tags={TRIAL_TAG: "1"}).info.run_id
    workspace.client.log_metric(pruned, "partial_validation_uar", 0.9)
    workspace.client.delete_run(_plant(workspace, 0.95))
    assert leaderboard(workspace).entries == []


def test_a_real_study_is_an_entry(first: Any) -> None:
    (entry,) = leaderboard(first.workspace).entries
    assert (entry.corpus, entry.task, entry.source, entry.trials) == ("manifest", "2 emotions", "study first", 3)
    assert entry.protocol.fingerprint == first.prepared.protocol.fingerprint
    assert entry.run.info.run_id == first.runs[first.study.best_trial.number].info.run_id
    assert "test_uar" in entry.run.data.metrics
