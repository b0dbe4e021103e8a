"""Processes that start with all libraries imported: forked by a server that imports them once for a test process.

A process whose start is a test's subject is started by `subprocess` instead.
"""

from __future__ import annotations

import atexit
import os
import subprocess
import sys
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from multiprocessing import get_context
from multiprocessing.connection import Connection
from multiprocessing.context import ForkServerContext
from pathlib import Path

from tests.ser_tune_benchmarks.servers import SERVING, MlflowServer

__all__ = ["COMMAND", "LOGGED", "WarmMlflowServer", "WarmProcess", "run_warm", "warm_context"]

IMPORTED = [
    "ser_tune.api.workers",
    "ser_tune.cli.app",
    "alembic.command",
    "matplotlib.backends.backend_agg",
    "matplotlib.figure",
    "mlflow.pyfunc",
    "mlflow.server",
    "mlflow.store.model_registry.sqlalchemy_store",
    "mlflow.store.tracking.sqlalchemy_store",
    "optuna.storages._rdb.models",
    "rich.progress",
    "scipy.special",
    "ser_tune.registry.promoting",
    "sqlalchemy.dialects.sqlite",
    "torch._dynamo",
]
"""Libraries that the server imports, and with them all that a study needs."""
COMMAND = "from ser_tune.cli import main; main()"
"""The program `ser-tune`."""
LOGGED = "from tests.ser_tune_benchmarks.logged import main; main()"
"""`python -m tests.ser_tune_benchmarks.logged`."""


SERVE = """
import os, sys
from mlflow import server
log, port, database, artifacts = sys.argv[1:]
written = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
os.dup2(written, 1)
os.dup2(written, 2)
os.environ[server.BACKEND_STORE_URI_ENV_VAR] = database
os.environ[server.ARTIFACT_ROOT_ENV_VAR] = "mlflow-artifacts:/"
os.environ[server.ARTIFACTS_DESTINATION_ENV_VAR] = artifacts
os.environ[server.SERVE_ARTIFACTS_ENV_VAR] = "true"
import uvicorn
uvicorn.run("mlflow.server.fastapi_app:app", port=int(port))
"""
"""The process that `mlflow server` starts."""


def warm_context() -> ForkServerContext:
    """The context of `multiprocessing` whose processes start with all libraries imported."""
    context = get_context("forkserver")
    context.set_forkserver_preload(IMPORTED)
    return context


class WarmMlflowServer(MlflowServer):
    """MLflow's server in a process with all libraries imported."""

    def _launch(self, database: str, artifacts: Path, log: Path) -> None:
        self._warm = WarmProcess(SERVE, log, self._port, database, artifacts, environment=SERVING)

    def stop(self) -> None:
        """End it as by `kill -9`."""
        self._warm.kill()
        self._warm.communicate()


class WarmProcess:
    """A process that runs a program text with arguments, like `subprocess.Popen([python, "-c", code, ...])`."""

    def __init__(self, code: str, *arguments: object, environment: Mapping[str, str]) -> None:
        """Start it.

        Args:
            code: The program.
            arguments: Follow in `sys.argv`.
            environment: Added to this process's environment.
        """
        context = warm_context()
        pipes = [context.Pipe(duplex=False) for _ in range(2)]
        words, variables = [str(argument) for argument in arguments], dict(os.environ) | dict(environment)
        self._process = context.Process(target=_run, args=(code, words, variables, [written for _, written in pipes]))
        self._process.start()
        for _, written in pipes:
            written.close()
        self.stdout, self.stderr = (os.fdopen(os.dup(read.fileno()), encoding="utf-8") for read, _ in pipes)
        for read, _ in pipes:
            read.close()
        self.pid = self._process.pid or 0

    def __del__(self) -> None:
        """Leave nothing behind where a test failed."""
        self.kill()
        for stream in (self.stdout, self.stderr):
            stream.close()

    @property
    def returncode(self) -> int | None:
        """The exit code, negative after a signal; None while the process runs."""
        return self._process.exitcode

    def poll(self) -> int | None:
        """The same."""
        return self.returncode

    def send_signal(self, number: int) -> None:
        """Send a signal."""
        os.kill(self.pid, number)

    def kill(self) -> None:
        """End it as `kill -9` does."""
        self._process.kill()

    def communicate(self, timeout: float = 300.0) -> tuple[str, str]:
        """Wait for the end; returns the output and the errors.

        Raises:
            TimeoutError: The process has not ended in so many seconds; it is killed.
        """
        with ThreadPoolExecutor(2) as pool:
            texts = [pool.submit(stream.read) for stream in (self.stdout, self.stderr)]
            try:
                out, err = (text.result(timeout) for text in texts)
            except TimeoutError:
                self.kill()
                raise
        self._process.join(timeout)
        for stream in (self.stdout, self.stderr):
            stream.close()
        return out, err


def run_warm(
    code: str, *arguments: object, environment: Mapping[str, str], timeout: float = 300.0
) -> subprocess.CompletedProcess[str]:
    """Run a program to its end, like `subprocess.run`."""
    process = WarmProcess(code, *arguments, environment=environment)
    out, err = process.communicate(timeout)
    assert process.returncode is not None
    return subprocess.CompletedProcess([code, *arguments], process.returncode, out, err)


def _run(code: str, arguments: list[str], variables: dict[str, str], outputs: list[Connection]) -> None:
    for number, output in enumerate(outputs, start=1):
        os.dup2(output.fileno(), number)
        output.close()
    sys.stdout = open(1, "w", encoding="utf-8", closefd=False)  # noqa: SIM115
    sys.stderr = open(2, "w", encoding="utf-8", buffering=1, closefd=False)  # noqa: SIM115
    os.environ.clear()
    os.environ.update(variables)
    sys.path[:0] = [path for path in variables.get("PYTHONPATH", "").split(os.pathsep) if path not in sys.path]
    sys.argv = ["-c", *arguments]
    try:
        exec(compile(code, "<string>", "exec"), {"__name__": "__main__"})
    finally:
        atexit._run_exitfuncs()  # type: ignore[attr-defined]  # multiprocessing's own processes leave them out
