"""A wheel contains the study files: commands that name them work from an empty folder."""

import os
import shutil
import subprocess
import sys
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
Installed = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Installed:
    """Run a command of the wheel's package in an empty folder."""
    pytest.importorskip("hatchling")
    source, site, empty = (tmp_path_factory.mktemp(name) for name in ("source", "site", "empty"))
    for name in ("pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(ROOT / name, source)
    for name in ("ser_tune", "studies"):
        shutil.copytree(ROOT / name, source / name, ignore=shutil.ignore_patterns("__pycache__", "*.db*"))
    wheel = [sys.executable, "-m", "pip", "wheel", "-q", "--no-deps", "--no-build-isolation", "-w", str(site), "."]
    subprocess.run(wheel, cwd=source, check=True, capture_output=True)
    with zipfile.ZipFile(next(site.glob("*.whl"))) as file:
        file.extractall(site)

    def _run(*args: str) -> subprocess.CompletedProcess[str]:
        code = "import ser_tune; print(ser_tune.__file__); from ser_tune.cli import main; main()"
        environment = os.environ | {"PYTHONPATH": str(site), "SER_TUNE_ROOT": str(empty)}
        done = subprocess.run(
            [sys.executable, "-c", code, *args],
            cwd=empty,
            env=environment,
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.stdout.startswith(str(site))
        return done

    return _run


@pytest.mark.slow
@pytest.mark.parametrize(
    "command",
    [("reproduce", "chen2018"), ("train", "studies/emodb/light_cnn-speaker-40.yaml", "--corpus", "emodb")],
    ids=["published", "named"],
)
def test_a_shipped_study_file_is_found(installed: Installed, command: tuple[str, ...]) -> None:
    told = installed(*command, "--data", "nowhere")
    # The file was read: what is missing is the corpus
    assert told.returncode == 2
    assert told.stderr == "error: corpus emodb: 'nowhere' is not a folder; expected the folder that holds wav/\n"


@pytest.mark.slow
def test_a_file_that_is_nowhere_is_named_as_it_was_written(installed: Installed) -> None:
    told = installed("train", "studies/no.yaml")
    assert (told.returncode, told.stderr) == (2, "error: study file 'studies/no.yaml' does not exist\n")
