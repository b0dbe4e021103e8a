"""Protocols of tiny studies, on tables that may be changed."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from ser_tune.project import Project
from ser_tune.protocol import Protocol, prepare
from tests.corpus_tables import EMOTIONS, SPEAKERS, Row, write_table


@pytest.fixture(scope="module")
def _recordings_lie_elsewhere(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Several tables name the same recordings, which are not below the tables' folders."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("SER_TUNE_MANIFEST_PATHS", str(tmp_path_factory.getbasetemp()))
        yield


@pytest.fixture
def of(_recordings_lie_elsewhere: None, tiny: Callable[..., Any], tmp_path: Path) -> Callable[..., Protocol]:
    """The protocol of a tiny study with other settings: `of(table, **{"protocol.folds": 4})`."""
    project = Project(tmp_path, "sqlite://", "sqlite://", cache=tmp_path / "cache")

    def _of(data: Path, **flags: object) -> Protocol:
        return prepare(tiny(**{"corpus.data": data} | flags), project).protocol

    return _of


@pytest.fixture(scope="module")
def rows(tmp_path_factory: pytest.TempPathFactory) -> list[Row]:
    """Recordings of six speakers by absolute path; a fingerprint hashes them and decodes none."""
    folder, rows = tmp_path_factory.mktemp("recordings"), []
    for speaker in SPEAKERS:
        for emotion in EMOTIONS:
            path = folder / f"{speaker}_{emotion}.wav"
            path.write_bytes(path.name.encode())
            rows.append({"path": str(path), "speaker": speaker, "emotion": emotion})
    return rows


@pytest.fixture
def table(rows: list[Row], tmp_path: Path) -> Path:
    """The table of these recordings."""
    return write_table(tmp_path, rows)
