"""Files that models have in common are on the disk once, and each model still has all of its files."""

import shutil
from pathlib import Path

import pytest

from ser_tune.tracking import shared_files
from ser_tune.tracking.shared_files import share_files


def _model(folder: Path, weights: bytes, code: bytes = b"code") -> Path:
    (folder / "predictor" / "encoders").mkdir(parents=True)
    (folder / "predictor" / "ser_tune.zip").write_bytes(code)
    (folder / "predictor" / "encoders" / "model.safetensors").write_bytes(weights)
    (folder / "predictor" / "network-00.safetensors").write_bytes(weights)
    return folder


def _content(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def _inodes(*folders: Path) -> int:
    return len({path.stat().st_ino for folder in folders for path in folder.rglob("*") if path.is_file()})


def test_models_share_equal_files_and_keep_their_content(tmp_path: Path) -> None:
    pool = tmp_path / "shared"
    models = [_model(tmp_path / name, weights) for name, weights in (("a", b"1"), ("b", b"1"), ("c", b"2"))]
    before = [_content(model) for model in models]
    for model in (*models, models[0]):  # also a second time
        share_files(model, pool)
    assert [_content(model) for model in models] == before
    assert (_inodes(*models[:2]), _inodes(*models)) == (2 + 2, 3 + 3)  # each has a network of its own
    assert _inodes(*models, pool) == _inodes(*models)
    copy = Path(shutil.copytree(models[1], tmp_path / "copy"))
    assert (_content(copy), _inodes(copy, *models)) == (before[1], _inodes(*models) + 3)


def test_what_no_model_has_any_more_is_removed(tmp_path: Path) -> None:
    pool = tmp_path / "shared"
    for name, weights in (("a", b"1"), ("b", b"2")):
        share_files(_model(tmp_path / name, weights), pool)
    assert len(list(pool.iterdir())) == 3
    shutil.rmtree(tmp_path / "a")
    share_files(_model(tmp_path / "c", b"2"), pool)
    assert sorted(path.read_bytes() for path in pool.iterdir()) == [b"2", b"code"]


def test_a_file_that_somebody_changed_does_not_get_into_other_models(tmp_path: Path) -> None:
    pool = tmp_path / "shared"
    first = _model(tmp_path / "a", b"1")
    share_files(first, pool)
    (first / "predictor" / "ser_tune.zip").write_bytes(b"changed")
    second, third = _model(tmp_path / "b", b"1"), _model(tmp_path / "c", b"1")
    for model in (second, third):
        share_files(model, pool)
        assert (model / "predictor" / "ser_tune.zip").read_bytes() == b"code"
    assert _inodes(second, third) == 2 + 2


def test_a_file_system_without_links_keeps_copies(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refused(*_: object) -> None:
        raise OSError(1, "Operation not permitted")

    monkeypatch.setattr(shared_files.os, "link", refused)
    models = [_model(tmp_path / name, b"1") for name in "ab"]
    for model in models:
        share_files(model, tmp_path / "shared")
    assert _inodes(*models) == 6
    assert _content(models[0]).keys() == _content(models[1]).keys()
