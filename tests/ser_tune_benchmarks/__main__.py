"""Runs benchmarks, each in a process of its own, prints a table and writes JSON.

Usage, from the repository's root: python -m tests.ser_tune_benchmarks [NAME...] [--data EMODB] [--checkpoint DIR]
           [--json FILE] [--quick]
"""

import json
import tempfile
from collections.abc import Sequence
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

from .hardware import describe_machine, load
from .rows import Options, Row, measured
from .ways import own_process

NAMES = (
    *("training", "extraction", "starting", "overhead", "pruning", "memory", "selection", "encoder", "probe", "study"),
    *("solvers", "search", "killing", "outage", "workers", "corrected", "likeness"),
)
NAMED = ("gpu", "nested", "network", "podcast", "scale", "waiting")
"""Run only where named: they take 10, 6, 20, 40, 60 and 10 minutes. `gpu` without a GPU only shows that it runs;
`network` needs root."""


def main(
    names: Annotated[
        list[str] | None,
        typer.Argument(help=f"Which: {', '.join(NAMES)} (all of these unless said), {', '.join(NAMED)}."),
    ] = None,
    data: Annotated[Path | None, typer.Option(help="EmoDB's folder; the demo corpus unless said.")] = None,
    checkpoint: Annotated[
        Path | None, typer.Option(help="Whisper base's folder, for `encoder`, `study`, `nested` and `gpu`.")
    ] = None,
    out: Annotated[Path, typer.Option("--json", help="Where to write the numbers.")] = Path("benchmarks.json"),
    turns: Annotated[int, typer.Option(min=1, help="Turns of ways that are compared.")] = 5,
    quick: Annotated[bool, typer.Option(help="Only show that benchmarks run; the numbers mean nothing.")] = False,
) -> None:
    """Compare ser-tune with a plain and a good program and with the limit of the machine. Leave the machine idle."""
    if unknown := sorted(set(names or []) - {*NAMES, *NAMED}):
        raise typer.BadParameter(f"no benchmark '{unknown[0]}'; there are: {', '.join((*NAMES, *NAMED))}")
    found: dict[str, list[Row]] = {}
    loads: dict[str, tuple[float, float]] = {}
    for name in names or NAMES:
        with tempfile.TemporaryDirectory(prefix="ser-tune-benchmark-") as scratch:
            where, encoder = (None if path is None else path.resolve() for path in (data, checkpoint))
            options = Options(
                data=where, quick=quick, scratch=Path(scratch), checkpoint=encoder, turns=1 if quick else turns
            )
            before = load()
            with own_process() as process:
                found[name] = process.submit(measured, name, options).result()
            loads[name] = (before, load())
        _show(name, found[name])
    written = {
        "time": datetime.now(UTC).isoformat(timespec="seconds"),
        "quick": quick,
        "corpus": "demo" if data is None else "emodb",  # of those benchmarks that read one
        "machine": describe_machine(),
        "load": loads,
        "rows": {
            name: [asdict(row) | {"judged": row.judged, "met": row.met} for row in rows] for name, rows in found.items()
        },
    }
    out.write_text(json.dumps(written, indent=2), encoding="utf-8")


def _show(name: str, rows: Sequence[Row]) -> None:
    table = Table(title=name, title_justify="left")
    for column in ("what", "product", "plain", "skilled", "limit", "ratio", "by processor", "share", "goal", ""):
        table.add_column(column, justify="left" if column == "what" else "right")
    for row in rows:
        goal = "" if row.met is None else f"≥ {row.at_least:g}" if row.at_least is not None else f"< {row.below:g}"
        numbers = (row.plain, row.skilled, row.limit, row.ratio, row.processor_ratio, row.share)
        table.add_row(
            row.what,
            f"{row.product:.3g} {row.unit}",
            *("" if number is None else f"{number:.3g}" for number in numbers),
            goal,
            {True: "met", False: "missed", None: ""}[row.met],
        )
    Console(width=160).print(table)


if __name__ == "__main__":
    typer.run(main)
