"""`predict`: the command of a registered model on recordings."""

from pathlib import Path
from typing import Annotated

import typer

from .parameters import Json, RegisteredModel, TrackingUri, form_of

__all__ = ["app"]

app = typer.Typer()

FORMS = ("table", "csv", "json")


@app.command()
def predict(
    model: RegisteredModel,
    paths: Annotated[
        list[str],
        typer.Argument(
            metavar="PATH...",
            help="Sound files; folders, of which all sound files below are taken; patterns in quotes, such as "
            "'sounds/**/*.wav'; - reads paths from standard input, one a line.",
            show_default=False,
        ),
    ],
    segments: Annotated[bool, typer.Option("--segments", help="A row for every segment.")] = False,
    min_confidence: Annotated[
        float,
        typer.Option(
            "--min-confidence",
            metavar="P",
            min=0,
            max=1,
            help="Print uncertain as emotion where the highest probability is below P; probabilities stay.",
            show_default=False,
        ),
    ] = 0.0,
    form: Annotated[str, typer.Option("--format", help=f"{', '.join(FORMS[:-1])} or {FORMS[-1]}.")] = "table",
    json: Json = False,
    csv: Annotated[bool, typer.Option("--csv", help="Print CSV.")] = False,
    out: Annotated[
        Path | None, typer.Option("--out", help="Write to this file, not to standard output.", show_default=False)
    ] = None,
    tracking_uri: TrackingUri = None,
) -> None:
    """Recognise the emotion in sound files with a registered model.

    A file that cannot be used is named, the others are predicted, and the exit code is 1. CSV and JSON are written as
    files are predicted, a table at the end.
    """
    from .predictions import print_predictions

    if json and csv:
        raise typer.BadParameter("pass --json or --csv, not both")
    form = form_of("csv" if csv and form == "table" else form, FORMS, as_json=json)
    print_predictions(
        model,
        paths,
        by_segment=segments,
        min_confidence=min_confidence,
        form=form,
        out=out,
        tracking_uri=tracking_uri,
    )
