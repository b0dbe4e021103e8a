"""`ablate`: what single changes of a configuration are worth."""

import re
import sys
from collections.abc import Sequence
from pathlib import Path

from .. import api
from ..api import ConfigurationFlags
from ..config import Project
from ..errors import SerTuneError
from ..experiments import Ablated
from ..protocol import Protocol
from ..registry import markdown_table
from ..resampling import with_interval
from ..search import read_assignments
from .console import notes, print_json, print_table, print_warnings, shown
from .progress import ProgressObserver
from .records import ablation_records

__all__ = ["run_ablation"]

COLUMNS = ("of each seed", "difference [95 %]", "p", "seconds a seed")
"""Behind the change and its score."""
ASSIGNMENTS = re.compile(r",(?=\s*[\w.]+=)(?![^\[\]{}]*[\]}])")
"""The commas between assignments: a path follows, and no bracket is open, as in `protocol.merge=[a=b,c=d]`."""


def run_ablation(
    file: Path | None,
    flags: ConfigurationFlags,
    assignments: Sequence[str],
    changes: Sequence[str],
    *,
    seeds: int,
    form: str,
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
        form: `table`, `markdown` or `json`.
        tracking_uri: MLflow's.
        storage: Optuna's.
    """
    project = Project.locate(tracking_uri=tracking_uri, storage_url=storage)
    names = ("unchanged", *changes)
    ablated: list[Ablated | SerTuneError] = []
    with ProgressObserver() as progress:
        found = api.ablate(
            file,
            changes={change: read_assignments(ASSIGNMENTS.split(change), "--change") for change in changes},
            seeds=seeds,
            settings=read_assignments(assignments),
            project=project,
            observer=progress,
            **flags,
        )
        try:
            ablated.extend(found)
        except KeyboardInterrupt:  # those before it are in the list
            notes.print(f"left: {'; '.join(names[len(ablated) :])}; the same command goes on from here", markup=False)
            raise
    trained = [one for one in ablated if isinstance(one, Ablated)]
    fingerprint = trained[0].protocol.fingerprint
    if form == "json":
        print_json(ablation_records(names, ablated))
        if len(trained) < len(ablated):
            raise SystemExit(1)
        return
    columns = ("change", f"validation {trained[0].protocol.objective.title} [95 %]", *COLUMNS)
    rows = [_row(name, one, trained[0].protocol) for name, one in zip(names, ablated, strict=True)]
    if form == "markdown":
        shown(sys.stdout).write(markdown_table(columns, rows) + "\n")
    else:
        print_table(columns, rows)
    print_warnings(warning for one in trained for warning in one.protocol.warnings)
    trainings = " and ".join(sorted({f"{n} seed{'s' * (n > 1)}" for n in (len(one.scores) for one in trained)}))
    notes.print(
        f"{trainings}, paired by speaker; protocol {fingerprint}; test speakers were not scored; "
        "p of one change among many is worth less than it says",
        markup=False,
    )
    if len(trained) < len(ablated):
        raise SystemExit(1)


def _row(name: str, one: Ablated | SerTuneError, unchanged: Protocol) -> list[str]:
    """Of the table: what became of a configuration, and whether its scores are of the same protocol."""
    if isinstance(one, SerTuneError):
        return [name, f"failed: {one}", *("" for _ in COLUMNS)]
    objective = one.protocol.objective
    other = "" if objective == unchanged.objective else f"{objective.title} "  # than that of the column
    return [
        name if one.protocol.fingerprint == unchanged.fingerprint else f"{name} (another protocol)",
        f"{other}{with_interval(one.mean, one.interval)}",
        " ".join(f"{score:.3f}" for score in one.scores),
        "" if one.against is None else with_interval(one.against.primary.value, one.against.primary.interval, "+"),
        "" if one.against is None else f"{one.against.p_value:.3f}",
        f"{one.seconds / len(one.scores):.0f}",
    ]
