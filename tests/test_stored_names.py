"""Names that no store has are refused before MLflow and Optuna are imported, with the sentences of the slow way."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import optuna
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ser_tune.coordination import load_study, open_storage
from ser_tune.errors import SerTuneError
from ser_tune.registry import find_version
from ser_tune.results import find_run
from ser_tune.stored_names import (
    STUDY_NAME_TAG,
    model_references,
    refuse_unknown_model,
    refuse_unknown_result,
    refuse_unknown_study,
)
from ser_tune.tracking import STUDY_TAG, TRIAL_TAG, Workspace

STUDIES = ("first", "Größe:2", "it's", "gone", "back", "ruhend\n", "名前")
MODELS = ("ser-a", "ünï", "a.1", "it's")
UNKNOWN = re.compile("is no registered model, study or run|^no run|^no registered model|^no study")


def _refusal(call: Callable[[], Any]) -> str | None:
    try:
        call()
    except SerTuneError as error:
        return str(error)
    return None


def _unknown(call: Callable[[], Any]) -> str | None:
    """The refusal of an unknown name; None of a known name, whatever else is wrong with it."""
    return refused if (refused := _refusal(call)) is not None and UNKNOWN.search(refused) else None


@pytest.fixture
def planted(project: Any) -> Workspace:
    """Odd names of studies and models; `gone` is deleted, `back` was restored, a prompt is no model."""
    workspace, storage = Workspace(project), open_storage(project)
    for study in STUDIES:
        optuna.create_study(study_name=study, storage=storage)
        tags = {STUDY_TAG: study, STUDY_NAME_TAG: study, TRIAL_TAG: "0"}
        run_id = workspace.client.create_run("0", tags=tags).info.run_id
        if study in ("gone", "back"):
            workspace.client.delete_run(run_id)
    workspace.client.restore_run(
        next(run.info.run_id for run in workspace.client.search_runs(["0"], "tags.`ser_tune.study` = 'back'", 2))
    )
    for model in MODELS:
        workspace.client.create_registered_model(model)
    workspace.client.register_prompt("prompt", "text")
    return workspace


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    name=st.sampled_from([*STUDIES, *MODELS, "First", "FIRST", "0" * 32, "", "Gro\u0308ße:2"])
    | st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=8),
    end=st.sampled_from(["", ":0", ":7", "@champion", "/1", "@", "/", ":"]),
)
def test_an_early_refusal_is_that_of_the_slow_way(planted: Workspace, name: str, end: str) -> None:
    project, reference = planted.project, name + end
    assert _refusal(lambda: refuse_unknown_result(reference, project)) == _unknown(lambda: find_run(planted, reference))
    assert _refusal(lambda: refuse_unknown_model(reference, project)) == _unknown(
        lambda: find_version(planted, reference)
    )
    assert _refusal(lambda: refuse_unknown_study(reference, project)) == _unknown(
        lambda: load_study(reference, project)
    )


def test_what_is_or_may_be_there_is_not_refused(planted: Workspace) -> None:
    project = planted.project
    run = next(iter(planted.client.search_runs(["0"]))).info.run_id
    for reference in (run, "gone", "gone:0", "first:9"):
        refuse_unknown_result(reference, project)
    refuse_unknown_model("gone", project, or_study=True)
    assert _refusal(lambda: refuse_unknown_model("other", project, or_study=True))
    waiting = project.outbox / "record"
    waiting.mkdir(parents=True)
    (waiting / "record.json").touch()
    refuse_unknown_result("of the outbox", project)
    refuse_unknown_model("of the outbox", project, or_study=True)


def test_servers_and_damaged_databases_are_left_to_those_who_open_them(project: Any, tmp_path: Any) -> None:
    (tmp_path / "text.db").write_text("no database" * 100, encoding="utf-8")
    for url in ("http://127.0.0.1:9", f"sqlite:///{tmp_path}/text.db", "postgresql://127.0.0.1:9/none"):
        other = type(project)(project.root, url, url, project.cache)
        refuse_unknown_study("x", other)
        refuse_unknown_model("x", other)
        refuse_unknown_result("x", other)
        assert model_references(url) == []
    missing = f"sqlite:///{tmp_path}/missing.db"
    other = type(project)(project.root, missing, missing, project.cache)
    assert _refusal(lambda: refuse_unknown_study("x", other)) == f"no study 'x' in {missing}; it has: none"
    assert not (tmp_path / "missing.db").exists()
