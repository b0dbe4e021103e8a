"""Finding models by name, alias and version; every miss lists what there is."""

from pathlib import Path
from typing import Any

import pytest

from ser_tune.errors import AudioError, RegistryError
from ser_tune.prediction import Predictor
from ser_tune.project import Project
from ser_tune.registry import find_version, list_versions, listed_versions, load_model
from ser_tune.registry.verdict import claim_alias, decide
from ser_tune.registry.versions import aliases_of, champion_alias
from ser_tune.search import define_study
from ser_tune.tracking import Workspace

NAME = "ser-manifest-alex_net"


@pytest.fixture
def workspace(finished: Any, monkeypatch: pytest.MonkeyPatch) -> Workspace:
    monkeypatch.setenv("SER_TUNE_ROOT", str(finished.root))
    return Workspace(Project.locate())


@pytest.mark.parametrize("reference", [NAME, f"{NAME}@champion", f"{NAME}/1"])
def test_a_reference_is_a_name_an_alias_or_a_version(workspace: Workspace, reference: str) -> None:
    found = find_version(workspace, reference)
    assert (found.name, str(found.version)) == (NAME, "1")


@pytest.mark.parametrize(
    ("reference", "message"),
    [
        ("nobody", f"no registered model 'nobody'; there are: {NAME}"),
        (f"{NAME}@king", f"'{NAME}' has no alias 'king'; it has: champion"),
        (f"{NAME}@", f"'{NAME}' has no alias ''; it has: champion"),
        (f"{NAME}/7", f"'{NAME}' has no version '7'; it has: 1"),
        (f"{NAME}/", f"'{NAME}' has no version ''; it has: 1"),
        (f"{NAME}/latest", f"'{NAME}' has no version 'latest'; it has: 1"),
    ],
)
def test_what_does_not_exist_is_answered_with_what_does(workspace: Workspace, reference: str, message: str) -> None:
    with pytest.raises(RegistryError, match=message):
        find_version(workspace, reference)


def test_champions_of_two_tasks_of_a_model_never_replace_each_other(planting: Any) -> None:
    workspace, name, right = planting.workspace, planting.name, [[True, False]] * 2
    for contested in ("champion", "votes"):
        run = planting.run(right)
        verdict = decide(workspace, name, run, "better", None, contested=contested)
        assert (verdict.alias, verdict.wins, verdict.champion) == (contested, True, None)
        version = str(workspace.client.create_model_version(name, source="x", run_id=run.info.run_id).version)
        claim_alias(workspace, name, version, verdict, pytest.fail)
        if contested == "votes":
            assert decide(workspace, name, planting.run([[True, True]] * 2), "better", None).champion == "1"
    assert aliases_of(workspace, name) == {"champion": "1", "votes": "2"}
    verdict = decide(workspace, name, planting.run(right), "better", None, contested="votes")
    assert (verdict.alias, verdict.wins, verdict.tags["compared_with"]) == ("votes-challenger", False, "version 2")


def test_a_name_without_champion_is_answered_with_an_alias_to_add(planting: Any) -> None:
    client, name = planting.workspace.client, planting.name
    client.set_registered_model_alias(name, "votes", str(client.create_model_version(name, source="x").version))
    with pytest.raises(RegistryError, match=rf"no alias 'champion'; it has: votes; .* such as {name}@votes"):
        find_version(planting.workspace, name)


@pytest.mark.parametrize(
    ("written", "alias"),
    [
        ({}, "champion"),
        ({"corpus.task": "votes"}, "votes"),
        ({"task.name": "distribution"}, "distribution"),
        ({"corpus.task": "votes", "task.name": "classification"}, "champion"),
        ({"corpus.task": "votes", "task.name": "multilabel"}, "multilabel"),
        ({"corpus.task": "dimensions"}, "dimensions"),
        ({"task.name": "levels"}, "champion"),
    ],
)
@pytest.mark.usefixtures("plugged")
def test_a_label_that_brings_its_task_is_the_alias_of_its_champion(written: dict[str, str], alias: str) -> None:
    settings = {"model.name": "linear_probe", **written}
    assert champion_alias(define_study(None, flags={}, settings=settings)) == alias


def test_an_empty_registry_says_so(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SER_TUNE_ROOT", str(root))
    with pytest.raises(RegistryError, match="no registered model 'x'; there are: none"):
        load_model("x")


def test_versions_are_listed_with_aliases_and_tags(workspace: Workspace) -> None:
    (version,) = list_versions(workspace)
    assert (version.name, version.version, version.aliases) == (NAME, "1", ("champion",))
    assert version.tags["corpus"] == "manifest"


def test_the_projects_database_lists_what_mlflow_lists(finished_copy: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SER_TUNE_ROOT", str(finished_copy.root))
    workspace = Workspace(Project.locate())
    source = workspace.client.get_model_version(NAME, "1").source
    for name, version in ((NAME, "2"), (NAME, "3"), ("other", "1")):
        if name == "other":
            workspace.client.create_registered_model(name)
        workspace.client.create_model_version(name, source=source, tags={"study": version})
    workspace.client.set_registered_model_alias(NAME, "best", "3")
    workspace.client.delete_model_version(NAME, "2")
    listed = listed_versions(Project.locate())
    assert [(version.name, version.version) for version in listed] == [("other", "1"), (NAME, "3"), (NAME, "1")]
    assert listed == list_versions(workspace)


def test_a_loaded_model_raises_errors_that_can_be_caught(workspace: Workspace, tmp_path: Path) -> None:
    # The model runs its own copy of the package, whose classes are others
    model = load_model(NAME)
    assert not isinstance(model._predictor, Predictor)
    with pytest.raises(AudioError, match=r"no\.wav does not exist"):
        model.predict([tmp_path / "no.wav"])
    with pytest.raises(AudioError, match="has no sample rate"):
        model.predict([[0.0] * 9000])  # type: ignore[list-item]


def test_a_loaded_model_tells_its_labels_and_recipe(workspace: Workspace) -> None:
    model = load_model(NAME)
    assert model.labels == ("anger", "joy")
    assert (model.recipe.model.name, model.recipe.normalisation.scope) == ("alex_net", "train")
