"""Scores by how many other utterances of a speaker a model has heard."""

from dataclasses import replace
from functools import cache
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from ser_tune.cli.printing.evaluations import _print_heard
from ser_tune.errors import ConfigError
from ser_tune.metrics import METRICS
from ser_tune.prediction import Draw
from ser_tune.resampling import share_in_words
from ser_tune.results import heard_rows, heard_scores, score_by_heard
from ser_tune.results.heard_scores import HeardScore, draw_heard, heard_metrics
from ser_tune.tasks import TASKS

SPEAKERS, EACH = 6, 20


def _evaluation(*, adapts: bool = True, alone: bool = True, corpora: int = 1) -> tuple[Any, list[Draw]]:
    """An evaluation of networks that are wrong less often, the more they have heard."""
    rng, drawn = np.random.default_rng(0), list[Draw]()
    truth, luck = np.tile(np.arange(4), SPEAKERS * EACH // 4), rng.random(SPEAKERS * EACH)

    def judge_heard(rows: np.ndarray, draw: Draw) -> np.ndarray:
        drawn.append(draw)
        heard = EACH - 1 if draw.heard is None else draw.heard
        wrong = np.roll(luck, draw.number)[rows] < 0.4 / (1 + heard)
        return np.log(np.eye(4)[(truth[rows] + wrong) % 4] + 1e-3)

    networks = SimpleNamespace(
        judge_heard=judge_heard if adapts else None, judges_alone=alone, rows=np.arange(len(truth))
    )
    setup = SimpleNamespace(
        networks=networks,
        model="ser-demo-linear_probe/1",
        utterances=[
            SimpleNamespace(speaker=str(number // EACH), corpus=f"corpus {number // EACH % corpora}" * (corpora > 1))
            for number in range(len(truth))
        ],
        shared=("a", "b", "c", "d"),
        over_shared=lambda outputs: outputs,
        task=TASKS.get("classification"),
    )
    return SimpleNamespace(setup=setup, truth=truth, objective=METRICS.get("uar")), drawn


@cache
def _found(corpora: int) -> list[HeardScore]:
    """What the networks score, in a union of so many corpora; do not change it."""
    return score_by_heard(_evaluation(corpora=corpora)[0])


def test_scores_are_means_over_draws_with_gains_over_nothing_heard() -> None:
    evaluation, drawn = _evaluation()
    found = score_by_heard(evaluation)
    assert [each.name for each in found] == ["0", "1", "3", "10", "all"]  # no speaker has 30 others
    assert sum(draw.heard == 3 for draw in drawn) > 1 == sum(draw.heard is None for draw in drawn)
    values = [each.score.value for each in found]
    assert values == sorted(values)
    assert all(each.score.interval.low <= each.score.value <= each.score.interval.high for each in found)
    assert found[0].gain is found[0].share is found[-1].shortfall is None
    rows = heard_rows(found)
    assert rows[0]["share_of_gain"] is rows[-1]["share_of_gain"] is None
    for each, row in zip(found[1:], rows[1:], strict=True):
        assert each.gain is not None
        assert each.gain.value == pytest.approx(each.score.value - values[0])
        assert row["gain"] == each.gain.value > 0
    for each, row in zip(found[:-1], rows[:-1], strict=True):
        assert each.shortfall is not None
        assert each.shortfall.value == row["difference_to_all"] == pytest.approx(each.score.value - values[-1])
    for each in found[1:-1]:
        assert each.share is not None
        assert each.share.value == pytest.approx((each.score.value - values[0]) / (values[-1] - values[0]))


def test_a_union_has_scores_of_each_corpus_too() -> None:
    found = _found(2)
    corpora = [each.corpus for each in found]
    assert corpora == sorted(corpora)
    assert set(corpora) == {"", "corpus 0", "corpus 1"}
    assert {each.name for each in found if each.corpus} == {each.name for each in found if not each.corpus}
    rows = heard_rows(found)
    assert [row["corpus"] for row in rows] == corpora
    by_corpus = [each.score.value for each in found if each.heard is None]
    assert by_corpus[0] == pytest.approx(sum(by_corpus[1:]) / 2, abs=0.02)


@pytest.mark.parametrize("corpora", [1, 2])
def test_the_table_has_differences_and_shares(capsys: pytest.CaptureFixture[str], corpora: int) -> None:
    evaluation, _ = _evaluation(corpora=corpora)
    found = _found(corpora)
    _print_heard(found, evaluation)
    header, *rows = [line.split("  ") for line in capsys.readouterr().out.splitlines()]
    assert header[0] == ("corpus" if corpora > 1 else "other utterances heard")
    assert header[-1].strip() == "share of the gain of all [95 %]"
    (ten, *_) = [row for row, each in zip(rows, found, strict=False) if each.heard == 10]
    assert ten[-1].strip() == share_in_words(next(each.share for each in found if each.heard == 10 and each.share))


@pytest.mark.parametrize("corpora", [1, 2])
def test_the_curve_is_drawn(tmp_path: Path, corpora: int) -> None:
    found = _found(corpora)
    draw_heard(tmp_path / "curve.png", "a model", METRICS.get("uar"), found)
    assert (tmp_path / "curve.png").read_bytes().startswith(b"\x89PNG")


def test_a_model_that_cannot_judge_an_utterance_alone_begins_with_one_other() -> None:
    found = score_by_heard(_evaluation(alone=False)[0])
    assert [each.name for each in found] == ["1", "3", "10", "all"]
    assert {row["gain"] for row in heard_rows(found)} == {None}


def test_a_model_that_does_not_adapt_is_refused() -> None:
    with pytest.raises(ConfigError, match="judges every utterance by itself; expected a model with"):
        score_by_heard(_evaluation(adapts=False)[0])


@pytest.mark.parametrize("corpora", [1, 2])
def test_stored_scores_are_read_back_from_the_newest_run_on_the_corpus(
    monkeypatch: pytest.MonkeyPatch, corpora: int
) -> None:
    metric, found = METRICS.get("uar"), _found(corpora)
    runs = [
        SimpleNamespace(data=SimpleNamespace(metrics=metrics), corpus=corpus)
        for corpus, metrics in (
            ("demo", {"evaluation_uar": 0.5}),
            ("emodb", heard_metrics(metric, found[:1])),
            ("demo", heard_metrics(metric, found)),
        )
    ]
    monkeypatch.setattr(heard_scores, "search_runs", lambda workspace, tags: runs)
    monkeypatch.setattr(heard_scores, "protocol_of", lambda run: run)
    workspace: Any = None
    read = heard_scores.read_heard(workspace, "run", "demo", metric)
    assert [replace(each, corpus=each.corpus.replace("_", " ")) for each in read] == found
    assert heard_scores.read_heard(workspace, "run", "iemocap", metric) == []


def test_scores_of_versions_before_are_read_without_gains() -> None:
    values = {"heard_uar/0": 0.5, "heard_uar/10": 0.75, "heard_uar_low/10": 0.5, "heard_uar_high/10": 1.0}
    nothing, ten = heard_scores._read(values, METRICS.get("uar"))
    assert (nothing.heard, nothing.score.value, nothing.score.interval.known) == (0, 0.5, False)
    assert (ten.heard, ten.score.value, str(ten.score.interval)) == (10, 0.75, "[0.500, 1.000]")
    assert ten.gain is ten.share is ten.shortfall is None
