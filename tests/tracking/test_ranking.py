"""Runs are ranked by the objective of their protocol, where a good score is high, low or negative."""

import base64
import json
import zlib
from collections.abc import Callable, Mapping
from typing import Any
from urllib.parse import unquote

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from mlflow.entities import Metric, Run, RunData, RunInfo, RunTag

from ser_tune.metrics import METRICS, Ranking
from ser_tune.project import Project
from ser_tune.protocol import Protocol
from ser_tune.tracking import (
    STUDY_NAME_TAG,
    STUDY_TAG,
    TRIAL_TAG,
    Result,
    Workspace,
    best_first,
    is_complete,
    protocol_tags,
    study_pages,
)
from ser_tune.tracking.mlflow_pages import save_view

OBJECTIVES = ("uar", "error", "shortfall")
SCORES = {"uar": (0.0, 0.2, 0.7), "error": (0.9, 0.2, 0.0), "shortfall": (-1.0, -0.02, 0.0)}
"""Of each objective three, the worst first."""


def _tags(objective: str, trial: int) -> dict[str, str]:
    facts: Mapping[str, Any] = {} if objective == "uar" else {"objectives": (objective,)}
    return {STUDY_TAG: "one", STUDY_NAME_TAG: "one", TRIAL_TAG: str(trial), **protocol_tags(Protocol(facts=facts))}


def _run(objective: str, trial: int, score: float | None) -> Run:
    """A complete trial, or one without a score."""
    metrics = [] if score is None else [Metric(f"validation_{objective}", score, 0, 0)]
    tags = [RunTag(*item) for item in _tags(objective, trial).items()]
    return Run(RunInfo(str(trial), "0", "", "FINISHED", 0, 0, "active"), RunData(metrics=metrics, tags=tags))


@settings(max_examples=30, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(scores=st.lists(st.none() | st.just(float("nan")) | st.sampled_from([-1.0, -0.02, 0.0, 0.3, 1.0]), max_size=6))
def test_the_best_is_first_and_a_missing_score_last(plugged: None, scores: list[float | None]) -> None:
    for objective in OBJECTIVES:
        ranking, runs = Ranking(METRICS.get(objective)), [_run(objective, *numbered) for numbered in enumerate(scores)]
        ranked = best_first(reversed(runs))
        keys = [(-ranking.key(scores[int(run.info.run_id)]), int(run.info.run_id)) for run in ranked]
        assert keys == sorted(keys)
        known = [score for score in scores if score is not None and score == score]
        assert [is_complete(run) for run in ranked] == [True] * len(known) + [False] * (len(scores) - len(known))


@pytest.mark.parametrize("objective", OBJECTIVES)
def test_the_middle_seed_represents_a_result_and_of_two_the_worse(plugged: None, objective: str) -> None:
    worst, middle, best = (_run(objective, *numbered) for numbered in enumerate(SCORES[objective]))
    assert Result((best, worst, middle)).run is middle
    assert Result((best, worst)).run is worst
    assert Result((worst, best)).run is worst
    assert Result((best, worst, middle)).mean == pytest.approx(sum(SCORES[objective]) / 3)
    assert Result((best,)).objective.name == objective


@pytest.fixture
def study(project: Project, plugged: None) -> Callable[[str], Any]:
    """A store with a study of three complete trials, the worst first, one that ended early and one without a score."""

    def _study(objective: str) -> Any:
        workspace = Workspace(project)
        parent = workspace.client.create_run(
            "0", tags={key: value for key, value in _tags(objective, 0).items() if key != TRIAL_TAG}
        )
        for trial, score in enumerate((*SCORES[objective], None)):
            run_id = workspace.client.create_run("0", tags=_tags(objective, trial)).info.run_id
            workspace.client.log_metric(
                run_id, "validation_uar" if score is None and objective != "uar" else "seconds", 1.0
            )
            if score is not None:
                workspace.client.log_metric(run_id, f"validation_{objective}", score)
            workspace.client.set_terminated(run_id)
        workspace.client.set_terminated(parent.info.run_id)
        return workspace, workspace.client.get_run(parent.info.run_id)

    return _study


@pytest.mark.parametrize("objective", OBJECTIVES)
def test_a_saved_view_has_every_scored_trial_the_best_first(study: Callable[[str], Any], objective: str) -> None:
    workspace, parent = study(objective)
    save_view(workspace, parent)
    view = json.loads(workspace.client.get_experiment("0").tags["mlflow.sharedViewState.one"])
    state = json.loads(zlib.decompress(base64.b64decode(view["state"].partition(";")[2])))
    order = f"{state['orderByKey']} {'ASC' if state['orderByAsc'] else 'DESC'}"
    found = workspace.client.search_runs(["0"], state["searchFilter"], order_by=[order])
    assert [run.data.tags[TRIAL_TAG] for run in found] == ["2", "1", "0"]
    assert {f"metrics.`validation_{objective}`", f"metrics.`test_{objective}`"} <= set(state["selectedColumns"])
    (pages,) = study_pages(workspace)
    compared = json.loads(unquote(pages.comparison.partition("runs=")[2].partition("&")[0]))
    assert compared == [run.info.run_id for run in found]


def test_a_study_that_lost_its_saved_view_receives_it_again(study: Callable[[str], Any]) -> None:
    workspace, parent = study("uar")
    save_view(workspace, parent)
    (key,) = (key for key in workspace.client.get_experiment("0").tags if key.startswith("mlflow.sharedViewState"))
    workspace.client.delete_experiment_tag("0", key)
    assert study_pages(workspace, newest=0) == []
    assert key in workspace.client.get_experiment("0").tags


def test_a_study_whose_metric_is_not_installed_any_more_has_no_pages_and_hides_no_others(
    study: Callable[[str], Any], monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    workspace, _ = study("error")
    workspace.client.create_run("0", tags={STUDY_TAG: "two", STUDY_NAME_TAG: "two"})
    monkeypatch.setattr("ser_tune.components._plugins", lambda group: {})
    assert [page.study for page in study_pages(workspace)] == ["two"]
    assert "note: study 'one' has no pages: unknown metric 'error'; choose from: ccc, " in caplog.text
