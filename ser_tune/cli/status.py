"""`status`: how far studies are, once or until they end."""

import time
from collections.abc import Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING

from .. import api
from ..config import Project
from ..metrics import DEFAULT_METRIC
from .console import notes, print_json, print_table, results

if TYPE_CHECKING:
    from ..coordination import StudyStatus, Worker

__all__ = ["show_status"]

PERIOD_S = 2.0
"""Between two looks of `--watch`."""


def show_status(name: str | None, *, watch: bool, as_json: bool, storage: str | None) -> None:
    """Print the state of all studies, or of one; with `watch` again and again, until no trial is left or Ctrl-C."""
    project = Project.locate(storage_url=storage)
    try:
        while True:
            found = api.status(name, project=project)
            if watch and results.is_terminal:
                results.clear()
            if as_json:
                print_json([_record(one) for one in found])
            else:
                _print(name, found)
            if not watch or not any(one.left for one in found):
                return
            time.sleep(PERIOD_S)
    except KeyboardInterrupt:
        if not watch:
            raise


def _record(one: "StudyStatus") -> dict[str, object]:
    """With the objective's name where it is not the default."""
    named = {} if one.objective.name == DEFAULT_METRIC else {"objective": one.objective.name}
    return {key: value for key, value in asdict(one).items() if key != "objective"} | {"left": one.left} | named


def _print(name: str | None, found: Sequence["StudyStatus"]) -> None:
    if name is not None:
        _print_one(found[0])
    elif not found:
        notes.print("no studies yet; run `ser-tune study --model 3d_acrnn`")
    else:
        titles = {one.objective.title for one in found}
        alike = len(titles) == 1
        best = f"best {found[0].objective.title}" if alike else "best score"
        columns = ("study", "trials", "pruned", "failed", "running", best, "estimated end", "to deliver")
        print_table(columns, [_row(one, with_title=not alike) for one in found])


def _row(one: "StudyStatus", *, with_title: bool) -> list[str]:
    """Of the table of all studies, with the score's title where studies have unlike ones."""
    title = f"{one.objective.title} " if with_title else ""
    return [
        one.name,
        f"{one.total - one.left}/{one.total}",
        str(one.pruned),
        str(len(one.failed)),
        _running(one),
        "" if one.best is None else f"{title}{one.best[1]:.4f}",
        _end(one),
        str(one.undelivered),
    ]


def _print_one(one: "StudyStatus") -> None:
    best = "no score yet" if one.best is None else f"best of the search {one.best[1]:.4f} (trial {one.best[0]})"
    lines = [
        f"study {one.name}: {one.total - one.left} of {one.total} trials ended: {one.complete} complete, "
        f"{one.pruned} pruned, {len(one.failed)} failed; {one.interrupted} interruptions",
        f"{best}; {_running(one, ' running')}, {one.queued} queued",
    ]
    if one.trials_per_hour is not None:
        lines.append(f"{one.trials_per_hour:.1f} trials an hour; estimated end {_end(one)}")
    if one.last_change is not None:
        lines.append(f"last change {one.last_change:%Y-%m-%d %H:%M:%S}")
    lines += [f"trial {number} failed: {reason}" for number, reason in one.failed.items()]
    lines += [
        f"trial {trial.number} is dead: its process {trial.process} has ended or is silent; another worker runs it "
        "again, or the same command"
        for trial in one.running
        if not trial.alive
    ]
    if one.undelivered:
        lines.append(f"{one.undelivered} trials wait in the outbox for MLflow; `ser-tune sync` delivers them")
    for line in lines:
        results.print(line, markup=False)
    if one.workers:
        print_table(("host", "process", "trial", "fold", "heartbeat"), [_worker(worker) for worker in one.workers])


def _running(one: "StudyStatus", word: str = "") -> str:
    dead = sum(not trial.alive for trial in one.running)
    return f"{len(one.running) - dead}{word}{f', {dead} dead' if dead else ''}"


def _worker(one: "Worker") -> list[str]:
    """Of the table of workers."""
    fold = f"{one.fold}/{one.folds}" if one.folds else str(one.fold)
    age = "none yet" if one.heartbeat_age_s is None else f"{one.heartbeat_age_s:.0f} s ago"
    return [one.host, str(one.process), str(one.trial), fold, age]


def _end(one: "StudyStatus") -> str:
    if one.estimated_end is None:
        return "" if one.left else "ended"
    return f"{one.estimated_end:%Y-%m-%d %H:%M}"
