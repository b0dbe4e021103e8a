"""Run the same commands with the code before and after a change, and compare every number to the bit.

Usage, from the repository's root: python -m tests.bits [BEFORE] [AFTER] [--data EMODB] [--tolerance T] [--only NAME]
"""

import tempfile
import time
from contextlib import ExitStack
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

from .configurations import of_corpora, of_tiny_corpus
from .proof import Proof, proven
from .trees import ROOT, Tree, checked_out, commit_of, has_changes

SHOWN = 20
"""Differences of a configuration that are printed."""


def main(
    before: Annotated[
        str | None,
        typer.Argument(help="A commit; default: HEAD where ser_tune/ has uncommitted changes, otherwise HEAD~1."),
    ] = None,
    after: Annotated[str | None, typer.Argument(help="A commit; default: the work tree.")] = None,
    data: Annotated[
        Path | None, typer.Option(help="EmoDB's folder: also studies of EmoDB and the demo corpus.")
    ] = None,
    tolerance: Annotated[
        float, typer.Option(min=0, help="Relative tolerance of numbers, where arithmetic changed; 0 is to the bit.")
    ] = 0.0,
    only: Annotated[list[str] | None, typer.Option(help="Only this configuration; repeatable.")] = None,
) -> None:
    """Compare all numbers before and after a change; exit code 1 where one differs."""
    console, started = Console(width=140), time.monotonic()
    try:
        first = commit_of(before or ("HEAD" if has_changes() else "HEAD~1"))
        last = None if after is None else commit_of(after)
    except ValueError as error:
        raise typer.BadParameter(str(error)) from None
    with ExitStack() as stack:
        scratch = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="ser-tune-bits-"))).resolve()
        configurations = [*of_tiny_corpus(scratch), *(() if data is None else of_corpora(data.resolve()))]
        names = [configuration.name for configuration in configurations]
        if unknown := sorted(set(only or ()) - set(names)):
            raise typer.BadParameter(f"no configuration '{unknown[0]}'; there are: {', '.join(names)}")
        old = Tree(first[:12], stack.enter_context(checked_out(first, scratch / "before")), scratch / "cache-before")
        code = ROOT if last is None else stack.enter_context(checked_out(last, scratch / "after"))
        new = Tree("the work tree" if last is None else last[:12], code, scratch / "cache-after")
        console.print(f"before: {old.name}; after: {new.name}")
        proofs = []
        for configuration in configurations:
            if configuration.name in (only or names):
                for proof in proven(
                    configuration, old, new, scratch / "projects" / configuration.name, tolerance=tolerance
                ):
                    proofs.append(proof)
                    _show(console, proof)
    console.print(_table(proofs), f"{time.monotonic() - started:.0f} s")
    raise typer.Exit(int(any(proof.compared.differences for proof in proofs)))


def _show(console: Console, proof: Proof) -> None:
    differences = proof.compared.differences
    for path, (old, new) in list(differences.items())[:SHOWN]:
        console.print(
            f"{proof.what}: {path}\n    before {old}\n    after  {new}", markup=False, highlight=False, soft_wrap=True
        )
    if len(differences) > SHOWN:
        console.print(f"{proof.what}: {len(differences) - SHOWN} more differences")


def _table(proofs: list[Proof]) -> Table:
    table = Table("configuration")
    for column in ("values", "differences", "seconds"):
        table.add_column(column, justify="right")
    for proof in proofs:
        found = len(proof.compared.differences)
        table.add_row(
            proof.what, str(proof.compared.values), str(found) if found else "all equal", f"{proof.seconds:.0f}"
        )
    return table


if __name__ == "__main__":
    typer.run(main)
