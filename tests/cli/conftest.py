"""Projects that several files of this folder read."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.annotated_studies import run_studies
from tests.project_copies import copy_project


@pytest.fixture(scope="session")
def registered(
    databases: Path, once: Callable[..., Path], call: Callable[..., Any], make_corpus: Callable[..., Path]
) -> tuple[Path, Path]:
    """A project with a champion of each task, and a recording; do not change it."""
    folder = once("registered-tasks", lambda folder: run_studies(folder, databases, call, make_corpus))
    return folder / "project", next((folder / "corpus").glob("*.wav"))


@pytest.fixture
def copied(registered: tuple[Path, Path], tmp_path: Path) -> tuple[Path, Path]:
    """A copy of the same, and the table of its corpus."""
    return copy_project(registered[0], tmp_path / "project"), registered[1].with_name("annotated.csv")
