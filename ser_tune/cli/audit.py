"""`audit`: check anybody's split or predictions."""

from pathlib import Path
from typing import Annotated

import typer

from .parameters import Json, form_of

__all__ = ["app"]

FORMS = ("table", "json", "html")
CODES = {"ok": 0, "leaks": 1, "wrong": 1, "unchecked": 3}
"""Exit code of each outcome."""

app = typer.Typer()


@app.command()
def audit(
    files: Annotated[
        list[Path],
        typer.Argument(
            metavar="FILE",
            help="A CSV path,emotion,fold|split[,speaker][,start,end][,text][,prediction]; a CSV for each side "
            "(autrainer, audformat, Hugging Face); JSON of EmoBox, s3prl or SpeechBrain; a folder or pattern of these.",
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
    speaker_from: Annotated[
        str | None,
        typer.Option(
            "--speaker-from",
            metavar="REGEX",
            help="Takes the speaker from each path: the group 'speaker', or the first group.",
            show_default=False,
        ),
    ] = None,
    form: Annotated[str, typer.Option("--format", help=f"{', '.join(FORMS[:-1])} or {FORMS[-1]}.")] = "table",
    as_json: Json = False,
) -> None:
    """Check anybody's split or predictions: leaks, labels, classes, words, claimed numbers.

    Ends with 1 where something leaks or is wrong, and with 3 where nothing was found but the speakers are not known.
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
            speaker_from=speaker_from,
            progressed=lambda done, total: bars.update(bar, completed=done, total=total),
        )
    if form == "json":
        sys.stdout.write(json.dumps(as_record(found), indent=2) + "\n")
    elif form == "html":
        shown(sys.stdout).write(as_html(found))
    else:
        print_table(["check", "result", "verdict"], [[one.check, one.status, one.verdict] for one in found.findings])
        for one in found.findings:
            if not one.clean or one.status == "unchecked":
                for detail in one.details:
                    results.print(f"{one.check}: {detail}", markup=False)
        results.print(found.summary, markup=False)
    if code := CODES[found.outcome]:
        raise typer.Exit(code)
