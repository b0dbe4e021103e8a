"""`serve`."""

from collections.abc import Sequence
from pathlib import Path

from pydantic import ValidationError

from .. import api
from ..config import Project
from ..errors import ConfigError
from ..serving import GRACE_S, Limits
from .console import notes, results
from .signals import ending_within

__all__ = ["serve_model"]


def serve_model(
    model: str,
    *,
    host: str,
    port: int,
    allow_paths: Sequence[Path],
    allow_hosts: Sequence[str],
    max_seconds: float,
    max_mb: float,
    tracking_uri: str | None,
) -> None:
    """Answer requests until a signal; print the address and an example once requests are answered."""

    def started(address: str) -> None:
        results.print(f"{model} answers at {address}/invocations (Ctrl-C ends)", markup=False, soft_wrap=True)
        notes.print("for example:", markup=False)
        notes.print(_example(address), markup=False, soft_wrap=True)

    try:
        limits = Limits(max_seconds=max_seconds, max_mb=max_mb)
    except ValidationError as error:
        wrong = error.errors()[0]
        name = str(wrong["loc"][0]).replace("_", "-")
        raise ConfigError(f"--{name} is {wrong['input']}; expected more than 0") from None
    ending_within(GRACE_S + 5)  # requests under way are answered first
    api.serve(
        model,
        host=host,
        port=port,
        allow_paths=allow_paths,
        allow_hosts=allow_hosts,
        limits=limits,
        started=started,
        project=Project.locate(tracking_uri=tracking_uri),
    )


def _example(address: str) -> str:
    """A command that sends a sound file."""
    return (
        """printf '{"dataframe_records": [{"audio": "%s"}]}' "$(base64 < AUDIO.wav)" | tr -d '\\n' | """
        f"curl -H 'Content-Type: application/json' -d @- {address}/invocations"
    )
