"""A registered version as an HTTP server in this process, in the form of MLflow's scoring server."""

import gc
import logging
import os
import socket
import sys
import warnings
from collections.abc import Callable, Sequence
from contextlib import closing
from pathlib import Path
from typing import Any

import mlflow
import uvicorn
from mlflow.exceptions import MlflowException
from mlflow.pyfunc import PyFuncModel, scoring_server

from ..errors import StorageError
from ..prediction import ALLOW_PATHS, ERROR_RATE, MAX_SECONDS, SERVING
from ..tasks import StatedSets
from ..tracking import load_files
from .connections import MOST_CONNECTIONS, Connection
from .guard import Guard
from .limits import GRACE_S, Limits
from .openapi import description_of
from .request_body import RequestError, parse_request

__all__ = ["Server", "listening_socket"]

OTHER_FILES = 256
"""Open files of the process beside its connections."""
LONGEST_SENTENCE = 500
"""Characters of an error's message."""


class Server:
    """A version of a registered model that answers at an address."""

    def __init__(
        self,
        folder: str,
        *,
        host: str,
        port: int,
        allowed: Sequence[Path] = (),
        allow_hosts: Sequence[str] = (),
        limits: Limits | None = None,
        sets: StatedSets | None = None,
    ) -> None:
        """Load the model and claim the port; `run` answers.

        Args:
            folder: The version's files.
            host: Address to listen on.
            port: 0 is a free port.
            allowed: Folders whose files requests may name.
            allow_hosts: Names that requests may use for this server, beside its addresses; `*` is any.
            limits: None is the default.
            sets: Prediction sets, which answers then have; None is answers without.

        Raises:
            StorageError: The port is taken, or `allowed` is not a folder.
        """
        limits = limits or Limits()
        for place in allowed:
            if not place.is_dir():
                raise StorageError(f"'{place}' is not a folder; expected one whose files requests may name")
        self._socket = listening_socket(host, port)
        self.address = f"http://{f'[{host}]' if ':' in host else host}:{self._socket.getsockname()[1]}"
        try:
            model = _loaded(folder, allowed, limits, sets)
        except BaseException:
            self._socket.close()
            raise
        metadata: Any = model.metadata
        labels = [column for column in metadata.get_output_schema().input_names() if column != "label"]
        guard = Guard(
            _answering(model),
            max_bytes=int(limits.max_mb * 1e6),
            hosts=[host, *allow_hosts],
            version=mlflow.__version__,
            description=description_of(labels, metadata.metadata or {}, sets),
        )
        config = uvicorn.Config(
            guard,
            http=Connection,
            ws="none",
            lifespan="off",
            proxy_headers=False,
            server_header=False,
            log_config=None,
            log_level="error",
            access_log=False,
            timeout_graceful_shutdown=GRACE_S,
        )
        self._server = uvicorn.Server(config)

    def run(self) -> None:
        """Answer until a signal ends the server; requests under way are answered, and it is then raised here."""
        _allow_files(MOST_CONNECTIONS + OTHER_FILES)
        gc.collect()
        gc.freeze()  # or each collection would search the objects of torch and MLflow, for a third of a second
        with closing(self._socket):
            self._server.run([self._socket])


def _loaded(folder: str, allowed: Sequence[Path], limits: Limits, sets: StatedSets | None) -> PyFuncModel:
    """Load a version, whose code reads the limits from the environment."""
    os.environ[ALLOW_PATHS] = os.pathsep.join(str(place.resolve()) for place in allowed)
    os.environ[MAX_SECONDS] = str(limits.max_seconds)
    os.environ[SERVING] = "true"
    if sets is not None:
        os.environ[ERROR_RATE] = str(sets.error_rate)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of FastAPI's and MLflow's own making
        return load_files(folder)


def _answering(model: PyFuncModel) -> Callable[[bytes], bytes]:
    """From the JSON of a request to the JSON of its answer, or a `RequestError`."""
    metadata: Any = model.metadata
    schema = metadata.get_input_schema()
    # It would note unknown columns of every request
    logging.getLogger("mlflow.models.utils").setLevel(logging.ERROR)
    server: Any = scoring_server

    def answer(body: bytes) -> bytes:
        content = parse_request(body)
        try:
            text: str = server.invocations(content, "application/json", model, schema).response
        except MlflowException as exception:
            error: Any = exception
            raise RequestError(_sentence(error.message), status=error.get_http_status_code()) from None
        return text.encode()

    return answer


def _sentence(message: str) -> str:
    """The sentence in a message of MLflow's, which has the request before it."""
    message = message.rpartition("\nError: ")[2].strip()
    first = message.splitlines()[0] if message else "the request cannot be answered"
    return first if len(first) <= LONGEST_SENTENCE else f"{first[:LONGEST_SENTENCE]}…"


def listening_socket(host: str, port: int) -> socket.socket:
    """A socket that listens at an address of this machine, or a `StorageError` where that is taken."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    # asyncio turns Nagle's algorithm off where the protocol is named; on, it delays every second answer by 40 ms
    listening = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    try:
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listening.bind((host, port))
        listening.listen(128)
    except OSError as error:
        listening.close()
        raise StorageError(f"port {port} on {host} cannot be used: {error.strerror}; choose another --port") from None
    return listening


def _allow_files(wanted: int) -> None:
    """Raise the process's limit of open files, which is 1024 on many machines, as far as it may be raised."""
    if sys.platform == "win32":  # without such a limit
        return
    import resource

    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        most = wanted if hard == resource.RLIM_INFINITY else min(wanted, hard)
        resource.setrlimit(resource.RLIMIT_NOFILE, (most, hard))
