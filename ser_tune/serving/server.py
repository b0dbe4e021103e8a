"""Serving a registered version over HTTP in this process, with MLflow's scoring server."""

import logging
import os
import socket
import warnings
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path
from typing import Annotated

import mlflow
import uvicorn
from mlflow.pyfunc import scoring_server
from pydantic import BaseModel, ConfigDict, Field

from ..errors import RegistryError, StorageError
from ..prediction import ALLOW_PATHS, MAX_SECONDS
from .guard import Guard

__all__ = ["Limits", "Server"]

GRACE_S = 3
"""Seconds that running requests have when the server ends."""
MOST_CONNECTIONS = 256
"""Connections at a time; the server answers 503 to more."""


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
        self, folder: str, *, host: str, port: int, allowed: Sequence[Path] = (), limits: Limits | None = None
    ) -> None:
        """Load the model and claim the port; `run` answers.

        Args:
            folder: The version's files.
            host: Address to listen on.
            port: 0 is a free one.
            allowed: Folders whose files requests may name.
            limits: What one request may hold; None is the default.

        Raises:
            StorageError: The port is taken, or `allowed` is not a folder.
            RegistryError: An earlier ser-tune registered the version, and its code does not know the limits.
        """
        limits = limits or Limits()
        for place in allowed:
            if not place.is_dir():
                raise StorageError(f"'{place}' is not a folder; expected one whose files requests may name")
        self._socket = _claim(host, port)
        self.address = f"http://{f'[{host}]' if ':' in host else host}:{self._socket.getsockname()[1]}"
        try:
            os.environ[ALLOW_PATHS] = os.pathsep.join(str(place.resolve()) for place in allowed)
            os.environ[MAX_SECONDS] = str(limits.max_seconds)
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # of FastAPI's and MLflow's own making
                model = mlflow.pyfunc.load_model(folder)
                schema = model.metadata.get_input_schema()
                if schema is None or "audio" not in schema.input_names():
                    raise RegistryError(
                        f"the version in '{folder}' was registered by an earlier ser-tune, whose code knows no limits "
                        "for requests; train it again to serve it, or use `mlflow models serve`"
                    )
                application = scoring_server.init(model)
        except BaseException:
            self._socket.close()
            raise
        # It would note unknown columns of every request
        logging.getLogger("mlflow.models.utils").setLevel(logging.ERROR)
        config = uvicorn.Config(
            Guard(application, max_bytes=int(limits.max_mb * 1e6)),
            log_config=None,
            log_level="warning",
            access_log=False,
            lifespan="off",
            limit_concurrency=MOST_CONNECTIONS,
            timeout_graceful_shutdown=GRACE_S,
        )
        self._server = uvicorn.Server(config)

    def run(self) -> None:
        """Answer until a signal ends the server; it is then raised in this thread."""
        with closing(self._socket):
            self._server.run([self._socket])


def _claim(host: str, port: int) -> socket.socket:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    claimed = socket.socket(family, socket.SOCK_STREAM)
    try:
        claimed.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        claimed.bind((host, port))
        claimed.listen(128)
    except OSError as error:
        claimed.close()
        raise StorageError(f"port {port} on {host} cannot be used: {error.strerror}; choose another --port") from None
    return claimed
