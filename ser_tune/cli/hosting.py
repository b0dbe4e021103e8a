"""`serve`, `ui`, `dashboard`: commands that listen on a port until they are ended."""

from pathlib import Path
from typing import Annotated

import typer

from .parameters import RegisteredModel, Storage, TrackingUri

__all__ = ["app"]

app = typer.Typer()


@app.command()
def serve(
    model: RegisteredModel,
    port: Annotated[int, typer.Option("--port", help="Port to listen on; 0: a free one.", min=0, max=65535)] = 5001,
    host: Annotated[str, typer.Option("--host", help="Address to listen on.")] = "127.0.0.1",
    allow_paths: Annotated[
        list[Path] | None,
        typer.Option(
            "--allow-paths",
            metavar="DIR",
            help="Requests may name sound files of this machine below DIR; repeatable. Default: none.",
            show_default=False,
        ),
    ] = None,
    allow_host: Annotated[
        list[str] | None,
        typer.Option(
            "--allow-host",
            metavar="NAME",
            help="Requests may use NAME for this server, beside localhost and its address; repeatable; '*': any name.",
            show_default=False,
        ),
    ] = None,
    max_seconds: Annotated[float, typer.Option("--max-seconds", help="Seconds of sound in one request.")] = 300.0,
    max_mb: Annotated[float, typer.Option("--max-mb", help="Megabytes of one request.")] = 32.0,
    tracking_uri: TrackingUri = None,
) -> None:
    """Answer HTTP requests for predictions with a registered model, until Ctrl-C.

    In the form of MLflow's scoring server, with audio as base64 text of a sound file or as a waveform.
    """
    from .serving import serve_model

    serve_model(
        model,
        host=host,
        port=port,
        allow_paths=allow_paths or [],
        allow_hosts=allow_host or [],
        max_seconds=max_seconds,
        max_mb=max_mb,
        tracking_uri=tracking_uri,
    )


@app.command()
def ui(
    port: Annotated[int, typer.Option("--port", help="Port to listen on.", min=1, max=65535)] = 5000,
    host: Annotated[str, typer.Option("--host", help="Address to listen on.")] = "127.0.0.1",
    tracking_uri: TrackingUri = None,
) -> None:
    """Serve MLflow's pages on this project's tracking data, until Ctrl-C.

    Prints addresses of the newest studies: their trials by score, and the comparison of their best trials.
    """
    from .data import serve

    serve(host=host, port=port, tracking_uri=tracking_uri)


@app.command()
def dashboard(
    port: Annotated[int, typer.Option("--port", help="Port to listen on.", min=1, max=65535)] = 8080,
    host: Annotated[str, typer.Option("--host", help="Address to listen on.")] = "127.0.0.1",
    storage: Storage = None,
) -> None:
    """Serve Optuna's dashboard on this project's studies, until Ctrl-C. Needs the extra dashboard."""
    from .pages import serve_dashboard

    serve_dashboard(host=host, port=port, storage=storage)
