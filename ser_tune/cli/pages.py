"""`ui`'s addresses of studies, and `dashboard`."""

import socket
from importlib.util import find_spec

from ..config import Project
from ..errors import ConfigError, StorageError
from .console import notes

__all__ = ["print_pages", "serve_dashboard"]

SHOWN = 5
"""Studies whose addresses are printed, the newest ones."""


def print_pages(project: Project, server: str) -> None:
    """Print where MLflow shows the newest studies.

    Args:
        project: Whose studies.
        server: MLflow's address, such as `http://127.0.0.1:5000`.
    """
    from .. import api

    try:
        found = api.pages(newest=SHOWN, project=project)
    except StorageError as error:  # MLflow's own address is printed, and may work in a browser
        notes.print(f"note: without addresses of studies: {error}", markup=False)
        return
    for one in found:
        notes.print(f"study {one.study}", markup=False)
        notes.print(f"  trials by score: {server}/{one.trials}", markup=False, soft_wrap=True)
        if one.comparison:
            notes.print(f"  its best trials compared: {server}/{one.comparison}", markup=False, soft_wrap=True)


def serve_dashboard(*, host: str, port: int, storage: str | None) -> None:
    """Run Optuna's dashboard on the project's studies.

    Raises:
        ConfigError: The package is missing.
        StorageError: Optuna's storage cannot be opened, or the port is taken.
    """
    if find_spec("optuna_dashboard") is None:
        raise ConfigError("dashboard needs the package optuna-dashboard; pip install 'ser-tune[dashboard]'")
    from socketserver import ThreadingMixIn
    from wsgiref.simple_server import WSGIRequestHandler, WSGIServer, make_server

    from optuna_dashboard import wsgi

    from ..coordination import open_storage

    class Threaded(ThreadingMixIn, WSGIServer):
        daemon_threads = True
        address_family = socket.AF_INET6 if ":" in host else socket.AF_INET

    class Quiet(WSGIRequestHandler):
        def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the name in the base class
            """Print nothing of requests."""

    project = Project.locate(storage_url=storage)
    application = wsgi(open_storage(project))
    try:
        server = make_server(host, port, application, server_class=Threaded, handler_class=Quiet)
    except (OSError, OverflowError) as error:
        raise StorageError(
            f"port {port} on {host} cannot be used: {getattr(error, 'strerror', None) or error}"
        ) from None
    with server:
        notes.print(
            f"Optuna's dashboard on {project.storage_url}: open http://{host}:{port}/dashboard (Ctrl-C ends)",
            markup=False,
        )
        try:
            server.serve_forever()
        except KeyboardInterrupt:
            return
