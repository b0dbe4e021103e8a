"""A study whose table names recordings of another folder: the user allows it once, and the study remembers it."""

import csv
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from ser_tune.coordination import load_study
from ser_tune.corpora.manifest import ALLOWED_FOLDERS
from ser_tune.definition import StudyDefinition
from ser_tune.errors import CorpusError
from ser_tune.project import Project
from ser_tune.protocol import prepare
from ser_tune.protocol.prepared import stored_protocol
from ser_tune.report.scored_recordings import find_recordings


@pytest.fixture
def apart(make_corpus: Callable[..., Path], tmp_path: Path) -> Path:
    """A table whose recordings lie elsewhere, in two folders of one root."""
    source = make_corpus(tmp_path / "sound" / "all")
    table = tmp_path / "tables" / "my.csv"
    table.parent.mkdir()
    with source.open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    for number, row in enumerate(rows):
        place = tmp_path / "sound" / ("one", "two")[number % 2]
        place.mkdir(exist_ok=True)
        row["path"] = str((source.parent / row["path"]).rename(place / row["path"]))
    with table.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)
    return table


@pytest.mark.slow
def test_the_hint_names_the_common_folder_and_the_study_remembers_it(
    run: Callable[..., Any],
    tiny: Callable[..., Any],
    project: Project,
    apart: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv(ALLOWED_FOLDERS, "/other")
    with pytest.raises(CorpusError) as told:
        run(1, **{"corpus.data": apart})
    hint = str(told.value).rpartition(" ")[2]
    assert hint == f"{ALLOWED_FOLDERS}=/other:{tmp_path / 'sound'}"  # what is allowed already stays allowed
    monkeypatch.setenv(*hint.split("=", 1))
    assert run(1, **{"corpus.data": apart}).complete == 1
    # Another shell: the report, a promotion and going on
    monkeypatch.delenv(ALLOWED_FOLDERS)
    study, definition = load_study("one", project)
    assert tmp_path / "sound" in definition.folders
    assert find_recordings(definition, stored_protocol(study), project).utterances
    prepare(definition, project).refuse_other_protocol(study)
    assert run(1, **{"corpus.data": apart}).complete == 1
    assert load_study("one", project)[1].folders == definition.folders
    # Another study was allowed nothing
    with pytest.raises(CorpusError, match="is outside the manifest's folder"):
        prepare(tiny(name="two", **{"corpus.data": apart}), project)


def test_a_study_without_further_folders_is_stored_as_before(tiny: Callable[..., Any], project: Project) -> None:
    written = prepare(tiny(), project).definition.as_json()
    assert '"folders"' not in written
    assert StudyDefinition.from_json(written).folders == ()
