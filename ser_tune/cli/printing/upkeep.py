"""Printing of `status`, `sync`, `doctor` and `options`."""

import time
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from ... import api
from ...api.arguments import Argument
from ...errors import ConfigError
from ...metrics import DEFAULT_METRIC
from ..console import notes, print_json, print_table, results
from ..registration import Call
from ..rows import refuse_no_file, written

if TYPE_CHECKING:
    from ...coordination import StudyStatus, Worker

__all__ = ["print_findings", "print_options", "print_status", "print_synced"]

PERIOD_S = 2.0
"""Between two looks of `--watch`."""
REFRESH_S = 5
"""After so many seconds a browser loads the page of `--watch` again."""


def print_findings(call: Call[list[api.Finding]], *, as_json: bool) -> None:
    """Print a line for every finding; exit code 1 where something is wrong."""
    with notes.status("") as progress:
        found = call(on_check=lambda subject: progress.update(subject))
    if as_json:
        print_json([asdict(finding) for finding in found])
    else:
        rows = [[finding.state, finding.subject, finding.found, finding.advice] for finding in found]
        print_table(("state", "subject", "found", "what to do"), rows)
    if any(finding.state == "wrong" for finding in found):
        raise SystemExit(1)


def print_options(call: Call[list[dict[str, str]]], *, as_json: bool) -> None:
    """Print the settings."""
    rows = call()
    if as_json:
        print_json(rows)
    else:
        print_table(list(rows[0]), [list(row.values()) for row in rows])


def print_synced(call: Call[api.Synced]) -> None:
    """Print what was delivered, closed and restored; exit code 1 where trials wait on."""
    found, store = call(), call.arguments["project"].tracking_uri
    for run in found.restored:
        results.print(f"restored: {run}")
    for run in found.closed:
        results.print(f"closed, because its process was killed: {run}")
    for study, trials in found.delivered.items():
        results.print(f"study {study}: {trials} trials delivered to {store}")
    for study, trials in found.waiting.items():
        why = f"for another tracking store; {store} has no run of the study"
        notes.print(f"study {study}: {trials} trials wait: {found.deleted.get(study, why)}")
    if not (found.delivered or found.waiting or found.closed or found.restored):
        results.print("nothing waits")
    if found.waiting:
        raise SystemExit(1)


def print_status(
    call: "Call[Sequence[StudyStatus]]",
    *,
    name: str | None = None,
    watch: bool = False,
    html: Annotated[Path | None, Argument(metavar="FILE")] = None,
    as_json: bool,
) -> None:
    """Print the state of all studies, or of one.

    Args:
        call: Reads the state.
        name: The study.
        watch: Every two seconds, until all trials ended.
        html: Also write a page with curves; with --watch it is written and loaded again while studies run.
        as_json: Print JSON.
    """
    if watch and as_json:
        raise ConfigError("pass --watch or --json, not both")
    refuse_no_file(html, "--html")
    found: Sequence[StudyStatus] = ()
    first = True
    try:
        while True:
            found = call()
            goes_on = watch and any(status.left for status in found)
            if watch and results.is_terminal:
                results.clear()
            if as_json:
                print_json([_record(status) for status in found])
            else:
                _print(name, found)
            if html is not None:
                _write_page(call, found, html, refresh_s=REFRESH_S if goes_on else None)
                if first or results.is_terminal:
                    notes.print(f"page: {html}")
            if not goes_on:
                return
            first = False
            time.sleep(PERIOD_S)
    except KeyboardInterrupt:
        if not watch:
            raise
        if html is not None and not first:
            _write_page(call, found, html, refresh_s=None)


def _write_page(
    call: "Call[Sequence[StudyStatus]]", found: Sequence["StudyStatus"], html: Path, *, refresh_s: int | None
) -> None:
    with written(html, "--html") as file:
        file.write(api.live_page(found, refresh_s=refresh_s, project=call.arguments["project"]))


def _record(status: "StudyStatus") -> dict[str, object]:
    """With the objective's name where it is not the default."""
    named = {} if status.objective.name == DEFAULT_METRIC else {"objective": status.objective.name}
    return {key: value for key, value in asdict(status).items() if key != "objective"} | {"left": status.left} | named


def _print(name: str | None, found: Sequence["StudyStatus"]) -> None:
    if name is not None:
        _print_single(found[0])
    elif not found:
        notes.print("no studies yet; run `ser-tune study --model 3d_acrnn`")
    else:
        titles = {status.objective.title for status in found}
        alike = len(titles) == 1
        best = f"best {found[0].objective.title}" if alike else "best score"
        columns = ("study", "trials", "pruned", "failed", "running", best, "estimated end", "to deliver")
        print_table(columns, [_row(status, with_title=not alike) for status in found])


def _row(status: "StudyStatus", *, with_title: bool) -> list[str]:
    """A row of the table of all studies, with the score's title where studies have unlike ones."""
    title = f"{status.objective.title} " if with_title else ""
    return [
        status.name,
        f"{status.total - status.left}/{status.total}",
        str(status.pruned),
        str(len(status.failed)),
        _running(status),
        "" if status.best is None else f"{title}{status.best[1]:.4f}",
        _end(status),
        str(status.undelivered),
    ]


def _print_single(status: "StudyStatus") -> None:
    best = (
        "no score yet" if status.best is None else f"best of the search {status.best[1]:.4f} (trial {status.best[0]})"
    )
    lines = [
        f"study {status.name}: {status.total - status.left} of {status.total} trials ended: "
        f"{status.complete} complete, {status.pruned} pruned, {len(status.failed)} failed; "
        f"{status.interrupted} interruptions",
        f"{best}; {_running(status, ' running')}, {status.queued} queued",
    ]
    if status.trials_per_hour is not None:
        lines.append(f"{status.trials_per_hour:.1f} trials an hour; estimated end {_end(status)}")
    if status.last_change is not None:
        lines.append(f"last change {status.last_change:%Y-%m-%d %H:%M:%S}")
    lines += [f"trial {number} failed: {reason}" for number, reason in status.failed.items()]
    lines += [
        f"trial {trial.number} is dead: its process {trial.process} has ended or is silent; another worker runs it "
        "again, or the same command"
        for trial in status.running
        if not trial.alive
    ]
    if status.undelivered:
        lines.append(f"{status.undelivered} trials wait in the outbox for MLflow; `ser-tune sync` delivers them")
    for line in lines:
        results.print(line)
    if status.workers:
        print_table(("host", "process", "trial", "fold", "heartbeat"), [_worker(worker) for worker in status.workers])


def _running(status: "StudyStatus", word: str = "") -> str:
    dead = sum(not trial.alive for trial in status.running)
    return f"{len(status.running) - dead}{word}{f', {dead} dead' if dead else ''}"


def _worker(worker: "Worker") -> list[str]:
    """A row of the table of workers."""
    fold = f"{worker.fold}/{worker.folds}" if worker.folds else str(worker.fold)
    age = "none yet" if worker.heartbeat_age_s is None else f"{worker.heartbeat_age_s:.0f} s ago"
    return [worker.host, str(worker.process), str(worker.trial), fold, age]


def _end(status: "StudyStatus") -> str:
    if status.estimated_end is None:
        return "" if status.left else "ended"
    return f"{status.estimated_end:%Y-%m-%d %H:%M}"
