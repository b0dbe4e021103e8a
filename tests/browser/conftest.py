"""A headless Chromium, one study that is complete in every store, and MLflow's server on it: once for all tests here.

Debian's Chromium is used (`apt-get install chromium`). Where there is none, tests are skipped; in CI they fail.
"""

import os
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from tests.project_copies import copy_project

REPOSITORY = Path(__file__).parents[2]
START_S = 120
NAMES = ("chromium", "chromium-browser", "google-chrome")
ARGUMENTS = ("--no-sandbox", "--disable-gpu", "--disable-background-networking")
"""Chromium's sandbox does not work for root, which containers run as."""


@dataclass
class Watched:
    """A page, and what went wrong on it."""

    page: Any
    errors: list[str] = field(default_factory=list)
    """Messages of the console at level error, and exceptions of scripts."""
    requests: list[str] = field(default_factory=list)
    """Addresses asked for, without those inside of the page."""


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    """Chromium; a skip where there is none, and in CI a failure."""
    program = next(filter(None, map(shutil.which, NAMES)), None)
    if program is None:
        reason = f"no browser: none of {', '.join(NAMES)} is on the path"
        if os.environ.get("CI"):
            pytest.fail(reason)
        pytest.skip(reason)
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=program, args=list(ARGUMENTS))
        yield chromium
        chromium.close()


@pytest.fixture
def visit(browser: Any) -> Iterator[Callable[[str], Watched]]:
    """Open a page: `visit(address)`."""
    context = browser.new_context(viewport={"width": 1280, "height": 900})

    def _visit(address: str) -> Watched:
        watched = Watched(context.new_page())
        watched.page.on(
            "console",
            lambda one: watched.errors.append(f"{one.text} {one.location['url']}") if one.type == "error" else None,
        )
        watched.page.on("pageerror", lambda error: watched.errors.append(str(error)))
        watched.page.on(
            "request",
            lambda one: None if one.url.startswith(("data:", "blob:")) else watched.requests.append(one.url),
        )
        watched.page.goto(address)
        return watched

    yield _visit
    context.close()


@pytest.fixture(scope="session")
def searched(
    databases: Path, once: Callable[..., Path], call: Callable[..., Any], study_file: Path, corpus_csv: Path
) -> Path:
    """The root of a project with a study of twelve trials, which has promoted its best; do not change it."""
    corpus = ("--corpus", "manifest", "--data", str(corpus_csv))

    def _run(folder: Path) -> None:
        copy_project(databases, folder / "project")
        told = call(folder / "project", "study", study_file, *corpus, "--name", "searched", "--trials", "12")
        assert told.code == 0, told.err

    return once("searched", _run) / "project"


@pytest.fixture(scope="module")
def ui(searched: Path, shared_cache: Path) -> Iterator[dict[str, str]]:
    """`ser-tune ui`, serving: the addresses that it prints, by what they show."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    process = subprocess.Popen(
        [sys.executable, "-c", "from ser_tune.cli import main; main()", "ui", "--port", str(port)],
        env=os.environ | {"PYTHONPATH": str(REPOSITORY), "SER_TUNE_ROOT": str(searched)},
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,  # MLflow's server too is to be ended
    )
    assert process.stderr is not None
    end = threading.Timer(START_S, os.killpg, (process.pid, signal.SIGKILL))
    end.start()
    found, drain = {"": f"http://127.0.0.1:{port}"}, None
    try:
        for line in process.stderr:
            what, _, address = line.strip().partition(": http")
            found[what] = f"http{address}"
            if "Application startup complete" in line or "its best trials compared" in line:
                break
        drain = threading.Thread(target=process.stderr.read, daemon=True)  # a full pipe would stop the server
        drain.start()
        while True:
            try:
                socket.create_connection(("127.0.0.1", port), timeout=1).close()
                break
            except OSError:
                assert process.poll() is None, "the server ended"
                time.sleep(0.2)
        end.cancel()
        yield found
    finally:
        end.cancel()
        process.terminate()  # it ends MLflow's server
        process.wait()
        if drain is not None:
            drain.join()
        process.stderr.close()
