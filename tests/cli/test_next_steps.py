"""The commands that a study's end suggests fit its folds and its model."""

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from ser_tune.cli.printing import next_steps
from ser_tune.errors import SerTuneError
from ser_tune.experiments import nested
from ser_tune.project import Project
from ser_tune.protocol import prepare
from ser_tune.registry import Promotion


@pytest.fixture
def suggested(
    tiny: Callable[..., Any], project: Project, monkeypatch: pytest.MonkeyPatch
) -> Callable[..., list[list[str]]]:
    """The words of each suggested command, for a study with some settings."""

    def _suggested(**settings: object) -> list[list[str]]:
        printed = list[list[str]]()

        class Console:
            @staticmethod
            def print(line: str) -> None:
                printed.append(line.removeprefix("next: ").split())

        monkeypatch.setattr(next_steps, "results", Console)
        monkeypatch.setattr(sys, "argv", ["ser-tune", "study", "tiny.yaml"])
        prepared = prepare(tiny(**settings), project)
        next_steps.print_next(
            Promotion("ser-x", "1", "champion", "", 0, {}, created=True, prepared=prepared), None, searched=True
        )
        return printed

    return _suggested


def test_speakers_who_are_judged_together_are_predicted_together(suggested: Callable[..., list[list[str]]]) -> None:
    def audio(**settings: object) -> int:
        return sum(word.endswith(".wav") for word in suggested(**settings)[0])

    assert audio() == 1
    assert audio(**{"normalisation.scope": "speaker"}) == next_steps.SEVERAL
    assert audio(**{"adaptation.kind": "statistics"}) == next_steps.SEVERAL


def test_scores_that_are_free_of_the_selection_need_no_nested_study(
    suggested: Callable[..., list[list[str]]], make_corpus: Callable[..., Path], tmp_path: Path
) -> None:
    tables = [
        make_corpus(tmp_path / name, speakers)
        for name, speakers in (("a", ("ada", "bob", "eve")), ("b", ("cyd", "dan", "fay")))
    ]
    union = {
        "corpus.name": "union",
        "corpus.data": None,
        "corpus.union": [f"manifest={table.rename(table.with_name(f'{table.parent.name}.csv'))}" for table in tables],
        "protocol.folds": "none",
    }

    def commands(**settings: object) -> dict[str, list[str]]:
        return {words[1]: words for words in suggested(**union, **settings)}

    out = commands(**{"protocol.scheme": "leave-one-corpus-out"})
    assert "--nested" in out["study"]
    free = commands(**{"protocol.scheme": "train-test", "protocol.test_corpora": ("b",)})
    assert "study" not in free
    # A recording that no network was trained on needs no remark
    assert Path(free["predict"][-1]).parent.name == "b"


@pytest.mark.parametrize(
    ("speakers", "folds"), [(3, None), (4, None), (4, 3), (4, 4), (5, 3), (8, None), (8, 4), (8, 7)]
)
def test_a_nested_study_is_proposed_where_all_of_its_searches_have_folds(
    suggested: Callable[..., list[list[str]]],
    tiny: Callable[..., Any],
    make_corpus: Callable[..., Path],
    project: Project,
    tmp_path: Path,
    speakers: int,
    folds: int | None,
) -> None:
    table = make_corpus(tmp_path, tuple("abcdefgh"[:speakers]))
    settings = {"corpus.data": table, "protocol.folds": folds or "none"}
    proposed = any("--nested" in words for words in suggested(**settings))
    prepared = prepare(tiny(**settings), project)
    parts = nested.outer_parts(prepared.corpus, prepared.folds)
    try:
        for number in range(len(parts)):
            prepare(nested._inner(prepared.definition, number, parts), project)
    except SerTuneError:
        assert not proposed
    else:
        assert proposed


def test_no_nested_study_is_proposed_that_would_be_refused(suggested: Callable[..., list[list[str]]]) -> None:
    held_out = suggested(**{"protocol.holdout": ("ada",)})
    assert not any("--nested" in words for words in held_out)
