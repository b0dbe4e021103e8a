"""`ui` and `dashboard`: servers of MLflow and Optuna, which end with the command."""

import os
import signal
import socket
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from importlib.util import find_spec
from typing import TYPE_CHECKING, Annotated

from .. import api, coordination, tracking
from ..api.arguments import Argument
from ..errors import ConfigError, StorageError
from .console import notes

if TYPE_CHECKING:
    from ..project import Project

__all__ = ["dashboard", "ui"]

SHOWN = 5
"""Studies whose addresses are printed, the newest ones."""
GRACE_S = 3.0
"""Seconds from the end of the command until its server is killed."""
Port = Annotated[int, Argument(minimum=1, maximum=65535)]


def ui(*, port: Port = 5000, host: str = "127.0.0.1", project: "Project") -> None:
    """Serve MLflow's pages on this project's tracking data, until Ctrl-C.

    Prints addresses of the newest studies: their trials by score, and the comparison of their best trials.

    Args:
        port: Port to listen on.
        host: Address to listen on.
        project: The project.
    """
    if project.tracking_uri.startswith("http"):
        notes.print(f"the tracking server is at {project.tracking_uri}; open it in a browser")
        _print_pages(project, project.tracking_uri.rstrip("/"))
        return
    _refuse_taken(host, port)
    notes.print("MLflow's server starts; its address follows")  # imports and migrations take seconds
    tracking.open_delivered(project)
    address = f"http://{host}:{port}"
    notes.print(
        f"MLflow on {project.tracking_uri}: open {address}/#/experiments?workflowType=machine_learning (Ctrl-C ends)"
    )
    _print_pages(project, address)
    command = [
        *(sys.executable, "-m", "mlflow", "server", "--workers", "1", "--host", host, "--port", str(port)),
        *("--backend-store-uri", project.tracking_uri, "--default-artifact-root", str(project.artifacts)),
    ]
    # Its job runners are for language models: without them it starts in a third of the time and memory
    environment = os.environ | {"MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false", "MLFLOW_DISABLE_TELEMETRY": "true"}
    _run_server(command, environment, name=f"MLflow's server on {host}, port {port},")


def _print_pages(project: "Project", server: str) -> None:
    """Print where MLflow shows the newest studies.

    Args:
        project: The project with the studies.
        server: MLflow's address, such as `http://127.0.0.1:5000`.
    """
    try:
        found = api.pages(newest=SHOWN, project=project)
    except StorageError as error:  # MLflow's own address is printed, and may work in a browser
        notes.print(f"note: without addresses of studies: {error}")
        return
    for page in found:
        notes.print(f"study {page.study}")
        notes.print(f"  trials by score: {server}/{page.trials}", soft_wrap=True)
        if page.comparison:
            notes.print(f"  its best trials compared: {server}/{page.comparison}", soft_wrap=True)


def dashboard(*, port: Port = 8080, host: str = "127.0.0.1", project: "Project") -> None:
    """Serve Optuna's dashboard on this project's studies, until Ctrl-C. Needs the extra dashboard.

    Args:
        port: Port to listen on.
        host: Address to listen on.
        project: The project.

    Raises:
        ConfigError: The package is missing.
        StorageError: Optuna's storage cannot be opened, or the port is taken.
    """
    if find_spec("optuna_dashboard") is None:
        raise ConfigError("dashboard needs the package optuna-dashboard; pip install 'ser-tune[dashboard]'")
    from socketserver import ThreadingMixIn
    from wsgiref.simple_server import WSGIRequestHandler, WSGIServer, make_server

    from optuna_dashboard import wsgi

    class Threaded(ThreadingMixIn, WSGIServer):
        daemon_threads = True
        address_family = socket.AF_INET6 if ":" in host else socket.AF_INET

    class Quiet(WSGIRequestHandler):
        def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the name in the base class
            """Print nothing of requests."""

    application = wsgi(coordination.open_storage(project))
    try:
        server = make_server(host, port, application, server_class=Threaded, handler_class=Quiet)
    except (OSError, OverflowError) as error:
        raise StorageError(
            f"port {port} on {host} cannot be used: {getattr(error, 'strerror', None) or error}"
        ) from None
    with server:
        notes.print(f"Optuna's dashboard on {project.storage_url}: open http://{host}:{port}/dashboard (Ctrl-C ends)")
        try:
            server.serve_forever()
        except KeyboardInterrupt:
            return


def _refuse_taken(host: str, port: int) -> None:
    """Raise where no server can listen at an address: MLflow's ends without a reason.

    Raises:
        StorageError: The port is taken, or the host is not this machine.
    """
    try:
        for family, kind, protocol, _, address in socket.getaddrinfo(host, port, type=socket.SOCK_STREAM):
            with socket.socket(family, kind, protocol) as probe:
                probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # as servers do: not a port just left
                probe.bind(address)
    except OSError as error:
        raise StorageError(f"port {port} on {host} cannot be used: {error.strerror or error}") from None


def _run_server(command: Sequence[str], environment: Mapping[str, str], *, name: str) -> None:
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
    with tempfile.TemporaryFile() as output:
        # A session of its own: a server starts workers, and all of them are ended together
        server = subprocess.Popen(command, env=environment, stdout=output, stderr=output, start_new_session=True)
        try:
            code = server.wait()
        finally:
            _end(server)
        output.seek(0)
        lines = output.read().decode("utf-8", "replace").strip().splitlines()
    raise StorageError(f"{name} ended with code {code}: {lines[-1].strip() if lines else 'it printed nothing'}")


def _end(server: subprocess.Popen[bytes]) -> None:
    """Ask a server and its workers to end, then kill what is left."""
    if sys.platform == "win32":  # without process groups
        server.kill()
        return
    for number, wait_s in ((signal.SIGTERM, GRACE_S), (signal.SIGKILL, None)):
        try:
            os.killpg(server.pid, number)
            server.wait(wait_s)
        except ProcessLookupError:  # none is left
            return
        except subprocess.TimeoutExpired:
            continue
