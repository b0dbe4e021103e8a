"""`predict` and `listen`: a registered model on recordings and a microphone."""

from pathlib import Path
from typing import Annotated

import typer

from .parameters import Json, RegisteredModel, TrackingUri, form_of

__all__ = ["app"]

app = typer.Typer()

FORMS = ("table", "csv", "json")
TIMELINE_FORMS = (*FORMS, "rttm", "audacity")
MinConfidence = Annotated[
    float,
    typer.Option(
        "--min-confidence",
        metavar="P",
        min=0,
        max=1,
        help="Print uncertain as emotion where the highest probability is below P; probabilities are printed as they "
        "are.",
        show_default=False,
    ),
]


@app.command()
def predict(
    model: RegisteredModel,
    paths: Annotated[
        list[str],
        typer.Argument(
            metavar="PATH",
            help="Sound files; folders, of which all sound files below are taken; patterns in quotes, such as "
            "'sounds/**/*.wav'; - reads paths from standard input, one a line.",
            show_default=False,
        ),
    ],
    segments: Annotated[
        bool, typer.Option("--segments", help="A row for every segment; with --timeline, for every window.")
    ] = False,
    min_confidence: MinConfidence = 0.0,
    plot: Annotated[
        Path | None,
        typer.Option(
            "--plot",
            metavar="FILE",
            help="Also draw waveform, spectrogram, emotions over time and the model's attention in one utterance, as "
            "PNG, SVG or PDF.",
            show_default=False,
        ),
    ] = None,
    timeline: Annotated[
        bool,
        typer.Option(
            "--timeline", help="Find speech in long recordings, and print emotions over time. Needs the extra timeline."
        ),
    ] = False,
    window: Annotated[
        float,
        typer.Option(
            "--window",
            metavar="S",
            min=0.5,
            max=60,
            help="With --timeline: seconds of speech that are judged together.",
        ),
    ] = 3.0,
    form: Annotated[
        str, typer.Option("--format", help=f"{', '.join(FORMS)}; with --timeline also rttm or audacity (labels).")
    ] = "table",
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
    from .predictions import LABEL_FORMS, Output, print_predictions, print_timelines

    if csv and (json or form not in ("table", "csv")):
        raise typer.BadParameter(f"pass --csv or --{'json' if json else f'format {form}'}, not both")
    form = form_of("csv" if csv else form, TIMELINE_FORMS if timeline else FORMS, as_json=json)
    output = Output(form, out)
    if not timeline:
        print_predictions(
            model,
            paths,
            output,
            by_segment=segments,
            min_confidence=min_confidence,
            picture=plot,
            tracking_uri=tracking_uri,
        )
        return
    if plot is not None:
        raise typer.BadParameter("--plot draws one utterance; pass it without --timeline")
    if segments and form in LABEL_FORMS:
        raise typer.BadParameter(f"--format {form} has a label for every passage; drop --segments")
    print_timelines(
        model,
        paths,
        output,
        by_window=segments,
        window_s=window,
        min_confidence=min_confidence,
        tracking_uri=tracking_uri,
    )


@app.command()
def listen(
    model: RegisteredModel,
    device: Annotated[
        str | None,
        typer.Option(
            "--device", help="The microphone's number or a part of its name; default: the system's.", show_default=False
        ),
    ] = None,
    window: Annotated[
        float,
        typer.Option(
            "--window", metavar="S", min=0.5, max=60, help="Newest seconds of speech that are judged together."
        ),
    ] = 3.0,
    min_confidence: MinConfidence = 0.0,
    json: Annotated[bool, typer.Option("--json", help="Print a JSON object a line.")] = False,
    tracking_uri: TrackingUri = None,
) -> None:
    """Recognise emotions in what a microphone hears, until Ctrl-C. Needs the extra listen.

    Prints the first emotion and every change, with seconds since the start and the probability. Pauses are left out.
    """
    from .predictions import print_changes

    print_changes(
        model, device=device, window_s=window, min_confidence=min_confidence, as_json=json, tracking_uri=tracking_uri
    )
