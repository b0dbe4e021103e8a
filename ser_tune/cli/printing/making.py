"""Printing of `corpus make`."""

import json
import shlex
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from rich.progress import MofNCompleteColumn

from ... import api
from ..console import results, shortest
from ..registration import Call
from .corpora import check_record, print_checked, progress_bar

if TYPE_CHECKING:
    from ...corpora.made_table import MadeTable

__all__ = ["print_made"]

LISTED = 5
"""Files of a kind that are printed; --json has all."""


def print_made(call: Call[api.MadeCorpus], *, as_json: bool) -> None:
    """Print what was found, and the problems; exit code 1 where something is wrong."""
    with progress_bar("recordings", MofNCompleteColumn()) as progressed:
        made = call(progressed=progressed)
    if as_json:
        sys.stdout.write(json.dumps(_record(made), indent=2) + "\n")
    else:
        _print_made(made)
    if not made.checked.check.ok:
        raise SystemExit(1)


def _record(made: api.MadeCorpus) -> dict[str, object]:
    table = made.table
    return {
        "file": str(made.file),
        "columns": list(table.columns),
        "understood": dict(table.understood),
        "utterances": len(table.rows),
        "unread_fields": list(table.unread),
        "not_described": [path.as_posix() for path in table.unlike],
        "ambiguous": [path.as_posix() for path in table.ambiguous],
        "unusable": [path.as_posix() for path in table.unusable],
        "left_out": dict(table.dropped),
        "other_files": dict(table.others),
        "remarks": list(table.remarks),
        "check": check_record(made.checked),
    }


def _print_made(made: api.MadeCorpus) -> None:
    table, file = made.table, shortest(made.file)
    results.print(f"{file}: {len(table.rows)} recordings, columns {', '.join(table.columns)}", soft_wrap=True)
    for name, origin in table.understood.items():
        results.print(f"{name} from {origin}", soft_wrap=True)
    for sentence in _left_out(table):
        results.print(sentence, soft_wrap=True)
    print_checked(made.checked)
    quoted = shlex.quote(file)
    problems = made.checked.check.problems
    if any(problem.wrong or problem.kind == "study" for problem in problems):
        results.print(f"next: mend this, then ser-tune corpus check manifest --data {quoted}", soft_wrap=True)
    else:
        results.print(f"next: ser-tune study --model linear_probe --corpus manifest={quoted}", soft_wrap=True)


def _left_out(table: "MadeTable") -> Sequence[str]:
    """Sentences on fields and files that are not in the table."""
    sentences = []
    if table.unread:
        noun = "columns" if table.understood else "fields of the pattern"
        sentences.append(f"{noun} that are not used: {', '.join(table.unread)}")
    for paths, reason in (
        (table.unlike, "the pattern does not fit"),
        (table.ambiguous, "the pattern fits in several ways"),
        (table.unusable, "no table can have the path, or it is a link to no file"),
    ):
        if paths:
            plural = "recording is" if len(paths) == 1 else "recordings are"
            sentences.append(f"{len(paths)} {plural} left out, {reason}: {_listed(paths)}")
    if table.dropped:
        listed = ", ".join(f"{name} ({count})" for name, count in table.dropped.items())
        sentences.append(f"emotions that are left out by --map: {listed}")
    if table.others:
        listed = ", ".join(f"{count} {ending}" for ending, count in table.others.items())
        sentences.append(f"other files, which are left out: {listed}")
    return [*sentences, *table.remarks]


def _listed(paths: Sequence[Path]) -> str:
    more = f" and {len(paths) - LISTED} more" if len(paths) > LISTED else ""
    return ", ".join(path.as_posix() for path in paths[:LISTED]) + more
