"""`ablate`: what single changes of a configuration are worth."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path

from ..config import Project
from ..errors import SerTuneError
from ..metrics import with_interval
from ..registry import markdown_table
from ..results import Ablated, ablate
from ..study import StudyDefinition, define_study, prepare
from ..tracking import open_tracking
from .console import notes, print_table, print_warnings, results
from .running import watching

__all__ = ["run_ablation"]

COLUMNS = ("change", "validation UAR [95 %]", "of each seed", "difference [95 %]", "p", "seconds a seed")
ASSIGNMENTS = re.compile(r",(?=\s*[\w.]+=)(?![^\[\]{}]*[\]}])")
"""The commas between assignments: a path follows, and no bracket is open, as in `protocol.merge=[a=b,c=d]`."""


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
        both = [*assignments, *ASSIGNMENTS.split(change)]
        changed = define_study(file, flags=flags, assignments=both, option="--change")
        definitions.append(_named(changed, f"{name} {change}", seeds))
    studies = [prepare(one, project) for one in definitions]  # all of them, so that a mistake shows before training
    client = open_tracking(project)
    names = ("unchanged", *changes)
    ablated: list[Ablated | SerTuneError] = []
    try:
        ablated.extend(ablate(studies, client, project, partial(watching, client, project)))
    except KeyboardInterrupt:  # those before it are in the list
        notes.print(f"left: {'; '.join(names[len(ablated) :])}; the same command goes on from here", markup=False)
        raise
    fingerprint = studies[0].protocol.fingerprint
    rows = [_row(name, one, fingerprint) for name, one in zip(names, ablated, strict=True)]
    if markdown:
        results.print(markdown_table(COLUMNS, rows), markup=False, soft_wrap=True)
    else:
        print_table(COLUMNS, rows)
    print_warnings(warning for study in studies for warning in study.protocol.warnings)
    notes.print(
        f"{seeds} seeds, paired by speaker; protocol {fingerprint}; test speakers were not scored; "
        "p of one change among many is worth less than it says",
        markup=False,
    )
    if not all(isinstance(one, Ablated) for one in ablated):
        raise SystemExit(1)


def _row(name: str, one: Ablated | SerTuneError, fingerprint: str) -> list[str]:
    """Of the table: what became of a configuration, and whether its scores are of the same protocol."""
    if isinstance(one, SerTuneError):
        return [name, f"failed: {one}", *[""] * (len(COLUMNS) - 2)]
    return [
        name if one.fingerprint == fingerprint else f"{name} (another protocol)",
        with_interval(one.mean, one.interval),
        " ".join(f"{score:.3f}" for score in one.scores),
        "" if one.against is None else with_interval(one.against.uar_difference, one.against.uar_interval, "+"),
        "" if one.against is None else f"{one.against.p_value:.3f}",
        f"{one.seconds / len(one.scores):.0f}",
    ]


def _named(definition: StudyDefinition, name: str, seeds: int) -> StudyDefinition:
    """A study without a search that trains the configuration on so many seeds; models are not what it is for."""
    single = replace(definition, config=definition.config.model_copy(update={"name": name})).without_search()
    settings = single.config.study.model_copy(
        update={"trials": seeds, "pruner": "none", "keep_models": 1, "timeout_s": None}
    )
    return replace(single, config=single.config.model_copy(update={"study": settings}))
