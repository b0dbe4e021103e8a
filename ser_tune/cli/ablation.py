"""`ablate`: what single changes of a configuration are worth."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path

from ..config import Project
from ..metrics import with_interval
from ..registry import markdown_table
from ..results import ablate
from ..study import StudyDefinition, define_study, prepare
from ..tracking import open_tracking
from .console import notes, print_table, results
from .running import watching

__all__ = ["run_ablation"]

COLUMNS = ("change", "validation UAR [95 %]", "of each seed", "difference [95 %]", "p", "seconds a seed")


def run_ablation(
    file: Path | None,
    flags: Mapping[str, object],
    assignments: Sequence[str],
    changes: Sequence[str],
    *,
    seeds: int,
    markdown: bool,
    tracking_uri: str | None,
    storage: str | None,
) -> None:
    """Train a configuration with and without changes, and print a table.

    Args:
        file: A study file.
        flags: Of the command line.
        assignments: Of `--set`, for all.
        changes: Each one or several assignments, separated by commas.
        seeds: Trainings of each.
        markdown: Whether the table is Markdown.
        tracking_uri: MLflow's.
        storage: Optuna's.
    """
    project = Project.locate(tracking_uri=tracking_uri, storage_url=storage)
    unchanged = define_study(file, flags=flags, assignments=assignments)
    name = f"{unchanged.name}-ablate"  # no study or training of the configuration itself
    definitions = [_named(unchanged, name, seeds)]
    for change in changes:
        changed = define_study(file, flags=flags, assignments=[*assignments, *change.split(",")])
        definitions.append(_named(changed, f"{name} {change}", seeds))
    studies = [prepare(one, project) for one in definitions]  # all of them, so that a mistake shows before training
    client = open_tracking(project)
    ablated = ablate(studies, client, project, partial(watching, client, project))
    rows = [
        [
            name if one.fingerprint == ablated[0].fingerprint else f"{name} (another protocol)",
            with_interval(one.mean, one.interval),
            " ".join(f"{score:.3f}" for score in one.scores),
            "" if one.against is None else with_interval(one.against.uar_difference, one.against.uar_interval, "+"),
            "" if one.against is None else f"{one.against.p_value:.3f}",
            f"{one.seconds / seeds:.0f}",
        ]
        for name, one in zip(("unchanged", *changes), ablated, strict=True)
    ]
    if markdown:
        results.print(markdown_table(COLUMNS, rows), markup=False, soft_wrap=True)
    else:
        print_table(COLUMNS, rows)
    notes.print(
        f"{seeds} seeds, paired by speaker; protocol {ablated[0].fingerprint}; test speakers were not scored; "
        "p of one change among many is worth less than it says",
        markup=False,
    )


def _named(definition: StudyDefinition, name: str, seeds: int) -> StudyDefinition:
    """A study without a search that trains the configuration on so many seeds; models are not what it is for."""
    single = replace(definition, config=definition.config.model_copy(update={"name": name})).without_search()
    settings = single.config.study.model_copy(
        update={"trials": seeds, "pruner": "none", "keep_models": 1, "timeout_s": None}
    )
    return replace(single, config=single.config.model_copy(update={"study": settings}))
