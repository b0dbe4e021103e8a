"""A version is loaded only with the files that were promoted."""

import importlib.util
import json
import marshal
import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from ser_tune.errors import RegistryError
from ser_tune.project import Project
from ser_tune.registry import load_model, refuse_changed_model
from ser_tune.tracking import FILES_TAG, MODEL_TAG, Workspace

NAME = "ser-manifest-alex_net"


@pytest.fixture
def workspace(finished_copy: Any, monkeypatch: pytest.MonkeyPatch) -> Workspace:
    monkeypatch.setenv("SER_TUNE_ROOT", str(finished_copy.root))
    return Workspace(Project.locate())


@pytest.fixture
def folder(workspace: Workspace) -> Path:
    """Files of the champion."""
    version = workspace.client.get_model_version(NAME, "1")
    return Path(workspace.client.get_logged_model(version.tags[MODEL_TAG]).artifact_location)


def test_a_version_names_the_digest_of_each_of_its_files(workspace: Workspace, folder: Path) -> None:
    told = json.loads(workspace.client.get_model_version(NAME, "1").tags[FILES_TAG])
    files = {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()}
    assert told.keys() == files - {"registered_model_meta"}
    assert {"MLmodel", "artifacts/predictor/ser_tune.zip", "mlflow_model.py"} <= told.keys()
    assert {len(digest) for digest in told.values()} == {64}


@pytest.mark.parametrize("name", ["mlflow_model.py", "artifacts/predictor/ser_tune.zip", "MLmodel"])
def test_changed_code_does_not_run(workspace: Workspace, folder: Path, name: str, tmp_path: Path) -> None:
    (folder / "mlflow_model.py").write_text(f"open({str(tmp_path / 'ran')!r}, 'w')", encoding="utf-8")
    if name != "mlflow_model.py":  # found first, or the only one that was changed
        (folder / name).write_bytes(b"#" + (folder / name).read_bytes())
    with pytest.raises(RegistryError, match=r"ser-manifest-alex_net/1 is not loaded: its file '.+' was changed after"):
        load_model(NAME)
    assert not (tmp_path / "ran").exists()


def test_changed_weights_are_named(workspace: Workspace, folder: Path) -> None:
    weights = folder / "artifacts" / "predictor" / "network-01.safetensors"
    content = bytearray(weights.read_bytes())
    content[-1] ^= 1
    weights.write_bytes(content)
    with pytest.raises(RegistryError, match=r"its file 'artifacts/predictor/network-01\.safetensors' was changed"):
        load_model(NAME)
    model_id = workspace.client.get_model_version(NAME, "1").tags[MODEL_TAG]
    with pytest.raises(RegistryError, match=r"network-01\.safetensors' was changed"):  # as combine reads it
        refuse_changed_model(workspace, model_id)


def test_files_that_were_added_or_removed_are_named(workspace: Workspace, folder: Path) -> None:
    predictor = folder / "artifacts" / "predictor"
    (predictor / "network-09.safetensors").write_bytes((predictor / "network-00.safetensors").read_bytes())
    with pytest.raises(RegistryError, match=r"network-09\.safetensors' was added"):
        load_model(NAME)
    (predictor / "network-09.safetensors").unlink()
    (predictor / "network-00.safetensors").unlink()
    with pytest.raises(RegistryError, match=r"network-00\.safetensors' is gone"):
        load_model(NAME)


def test_a_version_can_be_loaded_again_and_again(workspace: Workspace) -> None:
    for _ in range(2):
        assert load_model(NAME).labels == ("anger", "joy")
    assert any(name.startswith("ser_tune_") for name in sys.modules)


def test_a_version_without_digests_is_refused_and_its_code_does_not_run(
    workspace: Workspace, folder: Path, tmp_path: Path
) -> None:
    workspace.client.delete_model_version_tag(NAME, "1", FILES_TAG)
    (folder / "mlflow_model.py").write_text(f"open({str(tmp_path / 'ran')!r}, 'w')", encoding="utf-8")
    with pytest.raises(RegistryError, match=r"without digests of its files.*register its trial again with"):
        load_model(NAME)
    assert not (tmp_path / "ran").exists()


@pytest.mark.slow
def test_the_trial_of_a_version_without_digests_can_be_registered_again(
    workspace: Workspace, finished_copy: Any, call: Callable[..., Any]
) -> None:
    workspace.client.delete_model_version_tag(NAME, "1", FILES_TAG)
    with pytest.raises(RegistryError) as refused:
        load_model(NAME)
    remedy = str(refused.value).partition("`ser-tune ")[2].partition("`")[0]
    model_id = workspace.client.get_model_version(NAME, "1").tags[MODEL_TAG]
    with pytest.raises(RegistryError, match="without digests of its files"):  # as combine reads it
        refuse_changed_model(workspace, model_id)
    assert call(finished_copy.root, *remedy.split(), "--rule", "always").code == 0
    assert load_model(NAME).labels == ("anger", "joy")
    refuse_changed_model(workspace, model_id)


def test_a_list_of_models_does_not_show_the_digests(finished: Any, call: Callable[..., Any]) -> None:
    (version,) = json.loads(call(finished.root, "models", "--json").out)
    assert version["corpus"] == "manifest"
    assert FILES_TAG not in version


def _evil(marker: Path) -> str:
    return f"open({str(marker)!r}, 'w').close()\n"


def _compiled(source: str, path: Path) -> Path:
    """Byte code that Python runs without a look at the source."""
    path.parent.mkdir(parents=True, exist_ok=True)
    unchecked = (1).to_bytes(4, "little") + bytes(8)
    path.write_bytes(importlib.util.MAGIC_NUMBER + unchecked + marshal.dumps(compile(source, str(path), "exec")))
    return path


CACHED = Path(importlib.util.cache_from_source("mlflow_model.py"))


@pytest.mark.slow
@pytest.mark.parametrize(
    "name",
    [
        *("json.py", "json/__init__.py", "mlflow_model/__init__.py", "code/json.py", "artifacts/predictor/torch.py"),
        *("json.pyc", "json.abi3.so", "x.pth", "artifacts/predictor/registered_model_meta", "__pycache__/x/y.pyc"),
        *("__pycache__/x.py", "MLMODEL", "sitecustomize.py", "artifacts/predictor/other.zip"),
    ],
)
def test_whatever_python_could_import_is_seen(folder: Path, name: str, tmp_path: Path) -> None:
    (folder / name).parent.mkdir(parents=True, exist_ok=True)
    (folder / name).write_text(_evil(tmp_path / "ran"), encoding="utf-8")
    with pytest.raises(RegistryError, match=rf"its file '{name}' was added"):
        load_model(NAME)
    assert not (tmp_path / "ran").exists()


@pytest.mark.parametrize("name", ["__pycache__", "artifacts/predictor/torch", "registered", "MLmodel", "x.json"])
def test_links_are_refused_wherever_they_lead(folder: Path, name: str, tmp_path: Path) -> None:
    _compiled(_evil(tmp_path / "ran"), tmp_path / "elsewhere" / CACHED.name)
    if (folder / name).exists():
        (folder / name).rename(tmp_path / "same")
        (folder / name).symlink_to(tmp_path / "same")
    else:
        (folder / name).symlink_to(tmp_path / "elsewhere" if "." not in name else tmp_path / "nowhere")
    with pytest.raises(RegistryError, match=rf"its '{name}' is a link"):
        load_model(NAME)
    assert not (tmp_path / "ran").exists()


def test_what_is_neither_a_file_nor_a_folder_is_refused(folder: Path) -> None:
    os.mkfifo(folder / "network-09.safetensors")
    with pytest.raises(RegistryError, match="is neither a file nor a folder"):
        load_model(NAME)


@pytest.mark.parametrize("where", [".", "artifacts/predictor"])
def test_byte_code_of_other_origin_does_not_run(folder: Path, where: str, tmp_path: Path) -> None:
    planted = _compiled(_evil(tmp_path / "ran"), folder / where / CACHED)
    assert load_model(NAME).labels == ("anger", "joy")
    assert not (tmp_path / "ran").exists()
    assert not planted.exists()


def test_loading_leaves_no_byte_code_that_the_next_loading_would_refuse(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "dont_write_bytecode", False)  # as it is where no variable is set
    for _ in range(2):
        assert load_model(NAME).labels == ("anger", "joy")
        assert not list(folder.rglob("*.pyc"))
    assert not sys.dont_write_bytecode


def test_a_version_that_was_promoted_with_byte_code_loads(workspace: Workspace, folder: Path) -> None:
    promoted = json.loads(workspace.client.get_model_version(NAME, "1").tags[FILES_TAG])
    workspace.client.set_model_version_tag(NAME, "1", FILES_TAG, json.dumps({**promoted, str(CACHED): "0" * 64}))
    assert load_model(NAME).labels == ("anger", "joy")


@pytest.mark.parametrize("tag", ["", "{", "[]", "3"])
def test_a_damaged_tag_of_files_is_named(workspace: Workspace, tag: str) -> None:
    workspace.client.set_model_version_tag(NAME, "1", FILES_TAG, tag)
    with pytest.raises(RegistryError, match=r"alex_net/1 is not loaded: its tag ser_tune\.files is not the list"):
        load_model(NAME)
