"""Runs benchmarks, each in a process of its own, prints a table and writes JSON.

Usage, from the repository's root: python -m tests.ser_tune_benchmarks [NAME...] [--data EMODB] [--checkpoint DIR]
           [--json FILE] [--quick]
"""

import json
import multiprocessing
import os
import platform
import tempfile
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

from .rows import Options, Row, measured

NAMES = (
    *("training", "extraction", "starting", "overhead", "pruning", "memory", "selection", "encoder", "search"),
    *("killing", "outage", "workers", "corrected", "likeness"),
)
NAMED = ("network", "waiting")
"""Run only where named: they take twenty and ten minutes, the first needs root."""


def main(
    names: Annotated[
        list[str] | None,
        typer.Argument(help=f"Which: {', '.join(NAMES)} (all of these unless said), {', '.join(NAMED)}."),
    ] = None,
    data: Annotated[Path | None, typer.Option(help="EmoDB's folder; the demo corpus unless said.")] = None,
    checkpoint: Annotated[Path | None, typer.Option(help="Whisper base's folder, for `encoder`.")] = None,
    out: Annotated[Path, typer.Option("--json", help="Where to write the numbers.")] = Path("benchmarks.json"),
    quick: Annotated[bool, typer.Option(help="Only show that benchmarks run; the numbers mean nothing.")] = False,
) -> None:
    """Compare ser-tune with a straightforward implementation of the same work, in one run. Leave the machine idle."""
    if unknown := sorted(set(names or []) - {*NAMES, *NAMED}):
        raise typer.BadParameter(f"no benchmark '{unknown[0]}'; there are: {', '.join((*NAMES, *NAMED))}")
    found: dict[str, list[Row]] = {}
    for name in names or NAMES:
        with tempfile.TemporaryDirectory(prefix="ser-tune-benchmark-") as scratch:
            where, encoder = (None if path is None else path.resolve() for path in (data, checkpoint))
            options = Options(data=where, quick=quick, scratch=Path(scratch), checkpoint=encoder)
            # A fresh process for each: none inherits another's imports, threads or memory
            with ProcessPoolExecutor(1, mp_context=multiprocessing.get_context("spawn")) as pool:
                found[name] = pool.submit(measured, name, options).result()
        _show(name, found[name])
    machine = {"processor": platform.processor(), "cores": os.cpu_count(), "python": platform.python_version()}
    rows = {name: [asdict(row) | {"met": row.met} for row in rows] for name, rows in found.items()}
    when = datetime.now(UTC).isoformat(timespec="seconds")
    corpus = "demo" if data is None else "emodb"  # of those benchmarks that read one
    written = {"time": when, "quick": quick, "corpus": corpus, "machine": machine, "rows": rows}
    out.write_text(json.dumps(written, indent=2), encoding="utf-8")


def _show(name: str, rows: Sequence[Row]) -> None:
    table = Table(title=name, title_justify="left")
    for column in ("what", "product", "plain", "ratio", "goal", ""):
        table.add_column(column, justify="left" if column == "what" else "right")
    for row in rows:
        goal = "" if row.met is None else f"≥ {row.at_least:g}" if row.at_least is not None else f"< {row.below:g}"
        table.add_row(
            row.what,
            f"{row.product:.3g} {row.unit}",
            "" if row.plain is None else f"{row.plain:.3g} {row.unit}",
            "" if row.ratio is None else f"{row.ratio:.2f}",
            goal,
            {True: "met", False: "missed", None: ""}[row.met],
        )
    Console(width=140).print(table)


if __name__ == "__main__":
    typer.run(main)
