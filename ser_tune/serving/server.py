"""Serving a registered version over HTTP in this process, in the form of MLflow's scoring server."""

import gc
import logging
import os
import resource
import socket
import warnings
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path
from typing import Annotated, Any

import mlflow
import uvicorn
from pydantic import BaseModel, ConfigDict, Field

from ..errors import RegistryError, StorageError
from ..prediction import ALLOW_PATHS, MAX_SECONDS, SERVING
from ..tracking import load_files
from .connections import MOST_CONNECTIONS, Connection
from .guard import Guard
from .hosts import Hosts
from .scoring import Scorer

__all__ = ["GRACE_S", "Limits", "Server", "claim"]

GRACE_S = 60
"""Seconds that requests under way have when the server ends."""
OTHER_FILES = 256
"""Open files of the process beside its connections."""


class Limits(BaseModel):
    """What one request may hold."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    max_seconds: Annotated[float, Field(gt=0)] = 300.0
    """Seconds of sound in one request."""
    max_mb: Annotated[float, Field(gt=0)] = 32.0
    """Megabytes of one request."""


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
    ) -> None:
        """Load the model and claim the port; `run` answers.

        Args:
            folder: The version's files.
            host: Address to listen on.
            port: 0 is a free one.
            allowed: Folders whose files requests may name.
            allow_hosts: Names that requests may use for this server, beside its addresses; `*` is any.
            limits: What one request may hold; None is the default.

        Raises:
            StorageError: The port is taken, or `allowed` is not a folder.
            RegistryError: An earlier ser-tune registered the version, and its code does not know the limits.
        """
        limits = limits or Limits()
        for place in allowed:
            if not place.is_dir():
                raise StorageError(f"'{place}' is not a folder; expected one whose files requests may name")
        self._socket = claim(host, port)
        self.address = f"http://{f'[{host}]' if ':' in host else host}:{self._socket.getsockname()[1]}"
        try:
            os.environ[ALLOW_PATHS] = os.pathsep.join(str(place.resolve()) for place in allowed)
            os.environ[MAX_SECONDS] = str(limits.max_seconds)
            os.environ[SERVING] = "true"
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # of FastAPI's and MLflow's own making
                model = load_files(folder)
                metadata: Any = model.metadata
                schema = metadata.get_input_schema()
                if schema is None or "audio" not in schema.input_names():
                    raise RegistryError(
                        f"the version in '{folder}' was registered by an earlier ser-tune, whose code knows no limits "
                        "for requests; train it again to serve it, or use `mlflow models serve`"
                    )
                scorer = Scorer(model)
        except BaseException:
            self._socket.close()
            raise
        # It would note unknown columns of every request
        logging.getLogger("mlflow.models.utils").setLevel(logging.ERROR)
        guard = Guard(
            scorer,
            max_bytes=int(limits.max_mb * 1e6),
            hosts=Hosts([host, *allow_hosts]),
            version=mlflow.__version__,
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


def claim(host: str, port: int) -> socket.socket:
    """A socket that listens.

    Raises:
        StorageError: The port is taken, or this machine has no such address.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    # asyncio turns Nagle's algorithm off where the protocol is named; on, it delays every second answer by 40 ms
    claimed = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    try:
        claimed.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        claimed.bind((host, port))
        claimed.listen(128)
    except OSError as error:
        claimed.close()
        raise StorageError(f"port {port} on {host} cannot be used: {error.strerror}; choose another --port") from None
    return claimed


def _allow_files(wanted: int) -> None:
    """Raise the process's limit of open files, which is 1024 on many machines, as far as it may be raised."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        most = wanted if hard == resource.RLIM_INFINITY else min(wanted, hard)
        resource.setrlimit(resource.RLIMIT_NOFILE, (most, hard))
