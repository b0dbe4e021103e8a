"""MLflow's server for tests and benchmarks, to be stopped and started again."""

import os
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from pathlib import Path

__all__ = ["Server"]


class Server:
    """MLflow's server on a free port, to be stopped and started again."""

    def __init__(self, folder: Path) -> None:
        """Give it a folder for its database and artifacts."""
        self._folder = folder
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self._port = free.getsockname()[1]
        self.uri = f"http://127.0.0.1:{self._port}"

    def start(self) -> None:
        """Start it, and wait until it answers."""
        command = [
            *(sys.executable, "-m", "mlflow", "server", "--workers", "1", "--port", str(self._port)),
            *("--backend-store-uri", f"sqlite:///{self._folder}/server.db"),
            *("--artifacts-destination", str(self._folder / "stored")),
        ]
        environment = os.environ | {"MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false", "MLFLOW_DISABLE_TELEMETRY": "true"}
        with (self._folder / "server.log").open("ab") as log:
            self._process = subprocess.Popen(command, env=environment, stdout=log, stderr=log, start_new_session=True)
        for _ in range(600):
            try:
                with urllib.request.urlopen(f"{self.uri}/health", timeout=1):
                    return
            except OSError:
                time.sleep(0.2)
        raise TimeoutError((self._folder / "server.log").read_text(encoding="utf-8"))

    def stop(self) -> None:
        """End it as by `kill -9`."""
        os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait()
