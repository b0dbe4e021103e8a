"""Running another program's server, which ends with the command."""

import os
import signal
import subprocess
import tempfile
from collections.abc import Mapping, Sequence

from ..errors import StorageError

__all__ = ["run_server"]

GRACE_S = 3.0
"""Seconds from the end of the command until its server is killed."""


def run_server(command: Sequence[str], environment: Mapping[str, str], *, name: str) -> None:
    """Run a server until it ends or the command is interrupted; no process of it is left.

    What it prints is shown only where it fails.

    Args:
        command: The server's.
        environment: Its variables.
        name: What to call it in an error message.

    Raises:
        StorageError: It ended by itself.
        KeyboardInterrupt: The command was interrupted.
    """
    with tempfile.TemporaryFile() as told:
        # A session of its own: a server starts workers, and all of them are ended together
        server = subprocess.Popen(command, env=environment, stdout=told, stderr=told, start_new_session=True)
        try:
            code = server.wait()
        finally:
            _end(server)
        told.seek(0)
        lines = told.read().decode("utf-8", "replace").strip().splitlines()
    raise StorageError(f"{name} ended with code {code}: {lines[-1].strip() if lines else 'it printed nothing'}")


def _end(server: subprocess.Popen[bytes]) -> None:
    """Ask a server and its workers to end, then kill what is left."""
    for number, wait_s in ((signal.SIGTERM, GRACE_S), (signal.SIGKILL, None)):
        try:
            os.killpg(server.pid, number)
            server.wait(wait_s)
        except ProcessLookupError:  # none is left
            return
        except subprocess.TimeoutExpired:
            continue
