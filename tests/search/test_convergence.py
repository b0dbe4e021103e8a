"""A search that ends early, because little is left to gain."""

import math
from collections.abc import Callable
from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import optuna
import pytest

from ser_tune.coordination import CURVES, read_statuses
from ser_tune.definition import Plan
from ser_tune.metrics import METRICS, Metric, Ranking
from ser_tune.project import Project
from ser_tune.search import StudySummary
from ser_tune.search.convergence import note_convergence
from ser_tune.search.stored_plan import convergence_of

UAR = METRICS.get("uar")
Run = Callable[..., StudySummary]


def _noted(trials: int, spread: float, *, searched: int = 100, metric: Metric = UAR) -> optuna.Study:
    """A search of one value that hardly matters, whose folds differ by a spread, after it has looked."""
    study = optuna.create_study(direction=Ranking(metric).direction, sampler=optuna.samplers.RandomSampler(seed=0))
    for _ in range(trials):
        trial = study.ask()
        score = (0.6 - 0.01 * trial.suggest_float("x", 0, 1)) * (1 if metric.higher_is_better else -1)
        trial.set_user_attr(CURVES, [[score - spread], [score], [score + spread]])
        study.tell(trial, score)
    study.ask().suggest_float("x", 0, 1)  # runs
    lock: Any = SimpleNamespace(run=lambda change: change())
    note_convergence(study, lock, Plan(searched, 3, 2), metric, seed=0)
    return study


@pytest.mark.slow
@pytest.mark.parametrize("metric", [UAR, replace(UAR, higher_is_better=False)], ids=["more", "less is better"])
def test_a_search_has_converged_where_the_possible_gain_is_below_the_error_of_the_folds(metric: Metric) -> None:
    found = convergence_of(_noted(20, 0.1, metric=metric))
    assert found is not None
    assert 0 <= found.gain < found.error == pytest.approx(0.0745, abs=1e-4)
    assert (found.searched, found.trials) == (21, 27)  # the running one included


@pytest.mark.slow
@pytest.mark.parametrize(
    ("trials", "spread", "searched"),
    [(20, 0.0, 100), (19, 0.1, 100), (20, 0.1, 20), (20, math.nan, 100)],
    ids=["folds that agree", "too few trials", "a search that is over anyway", "folds without a score"],
)
def test_another_search_has_not(trials: int, spread: float, searched: int) -> None:
    assert convergence_of(_noted(trials, spread, searched=searched)) is None


@pytest.mark.slow
def test_a_converged_search_is_confirmed_and_goes_on_without_the_setting(
    run: Run, recorder: Any, project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("ser_tune.search.convergence.NEEDED", 3)
    monkeypatch.setattr("ser_tune.search.convergence._possible_gain", lambda *_: -1.0)
    settings = {"study.confirm": 0.2, "study.stop_when_converged": True}
    summary = run(10, **settings)
    assert summary.converged is not None
    assert summary.converged.searched == 3
    assert (summary.complete, summary.gain is not None) == (5, True)
    assert [one.confirms is None for one in recorder.outcomes] == [True] * 3 + [False] * 2
    (status,) = read_statuses(project)
    assert (status.total, status.left) == (5, 0)

    assert run(10, **settings) == summary
    assert len(recorder.outcomes) == 5
    monkeypatch.setattr("ser_tune.search.convergence.NEEDED", 100)
    assert run(10, **{**settings, "study.stop_when_converged": False}).converged is None
    assert sum(one.confirms is None for one in recorder.outcomes) == 8
    assert run(10, **settings).converged is None
