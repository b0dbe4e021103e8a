"""`python -m tests.pictures` draws docs/images/ again, by the commands of the working tree on the demo corpus.

`--emodb DIR --checkpoint DIR` draws the pictures of EmoDB too, which searches 50 trials. Needs Chromium.
"""

import argparse
import os
import shutil
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

FOLDER = Path(__file__).parents[1] / "docs" / "images"
ARGUMENTS = ("--no-sandbox", "--disable-gpu", "--disable-background-networking")
PROBE = ("--model", "linear_probe", "--features", "opensmile")
WIDTH, HEIGHT = 1280, 960
WAIT_MS, START_S = 60_000, 120


def _call(root: Path, *arguments: str) -> str:
    """Run `ser-tune` in a project and return what it prints."""
    command = [sys.executable, "-c", "from ser_tune.cli import main; main()", *arguments]
    environment = os.environ | {"SER_TUNE_ROOT": str(root)}
    told = subprocess.run(command, cwd=root, env=environment, check=True, stdout=subprocess.PIPE, text=True)
    return told.stdout


@contextmanager
def _browser() -> Iterator[Any]:
    """Chromium, with a page."""
    from playwright.sync_api import sync_playwright

    program = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
    if program is None:
        sys.exit("no browser; install Chromium")
    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=program, args=list(ARGUMENTS))
        yield chromium.new_page(viewport={"width": WIDTH, "height": HEIGHT})
        chromium.close()


def _shoot(page: Any, address: str, name: str, height: int = HEIGHT) -> None:
    """Draw the top of a page."""
    page.set_viewport_size({"width": WIDTH, "height": height})
    page.goto(address)
    page.wait_for_timeout(1000)
    page.screenshot(path=FOLDER / f"{name}.png")


def _shoot_mlflow(page: Any, root: Path, study: str) -> None:
    """Draw MLflow's comparison of a study's best trials."""
    from ser_tune import api
    from ser_tune.project import Project

    urls = (f"sqlite:///{root}/mlruns/mlflow.db", f"sqlite:///{root}/studies/optuna.db")
    shown = {found.study: found for found in api.pages(project=Project(root, *urls, cache=root / ".cache"))}
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    server = subprocess.Popen(
        [sys.executable, "-c", "from ser_tune.cli import main; main()", "ui", "--port", str(port)],
        env=os.environ | {"SER_TUNE_ROOT": str(root)},
        stderr=subprocess.DEVNULL,
    )
    try:
        end = time.monotonic() + START_S
        while time.monotonic() < end:
            with suppress(OSError):
                urllib.request.urlopen(f"http://127.0.0.1:{port}/health").close()
                break
            time.sleep(0.5)
        page.set_viewport_size({"width": 1360, "height": 720})
        page.goto(f"http://127.0.0.1:{port}/{shown[study].comparison}")
        page.locator(".js-plotly-plot .parcoords").first.wait_for(timeout=WAIT_MS)
        page.wait_for_timeout(2000)
        for close in page.get_by_role("button", name="Close").all():  # the assistant
            with suppress(Exception):
                close.click(timeout=2000)
        page.wait_for_timeout(2000)
        page.screenshot(path=FOLDER / "comparison.png")
    finally:
        server.terminate()
        server.wait()


def _of_demo(page: Any, root: Path) -> None:
    """Pictures of the demo corpus: two studies compared, a study that has run, an utterance, MLflow's comparison."""
    _call(root, "study", *PROBE, "--trials", "12", "--name", "eGeMAPS")
    _call(root, "study", *PROBE, "--trials", "12", "--name", "ComParE", "--set", "features.set=ComParE_2016")
    _call(root, "study", "--model", "light_cnn", "--trials", "3", "--name", "light_cnn")
    _call(root, "compare", "ComParE", "eGeMAPS", "--html", "compare.html")
    _shoot(page, (root / "compare.html").as_uri(), "compare", height=1180)
    _call(root, "status", "light_cnn", "--html", "live.html")
    _shoot(page, (root / "live.html").as_uri(), "live", height=1100)
    _shoot_mlflow(page, root, "ComParE")


def _of_emodb(page: Any, root: Path, emodb: Path, checkpoint: Path) -> None:
    """Pictures of EmoDB: the report of a pretrained encoder, and an utterance."""
    study = ("--model", "linear_probe", "--corpus", "emodb", "--data", str(emodb), "--features", "encoder")
    _call(root, "study", *study, "--set", f"features.checkpoint={checkpoint}", "--trials", "50", "--name", "emodb")
    _call(root, "report", "emodb", "--out", "report.html")
    _shoot(page, (root / "report.html").as_uri(), "report")
    recording = next(emodb.rglob("03a01Fa.wav"))
    _call(root, "predict", "ser-emodb-linear_probe", str(recording), "--plot", str(FOLDER / "utterance.png"))


def main() -> None:
    """Draw the pictures."""
    parser = argparse.ArgumentParser(prog="python -m tests.pictures", description=__doc__)
    parser.add_argument("--emodb", type=Path, help="EmoDB's folder")
    parser.add_argument("--checkpoint", type=Path, help="Whisper base, as a folder")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="ser-tune-") as temporary, _browser() as page:
        _of_demo(page, Path(temporary))
        if given.emodb is not None and given.checkpoint is not None:
            _of_emodb(page, Path(temporary), given.emodb.resolve(), given.checkpoint.resolve())


if __name__ == "__main__":
    main()
