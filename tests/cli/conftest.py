"""Projects that several files of this folder read."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.annotated_studies import run_studies


@pytest.fixture(scope="session")
def registered(
    databases: Path, once: Callable[..., Path], call: Callable[..., Any], make_corpus: Callable[..., Path]
) -> tuple[Path, Path]:
    """A project with a champion of each task, and a recording; do not change it."""
    folder = once("registered-tasks", lambda folder: run_studies(folder, databases, call, make_corpus))
    return folder / "project", next((folder / "corpus").glob("*.wav"))
