"""`audit`: check anybody's split or predictions."""

from pathlib import Path
from typing import Annotated

import typer

from .parameters import Json, form_of

__all__ = ["app"]

FORMS = ("table", "json", "html")

app = typer.Typer()


@app.command()
def audit(
    files: Annotated[
        list[Path],
        typer.Argument(
            metavar="FILE",
            help="A CSV path,speaker,emotion,fold|split[,text][,prediction]; or JSON of EmoBox, s3prl or SpeechBrain, "
            "files or their folder.",
            show_default=False,
        ),
    ],
    data: Annotated[
        Path | None,
        typer.Option("--data", help="Folder that paths start at; without it no sound is checked.", show_default=False),
    ] = None,
    claims: Annotated[
        list[str] | None,
        typer.Option(
            "--claim",
            metavar="METRIC=NUMBER",
            help="A published UAR, WA (pooled), UAR-mean or WA-mean (of folds) to recompute; repeatable.",
            show_default=False,
        ),
    ] = None,
    form: Annotated[str, typer.Option("--format", help=f"{', '.join(FORMS[:-1])} or {FORMS[-1]}.")] = "table",
    as_json: Json = False,
) -> None:
    """Check anybody's split or predictions: leaks, labels, classes, words, claimed numbers.

    Ends with 1 where something leaks or is wrong.
    """
    import json
    import sys

    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn

    from .. import api
    from ..audit import as_html, as_record
    from .console import notes, print_table, results, shown

    form = form_of(form, FORMS, as_json=as_json)
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn())
    with Progress(*columns, console=notes, disable=not notes.is_terminal, transient=True) as bars:
        bar = bars.add_task("recordings", total=None)
        found = api.audit(
            *files,
            data=data,
            claims=claims or [],
            progressed=lambda done, total: bars.update(bar, completed=done, total=total),
        )
    if form == "json":
        sys.stdout.write(json.dumps(as_record(found), indent=2) + "\n")
    elif form == "html":
        shown(sys.stdout).write(as_html(found))
    else:
        print_table(["check", "result", "verdict"], [[one.check, one.status, one.verdict] for one in found.findings])
        for one in found.findings:
            if not one.clean:
                for detail in one.details:
                    results.print(f"{one.check}: {detail}", markup=False)
        results.print(found.summary, markup=False)
    if not found.ok:
        raise typer.Exit(1)
