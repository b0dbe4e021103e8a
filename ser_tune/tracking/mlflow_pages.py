"""A study on MLflow's pages: a saved view of its trials, the comparison of its best, notes that link them."""

import json
import logging
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from mlflow.entities import Run, RunTag

from ..errors import ConfigError
from .mlflow_internals import (
    MLFLOW_RUN_NOTE,
    VIEW,
    comparison_address,
    run_address,
    saved_view,
    version_address,
    view_address,
)
from .queries import has_metric, model_versions, search_runs
from .run_metrics import objective_key
from .runs import (
    BEST_TAG,
    CONFIRMED_TAG,
    FRONT_TAG,
    OBJECTIVES_TAG,
    STUDY_NAME_TAG,
    STUDY_TAG,
    TRIAL_TAG,
    best_first,
    find_runs,
    is_complete,
    metrics_of,
    objective_of,
    score_of,
)
from .workspace import Workspace

__all__ = ["StudyPages", "link_study", "run_link", "save_view", "study_pages", "version_link"]

COMPARED = 10
PROMOTED = "★ "
"""Beginning of the names of registered trials' runs: the run table's first column has the name."""
_log = logging.getLogger(__name__)
_RANGE = "search."
"""Prefix of the study's parameters for search ranges."""


@dataclass(frozen=True, slots=True)
class StudyPages:
    """Addresses of a study's pages, from the first `#` on."""

    study: str
    trials: str
    """The run table with the study's complete trials, the best score first."""
    comparison: str
    """The comparison of its ten best searched trials; empty where fewer than two are complete."""


def study_pages(workspace: Workspace, newest: int | None = None) -> list[StudyPages]:
    """Addresses of the pages of the newest studies, or of all; the newest study first.

    Every study without a saved view receives it: an address without its view opens an error on MLflow's pages.
    A study is skipped, with a note, if the package of its task or metric is not installed.
    """
    found: list[StudyPages] = []
    for parent in filter(_is_study, search_runs(workspace, having=[STUDY_NAME_TAG])):
        try:
            save_view(workspace, parent)
            if newest is None or len(found) < newest:
                found.append(_pages_of(workspace, parent))
        except ConfigError as error:
            _log.warning("note: study '%s' has no pages: %s", parent.data.tags[STUDY_NAME_TAG], error)
    return found


def _pages_of(workspace: Workspace, parent: Run) -> StudyPages:
    """Addresses of one study; raises `ConfigError` where its metric is of a package that is not installed."""
    experiment, study_id = parent.info.experiment_id, parent.data.tags[STUDY_TAG]
    best = _best(find_runs(workspace, experiment, study_id)[1])
    return StudyPages(
        study=parent.data.tags[STUDY_NAME_TAG],
        trials=view_address(experiment, study_id),
        comparison=comparison_address(experiment, best) if len(best) > 1 else "",
    )


def save_view(workspace: Workspace, parent: Run) -> None:
    """Save the view of a study's trials, unless it is saved; `parent` is the study's run."""
    key = f"{VIEW}{parent.data.tags[STUDY_TAG]}"
    if key in workspace.client.get_experiment(parent.info.experiment_id).tags:
        return
    searched = sorted(name.removeprefix(_RANGE) for name in parent.data.params if name.startswith(_RANGE))
    study_id, objective = parent.data.tags[STUDY_TAG], objective_of(parent)
    score = f"validation_{objective.name}"
    further = _further(parent)
    # Few scores, and MLflow has the duration in any case: the settings are to their right, and are to be in view
    metrics = (score, *further, f"test_{objective.name}")
    view = saved_view(
        f"{parent.data.tags.get(STUDY_NAME_TAG, parent.info.run_name)}: trials by score",
        condition=f"tags.`{STUDY_TAG}` = '{study_id}' and {has_metric(score)}",
        order_by=f"metrics.`{score}`",
        ascending=not objective.higher_is_better,
        columns=[
            "attributes.`Run Name`",
            *(f"metrics.`{name}`" for name in metrics),
            *(f"params.`{path}`" for path in searched),
        ],
    )
    workspace.client.set_experiment_tag(parent.info.experiment_id, key, view)


def _further(parent: Run) -> list[str]:
    """Names in MLflow of the values by a study's objectives after the first; none with a single objective."""
    scored = {metric.name for metric in metrics_of(parent)}
    names = json.loads(parent.data.tags.get(OBJECTIVES_TAG, "[]"))[1:]
    return [f"validation_{name}" if name in scored else objective_key(name) for name in names]


def link_study(workspace: Workspace, experiment: str, study_id: str) -> None:
    """Write links into the notes of a study's run and of its best and its registered trials."""
    parent, trials = find_runs(workspace, experiment, study_id)
    if parent is None:
        return
    best = parent.data.tags.get(BEST_TAG)
    versions = {
        number: list(_versions(workspace, run)) for number, run in trials.items() if _may_be_registered(run, best)
    }
    study = run_link(experiment, parent.info.run_id, parent.data.tags.get(STUDY_NAME_TAG, study_id))
    view = f"[trials by score]({view_address(experiment, study_id)})"
    compared = _best(trials)
    lines = [(parent.data.tags.get(MLFLOW_RUN_NOTE) or "").partition("\n\n")[0]]
    lines.append(f"{view} · [comparison of the best]({comparison_address(experiment, compared)})" if compared else view)
    numbers = [int(number) for number in parent.data.tags.get(FRONT_TAG, "").split()]
    if front := [(number, trials[number].info.run_id) for number in numbers if number in trials]:
        linked = (run_link(experiment, run_id, f"trial {number}") for number, run_id in front)
        lines.append(f"Pareto front: {', '.join(linked)}")
    for number, found in sorted(versions.items()):
        run = trials[number]
        is_best = str(number) == best
        if not is_best and not found:
            continue
        registered = f"; registered as {', '.join(found)}" if found else ""
        lines.append(
            f"{'Best: ' if is_best else ''}{run_link(experiment, run.info.run_id, f'trial {number}')}{registered}"
        )
        note = f"Trial {number} of the study {study}{', its best' if is_best else ''}{registered}."
        workspace.client.log_batch(run.info.run_id, tags=[RunTag(MLFLOW_RUN_NOTE, note)])
        if found and not (name := run.info.run_name or "").startswith(PROMOTED):
            workspace.client.update_run(run.info.run_id, name=f"{PROMOTED}{name}")
    workspace.client.log_batch(parent.info.run_id, tags=[RunTag(MLFLOW_RUN_NOTE, "\n\n".join(lines))])


def run_link(experiment: str, run_id: str, text: str) -> str:
    """A link to a run's page, in Markdown."""
    return f"[{_plain(text)}]({run_address(experiment, run_id)})"


def version_link(name: str, version: str) -> str:
    """A link to the page of a registered version, in Markdown."""
    return f"[{_plain(name)} version {version}]({version_address(name, version)})"


def _plain(text: str) -> str:
    """Text that has no meaning in Markdown or HTML."""
    return re.sub(r"([\\`*_\[\]()<>#|!])", r"\\\1", text)


def _is_study(run: Run) -> bool:
    return TRIAL_TAG not in run.data.tags and STUDY_TAG in run.data.tags


def _may_be_registered(run: Run, best: str | None) -> bool:
    """Whether a trial is the best, or was scored on test speakers, as every registered one is."""
    return run.data.tags.get(TRIAL_TAG) == best or score_of(run, "test") is not None


def _versions(workspace: Workspace, run: Run) -> Iterator[str]:
    for registered in model_versions(workspace, run_id=run.info.run_id):
        yield version_link(registered.name, str(registered.version))


def _best(trials: Mapping[int, Run]) -> list[str]:
    """Runs of the best complete searched trials."""
    complete = [run for run in trials.values() if is_complete(run) and CONFIRMED_TAG not in run.data.tags]
    return [run.info.run_id for run in best_first(complete)[:COMPARED]]
