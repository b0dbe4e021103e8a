"""Cells of models with one objective and with several: columns, chance, and how dark a score is."""

import math
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ser_tune.metrics import METRICS, Metric
from ser_tune.resampling import Estimate, GroupScore, Interval
from ser_tune.results import Cell, cell_columns, cell_rows, draw_matrix
from ser_tune.results.evaluation_matrix import _darkness
from ser_tune.tasks import TASKS
from tests.plugged import ERROR

UAR, WA = METRICS.get("uar"), METRICS.get("wa")


def _cell(model: str, *metrics: Metric) -> Cell:
    """A cell whose scores are 0.25, of four classes."""
    scores = {metric.name: Estimate(0.25, Interval(0.1, 0.4)) for metric in metrics}
    networks = SimpleNamespace(description="all networks together")
    task = TASKS.get("classification")
    setup = SimpleNamespace(model=f"{model}/1", facts={"corpus": "demo"}, networks=networks, task=task)
    overall = GroupScore(name="all", utterances=8, speakers=2, strata=4, scores=scores)
    evaluation: Any = SimpleNamespace(overall=overall, compared=4, metrics=metrics, objective=metrics[0], setup=setup)
    return Cell(model, "emodb", evaluation, "r")


def test_a_matrix_of_uar_alone_has_the_columns_that_it_always_had() -> None:
    columns = (
        *("model", "trained_on", "corpus", "uar", "uar_low", "uar_high", "wa", "wa_low", "wa_high"),
        *("chance", "classes", "utterances", "speakers", "judged_by", "run", "reason"),
    )
    for cells in ([_cell("one", UAR, WA)], [Cell("one", "emodb", None, "", "no labels are shared")]):
        assert cell_columns(cells) == columns
        (row,) = cell_rows(cells)
        assert tuple(row) == columns
    (row,) = cell_rows([_cell("one", UAR, WA)])
    assert (row["uar"], row["wa_high"], row["chance"], row["classes"]) == (0.25, 0.4, 0.25, 4)


def test_models_of_unlike_objectives_have_columns_and_words_of_their_own(tmp_path: Path) -> None:
    cells = [_cell("one", UAR, WA), _cell("two", ERROR, UAR)]
    first, second = cell_rows(cells)
    assert (first["error"], second["error"], second["uar"], second["wa"]) == ("", 0.25, 0.25, "")
    assert (first["chance"], second["chance"]) == (0.25, "")  # what guessing scores is not known of every metric
    draw_matrix(tmp_path / "matrix.svg", cells)
    drawn = (tmp_path / "matrix.svg").read_text(encoding="utf-8")
    assert "<!-- UAR and error rate over the shared classes -->" in drawn
    assert "<!-- error rate 0.250 -->" in drawn


@pytest.mark.parametrize("better", [True, False])
@given(values=st.lists(st.floats(-5, 5), min_size=2, max_size=6))
def test_the_better_a_score_is_the_darker_is_its_cell(better: bool, values: list[float]) -> None:
    for low, high in ((-5.0, 5.0), (-math.inf, math.inf)):
        metric = replace(WA, low=low, high=high, higher_is_better=better)
        shades = [_darkness(metric, value, values) for value in values]
        assert all(0 <= shade <= 1 for shade in shades)
        ordered = [shade for _, shade in sorted(zip(values, shades, strict=True), reverse=not better)]
        assert ordered == sorted(ordered)
