"""`dashboard`: Optuna's pages on the project's studies, on loopback, until a signal."""

import os
import signal
import socket
import subprocess
import sys
import urllib.request
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

REPOSITORY = Path(__file__).parents[2]


@pytest.mark.slow
def test_the_dashboard_shows_the_study_and_ends_on_sigterm(finished: Any) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    process = subprocess.Popen(
        [sys.executable, "-c", "from ser_tune.cli import main; main()", "dashboard", "--port", str(port)],
        env=os.environ | {"PYTHONPATH": str(REPOSITORY), "SER_TUNE_ROOT": str(finished.root), "COLUMNS": "300"},
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        assert process.stderr is not None
        assert f"open http://127.0.0.1:{port}/dashboard" in process.stderr.readline()
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/api/studies", timeout=60) as answer:
            assert '"first"' in answer.read().decode()
        process.send_signal(signal.SIGTERM)
        _, said = process.communicate(timeout=30)
        assert (process.returncode, said) == (143, "interrupted\n")
        with socket.socket() as again:  # nobody listens any more
            assert again.connect_ex(("127.0.0.1", port)) != 0
    finally:
        process.kill()
        process.wait()


def test_a_port_that_is_taken_is_refused_in_one_sentence(call: Callable[..., Any], root: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        call(root, "dashboard", "--port", str(port)).refused(f"port {port} on 127.0.0.1 cannot be used")


def test_without_the_package_the_extra_is_named(
    call: Callable[..., Any], root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("ser_tune.cli.servers.find_spec", lambda name: None)
    call(root, "dashboard").refused("pip install 'ser-tune[dashboard]'")
