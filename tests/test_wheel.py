"""A release: sdist and wheel of the same files, and the program of the wheel in a clean environment."""

import os
import subprocess
import sys
import sysconfig
import tarfile
import zipfile
from collections.abc import Callable
from importlib.metadata import version
from pathlib import Path

import pytest

from tests.docs.blocks import ROOT

Installed = Callable[..., subprocess.CompletedProcess[str]]


def _ran(*command: str | Path, cwd: Path) -> str:
    """The output of a command that must not fail."""
    done = subprocess.run(command, cwd=cwd, capture_output=True, encoding="utf-8", check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


def _built(source: Path, folder: Path, *targets: str) -> None:
    """Build distributions with the build backend of pyproject.toml, without a network."""
    pytest.importorskip("hatchling", reason="needs the extra test")
    chosen = [word for target in targets for word in ("-t", target)]
    _ran(sys.executable, "-m", "hatchling", "build", "-d", folder, *chosen, cwd=source)


@pytest.fixture(scope="module")
def release(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the sdist and the wheel."""
    folder = tmp_path_factory.mktemp("release")
    _built(ROOT, folder, "sdist", "wheel")
    return folder


@pytest.fixture(scope="module")
def installed(release: Path, tmp_path_factory: pytest.TempPathFactory) -> Installed:
    """Run the wheel's program in an empty folder: its environment has the dependencies from where the tests run."""
    environment, empty = tmp_path_factory.mktemp("environment"), tmp_path_factory.mktemp("empty")
    _ran(sys.executable, "-m", "venv", "--without-pip", environment, cwd=empty)
    programs = environment / ("Scripts" if os.name == "nt" else "bin")
    site = Path(sysconfig.get_path("purelib", vars={"base": str(environment)}))
    (site / "dependencies.pth").write_text(sysconfig.get_path("purelib") + "\n", encoding="utf-8")
    wheel = next(release.glob("*.whl"))
    offline = ("--no-deps", "--no-index", "--no-compile", "-q")
    _ran(sys.executable, "-m", "pip", "--python", programs / "python", "install", *offline, wheel, cwd=empty)
    where = _ran(programs / "python", "-c", "import ser_tune; print(ser_tune.__file__)", cwd=empty)
    assert Path(where.strip()).is_relative_to(site)

    def _run(*args: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [programs / "ser-tune", *args],
            cwd=empty,
            env=os.environ | {"SER_TUNE_ROOT": str(empty)},
            capture_output=True,
            encoding="utf-8",
            check=False,
        )

    return _run


@pytest.mark.slow
def test_the_sdist_has_everything_to_test_and_to_read_it_and_builds_the_same_wheel(
    release: Path, tmp_path: Path
) -> None:
    with tarfile.open(next(release.glob("*.tar.gz"))) as archive:
        archive.extractall(tmp_path, filter="data")
    source = next(tmp_path.iterdir())
    for name in ("tests/conftest.py", "docs/conf.py", "studies/README.md", "constraints.txt", "CITATION.cff"):
        assert (source / name).read_bytes() == (ROOT / name).read_bytes()
    _built(source, tmp_path, "wheel")
    first, second = (zipfile.ZipFile(next(folder.glob("*.whl"))) for folder in (release, tmp_path))
    with first, second:
        files = {name: first.read(name) for name in first.namelist()}
        assert files == {name: second.read(name) for name in second.namelist()}
    shipped = {path.relative_to(ROOT).as_posix() for path in (ROOT / "studies").rglob("*.yaml")}
    assert {f"ser_tune/{name}" for name in shipped} <= files.keys()
    assert not [name for name in files if name.startswith("tests/") or "__pycache__" in name]


@pytest.mark.slow
def test_the_installed_program_tells_its_version_and_its_models(installed: Installed) -> None:
    assert installed("--version").stdout.strip().endswith(version("ser-tune"))
    told = installed("study", "--help")
    assert (told.returncode, told.stderr) == (0, "")
    assert "light_cnn" in told.stdout


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
