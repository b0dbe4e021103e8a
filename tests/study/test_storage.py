"""Optuna's database fails in one sentence."""

import sqlite3
from pathlib import Path

import pytest
from optuna.exceptions import StorageInternalError
from sqlalchemy.exc import OperationalError

from ser_tune.config import Project
from ser_tune.errors import StorageError
from ser_tune.study import open_storage
from ser_tune.study.storage import storage_errors


def _at(url: str, root: Path) -> Project:
    return Project(root=root, tracking_uri="sqlite://", storage_url=url, cache=root)


@pytest.mark.parametrize("url", ["sqlite:////proc/nowhere/optuna.db", "nonsense", "nosuch://x/y"])
def test_a_database_that_cannot_be_opened_is_named(url: str, tmp_path: Path) -> None:
    with pytest.raises(StorageError, match=rf"the study database '{url}' cannot be opened: .+"):
        open_storage(_at(url, tmp_path))


def test_a_file_that_is_no_database_is_named(tmp_path: Path) -> None:
    (tmp_path / "optuna.db").write_text("this is a text of more than a hundred bytes " * 5)
    with pytest.raises(StorageError, match="file is not a database"):
        open_storage(_at(f"sqlite:///{tmp_path}/optuna.db", tmp_path))


def test_a_full_disk_is_told_by_its_cause() -> None:
    full = OperationalError("INSERT INTO trials", {}, sqlite3.OperationalError("database or disk is full"))
    with (
        pytest.raises(StorageError, match=r"^the study database 'x' cannot be written: database or disk is full$"),
        storage_errors("x", "be written"),
    ):
        raise StorageInternalError("An exception is raised during the commit.") from full


def test_a_full_disk_is_told_where_optuna_cannot_even_write_the_failure() -> None:
    def fail() -> None:
        try:
            raise StorageInternalError("the commit") from sqlite3.OperationalError("database or disk is full")
        finally:
            raise AssertionError("Should not reach.")

    with (
        pytest.raises(StorageError, match="cannot be written: database or disk is full"),
        storage_errors("x", "be written"),
    ):
        fail()
    with pytest.raises(AssertionError, match="ours"), storage_errors("x", "be written"):
        raise AssertionError("ours")


def test_errors_of_other_files_pass() -> None:
    with pytest.raises(FileNotFoundError), storage_errors("x", "be written"):
        raise FileNotFoundError("a recording")
