"""Folds that a user wrote are used as they are, or refused with the reason."""

import csv
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from ser_tune.errors import ConfigError, CorpusError, LeakError
from ser_tune.project import Project
from ser_tune.protocol import prepare

Rows = list[list[str]]
PARTS = ("ada", "bob", ("cyd", "dan"))
"""Who is tested in each fold; the next part validates."""


def _rows(corpus: Any) -> Rows:
    rows = []
    for number, tested in enumerate(PARTS):
        validating = PARTS[(number + 1) % len(PARTS)]
        for one in corpus.utterances:
            side = "test" if one.speaker in tested else "dev" if one.speaker in validating else "train"
            rows.append([one.id, f"f{number}", side])
    return rows


def _write(folder: Path, rows: Sequence[Sequence[str]], header: Sequence[str] = ("path", "fold", "split")) -> Path:
    with (folder / "folds.csv").open("w", encoding="utf-8", newline="") as file:
        csv.writer(file).writerows([header, *rows])
    return folder / "folds.csv"


@pytest.fixture
def drawn(project: Project, tiny: Callable[..., Any]) -> Any:
    """The study with the folds that the program draws, of the same speakers."""
    return prepare(tiny(), project)


@pytest.fixture
def read(project: Project, tiny: Callable[..., Any], tmp_path: Path) -> Callable[..., Any]:
    """Prepare the study with these rows as folds."""

    def _read(rows: Rows, **settings: object) -> Any:
        flags = {"protocol.folds": "none", "protocol.folds_file": _write(tmp_path, rows)} | settings
        return prepare(tiny(**flags), project)

    return _read


def test_folds_are_those_of_the_file(drawn: Any, read: Callable[..., Any]) -> None:
    prepared = read(_rows(drawn.corpus))
    assert [fold.test_speakers for fold in prepared.folds] == [("ada",), ("bob",), ("cyd", "dan")]
    assert [fold.validation_speakers for fold in prepared.folds] == [("bob",), ("cyd", "dan"), ("ada",)]
    for fold in prepared.folds:
        numbers = np.concatenate([fold.train, fold.validation, fold.test])
        assert sorted(numbers.tolist()) == list(range(len(drawn.corpus.utterances)))
    # The sides alone make the fingerprint: other sides are another protocol, the same sides are the same one
    assert prepared.protocol.fingerprint != drawn.protocol.fingerprint
    again = read(list(reversed(_rows(drawn.corpus))))
    assert again.protocol.fingerprint == prepared.protocol.fingerprint


def test_the_same_sides_are_the_same_protocol(drawn: Any, read: Callable[..., Any]) -> None:
    rows = [
        [drawn.corpus.utterances[number].id, str(fold.number), side]
        for fold in drawn.folds
        for side in ("train", "validation", "test")
        for number in getattr(fold, side)
    ]
    assert read(rows).protocol == drawn.protocol


def test_a_path_may_start_further_up(drawn: Any, read: Callable[..., Any]) -> None:
    names = {one.id: str(one.path) for one in drawn.corpus.utterances}
    prepared = read([[names[name], fold, side] for name, fold, side in _rows(drawn.corpus)])
    assert len(prepared.folds) == 3


def _overlapping(rows: Rows) -> None:
    next(row for row in rows if row[0].startswith("ada") and row[1] == "f0")[2] = "train"


def _missing(rows: Rows) -> None:
    rows.pop()


def _foreign(rows: Rows) -> None:
    rows[0][0] = "none.wav"


def _twice(rows: Rows) -> None:
    rows.append([rows[0][0], "f0", "train"])


def _tested_twice(rows: Rows) -> None:
    rows.extend([name, "again", side] for name, fold, side in list(rows) if fold == "f0")


def _without_validation(rows: Rows) -> None:
    for row in rows:
        row[2] = "train" if row[2] == "dev" else row[2]


@pytest.mark.parametrize(
    ("spoil", "error", "message"),
    [
        (_overlapping, LeakError, "fold 'f0': speaker 'ada' is on the train and the test side"),
        (_missing, CorpusError, "fold 'f2' covers 15 of 16 utterances of corpus manifest"),
        (_foreign, CorpusError, "line 2: 'none.wav' names no utterance of corpus manifest"),
        (_twice, LeakError, "is on two sides of fold 'f0'"),
        (_tested_twice, CorpusError, "speaker 'bob' validates in two folds"),
        (_without_validation, CorpusError, "fold 'f0' has no validation rows"),
    ],
)
def test_folds_that_leak_or_do_not_fit_are_refused(
    drawn: Any,
    read: Callable[..., Any],
    spoil: Callable[[Rows], None],
    error: type[Exception],
    message: str,
) -> None:
    rows = _rows(drawn.corpus)
    spoil(rows)
    with pytest.raises(error, match=message):
        read(rows)


def test_other_settings_of_folds_are_refused(drawn: Any, read: Callable[..., Any]) -> None:
    with pytest.raises(ConfigError, match=r"protocol\.folds_file and protocol\.folds exclude each other"):
        read(_rows(drawn.corpus), **{"protocol.folds": 3})


@pytest.mark.slow
def test_a_training_by_the_users_folds_goes_all_the_way(
    call: Callable[..., Any], root: Path, study_file: Path, corpus_csv: Path, drawn: Any, tmp_path: Path
) -> None:
    table = _write(tmp_path, _rows(drawn.corpus))
    command = ("train", study_file, "--corpus", "manifest", "--data", corpus_csv, "--set", "protocol.folds=none")
    told = call(root, *command, "--folds", table, "--name", "own")
    assert told.code == 0, told.err
    assert ": identical, " in call(root, "replay", "own:0").out
    told = call(root, "study", *command[1:], "--folds", table, "--nested")
    told.refused("a nested study makes folds of its own; leave out protocol.folds_file (--folds)")
