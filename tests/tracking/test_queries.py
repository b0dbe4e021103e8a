"""Questions to a real store: any name is found and no other, on every page."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ser_tune.project import Project
from ser_tune.registry import list_versions
from ser_tune.tracking import Workspace, model_versions, queries, registered_models, search_runs

KEY = "ser_tune.study"
NAMES = (
    *("plain", "it's", 'say "a"', 'it\'s "a/b" 😀', "back\\", "back\\' x", "100%_a", "100%xa", "PLAIN", "`tick`", "'"),
    *(
        "x -- y",
        "a; b",
        "a, b (c)",
        "AND tags.`a` = 'b'",
        "''",
        '"',
        '""',
        "日本語",
        "عربى",
        "its",
        "itXs",
        "it_s",
        " ",
    ),
)


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory, databases: Path) -> tuple[Workspace, str]:
    """A store with a run for each name."""
    root = tmp_path_factory.mktemp("names")
    workspace = Workspace(Project(root, f"sqlite:///{root}/mlflow.db", "sqlite://", root / ".cache"))
    experiment = workspace.client.create_experiment("names")
    for name in NAMES:
        workspace.client.create_run(experiment, tags={KEY: name})
    return workspace, experiment


@pytest.mark.parametrize("name", NAMES)
def test_a_run_is_found_by_any_name_and_no_other_run(store: tuple[Workspace, str], name: str) -> None:
    workspace, experiment = store
    (found,) = search_runs(workspace, experiments=[experiment], tags={KEY: name})
    assert found.data.tags[KEY] == name
    assert list(search_runs(workspace, "metrics.none >= 0", tags={KEY: name})) == []


@pytest.mark.slow
@settings(max_examples=40, deadline=None)
@given(st.text(st.characters(exclude_categories=("Cs", "Cc")), min_size=1, max_size=20))
def test_a_name_that_nobody_has_finds_nothing_and_fails_nowhere(store: tuple[Workspace, str], name: str) -> None:
    workspace, _ = store
    found = [run.data.tags[KEY] for run in search_runs(workspace, tags={KEY: name})]
    assert found == [known for known in NAMES if known == name]


@pytest.mark.slow
def test_models_and_versions_are_read_page_by_page(
    root: Path, project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(queries, "PAGE", 3)
    workspace = Workspace(project)
    names = [f"model {number:02d}" for number in range(7)] + ['it\'s "mine"']
    for name in names:
        workspace.client.create_registered_model(name)
        for _ in range(4 if name == names[-1] else 1):
            workspace.client.create_model_version(name, source=str(root), tags={"kind": name})
        workspace.client.set_registered_model_alias(name, "champion", "1")
    assert {model.name for model in registered_models(workspace)} == set(names)
    assert [(version.name, version.version) for version in list_versions(workspace)] == [
        *((names[-1], version) for version in ("4", "3", "2", "1")),
        *((name, "1") for name in names[:-1]),
    ]
    assert {version.name for version in list_versions(workspace) if version.aliases == ("champion",)} == set(names)
    assert len(list(model_versions(workspace, name=names[-1], tags={"kind": names[-1]}))) == 4


def test_every_experiment_is_asked(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(queries, "PAGE", 2)
    workspace = Workspace(project)
    for number in range(5):
        workspace.client.create_run(workspace.client.create_experiment(f"corpus {number}"), tags={KEY: "name"})
    assert len(list(search_runs(workspace, tags={KEY: "name"}))) == 5


def test_a_version_with_damaged_tags_hides_no_other(call: Callable[..., Any], root: Path, project: Project) -> None:
    workspace = Workspace(project)
    workspace.client.create_registered_model("ser-a-b")
    damaged = {"validation_uar_fold_mean": "0.5", "validation_uar_low": "[]"}
    for tags in ({"test_uar": "abc", "warnings": "w"}, {"test_uar": "0.5", **damaged}, {}):
        workspace.client.create_model_version("ser-a-b", source=str(root), tags={"ser_tune.files": "{not JSON", **tags})
    told = call(root, "models")
    assert told.code == 0
    assert len(told.out.splitlines()) == 4 + 3
    assert "warning: ser-a-b version 1: test_uar is 'abc', no number" in told.out
    assert "warning: ser-a-b version 2: validation_uar_low is '[]', no number" in told.out
    assert call(root, "models", "--json").code == 0
    call(root, "predict", "ser-a-b/1", "a.wav").refused("its tag ser_tune.files is not the list of its files")
