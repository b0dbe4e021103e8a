"""The choice in a study with several objectives: the same in its searches, in its promotion, and by hand."""

from collections.abc import Callable
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import pytest

from ser_tune.coordination import load_study, shown_trials
from ser_tune.errors import ConfigError
from ser_tune.experiments import run_nested
from ser_tune.project import Project
from ser_tune.protocol import prepare
from ser_tune.registry import promote
from ser_tune.search import preferred_trial, summarise
from ser_tune.tracking import TrackingObserver, Workspace
from tests.conftest import TINY
from tests.nested_studies import QUICK

SEARCH = {
    "study.objectives": ("uar", "size_mb"),
    "study.trials": 3,
    "study.confirm": 0,
    "study.keep_models": "all",
    "study.sampler": "random",
    "study.pruner": "none",
    "protocol.folds": "none",
}


@pytest.fixture
def widths(tmp_path: Path, tiny: Callable[..., Any]) -> Callable[..., Any]:
    """Define a study that searches for a width, with UAR and size as objectives."""
    file = tmp_path / "widths.yaml"
    file.write_text(f"{TINY}  model.width: [0.04, 0.06, 0.08]\n", encoding="utf-8")
    return lambda **settings: tiny(file, **QUICK | SEARCH | settings)


@pytest.mark.slow
def test_every_search_and_the_promotion_choose_by_the_preferred_objective(
    project: Project, widths: Callable[..., Any]
) -> None:
    workspace = Workspace(project)
    definition = widths(name="small", **{"study.prefer": "size_mb"})
    prepared = prepare(definition, project)
    found = run_nested(workspace, prepared, lambda: nullcontext(TrackingObserver(workspace)))
    choices = set[bool]()
    for fold in found.folds:
        study, _ = load_study(fold.study, project)
        trials = shown_trials(study)
        smallest = min(trials, key=lambda trial: (trial.values[1], -trial.values[0], trial.number))
        assert fold.best_trial == smallest.number
        assert fold.inner_score == smallest.values[0]
        choices.add(smallest.values[0] == max(trial.values[0] for trial in trials))
        assert fold.selection is None  # which corrects a choice by the first objective
        assert preferred_trial(study, "size_mb") == smallest.number
    assert choices != {True}, "the first objective chooses the same everywhere"

    study, _ = load_study("small-outer00", project)
    searched = prepare(load_study("small-outer00", project)[1], project)
    assert promote(workspace, searched, study).trial == summarise(study).best[0] == found.folds[0].best_trial


def test_a_preferred_objective_is_one_of_several(widths: Callable[..., Any]) -> None:
    with pytest.raises(ConfigError, match=r"study.prefer is 'macs'; expected one of study.objectives: uar, size_mb"):
        widths(**{"study.prefer": "macs"})
    with pytest.raises(ConfigError, match=r"study.prefer is 'macs'; expected several study.objectives with it"):
        widths(**{"study.objectives": (), "study.prefer": "macs"})
