"""Study files, and definitions of an architecture with a published configuration."""

from collections.abc import Callable
from pathlib import Path

import pytest

from ser_tune.definition import StudyDefinition
from ser_tune.search import define_study, read_assignments


@pytest.fixture
def written(tmp_path: Path) -> Callable[[str], Path]:
    def _written(text: str) -> Path:
        file = tmp_path / "study.yaml"
        file.write_text(text, encoding="utf-8")
        return file

    return _written


def define(*assignments: str, file: Path | None = None, **flags: object) -> StudyDefinition:
    """The definition of a study of `3d_acrnn` and EmoDB, with flags and `--set` assignments."""
    return define_study(
        file, flags={"model.name": "3d_acrnn", "corpus.name": "emodb"} | flags, settings=read_assignments(assignments)
    )
