"""MLflow's pages on a study, at the addresses that `ser-tune ui` prints: run table, comparison, run and version."""

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from ser_tune import api
from ser_tune.project import Project

pytestmark = pytest.mark.slow

WAIT_MS = 60_000
KNOWN = "/users/current"
"""MLflow 3.17 asks a server without users for the current one."""
Visit = Callable[..., Any]


def unexpected(watched: Any) -> list[str]:
    return [error for error in watched.errors if KNOWN not in error]


@pytest.fixture(scope="module")
def report(searched: Path) -> Any:
    """The study as `ser_tune.api` reads it."""
    urls = (f"sqlite:///{searched}/mlruns/mlflow.db", f"sqlite:///{searched}/studies/optuna.db")
    return api.report("searched", project=Project(searched, *urls, cache=searched / ".cache"))


def test_the_run_table_has_the_trials_by_score_with_metrics_and_searched_settings(
    ui: dict[str, str], visit: Visit, report: Any
) -> None:
    watched = visit(ui["trials by score"])
    page = watched.page
    page.get_by_text("searched: trials by score").first.wait_for(timeout=WAIT_MS)
    names = page.get_by_role("link", name=re.compile(r"^(★ )?trial \d+:"))
    names.first.wait_for(timeout=WAIT_MS)
    texts = [text.partition("trial ") for text in names.all_inner_texts()]
    shown = [int(rest.split(":")[0]) for _, _, rest in texts]
    assert [number for number, (star, _, _) in zip(shown, texts, strict=True) if star] == [report.trial]
    complete = report.trials[report.trials["state"] == "COMPLETE"]["validation_uar"]
    assert sorted(shown) == sorted(complete.index)
    assert [complete[number] for number in shown] == sorted(complete, reverse=True)
    heads = page.get_by_role("columnheader").all_inner_texts()
    assert any("validation_uar" in head for head in heads), heads
    # Searched settings are in view without scrolling
    for path in ("optimizer.learning_rate", "optimizer.weight_decay"):
        assert page.get_by_role("columnheader", name=path).first.bounding_box()["x"] < 1280, heads
    assert unexpected(watched) == []


def test_the_comparison_opens_on_the_score_and_draws_it(ui: dict[str, str], visit: Visit) -> None:
    watched = visit(ui["its best trials compared"])
    page = watched.page
    page.get_by_text("Parallel Coordinates Plot").wait_for(timeout=WAIT_MS)
    page.locator(".js-plotly-plot .parcoords").first.wait_for(timeout=WAIT_MS)
    axes = page.locator(".js-plotly-plot .axis-title").all_text_contents()
    assert axes[-1] == "validation_uar"
    assert {"optimizer.learning_rate", "optimizer.weight_decay"} <= set(axes)
    assert unexpected(watched) == []


def test_a_version_leads_to_its_trial_to_its_study_and_back(ui: dict[str, str], visit: Visit, report: Any) -> None:
    def follow(address: str, name: str | re.Pattern[str]) -> str:
        """Open a page and return where its link of this name leads: MLflow opens links of descriptions in a new tab."""
        watched = visit(f"{ui['']}/{address}")
        link = watched.page.get_by_role("link", name=name).last
        link.wait_for(timeout=WAIT_MS)
        assert unexpected(watched) == []
        return str(link.get_attribute("href"))

    version = "#/models/ser-manifest-alex_net/versions/1?workflowType=machine_learning"
    trial = follow(version, re.compile(r"^trial \d+ of searched$"))
    assert f"/runs/{report.run_id}?" in trial
    study = follow(trial, "searched")
    assert (
        follow(study, "ser-manifest-alex_net version 1") == follow(trial, "ser-manifest-alex_net version 1") == version
    )
    assert ui["trials by score"].endswith(follow(study, "trials by score"))
