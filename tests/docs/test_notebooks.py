"""The notebooks of docs/examples run as they are, in a real kernel, and are kept without outputs."""

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.docs.blocks import ROOT
from tests.project_copies import copy_project

FOLDER = ROOT / "docs" / "examples"
NOTEBOOKS = sorted(path.name for path in FOLDER.glob("*.ipynb"))
CHECKS = {
    "first_study.ipynb": [
        r"(?s)trial 3: UAR 0\.\d{4}.*validation_uar",
        r"without the choice among 4 trials the winner's UAR is 0\.\d+ \[",
        r"value=",
        r"anger|happiness|neutral|sadness",
    ],
    "own_corpus.ipynb": [
        r"'anger': 30, 'happiness': 30, 'neutral': 30, 'sadness': 30",
        r"path,speaker,emotion",
        r"own",
        r"0\.\d{3} \[0\.\d{3}, \d\.\d{3}\]\n[+-]0\.\d{3}",
    ],
}
"""What the output of each cell of code contains, in order."""


def test_there_are_notebooks_and_each_has_checks() -> None:
    assert list(CHECKS) == NOTEBOOKS


@pytest.mark.parametrize("name", NOTEBOOKS)
def test_a_notebook_is_kept_without_outputs(name: str) -> None:
    cells = json.loads((FOLDER / name).read_text(encoding="utf-8"))["cells"]
    code = [cell for cell in cells if cell["cell_type"] == "code"]
    assert code
    assert all(cell["outputs"] == [] and cell["execution_count"] is None for cell in code)


@pytest.fixture(scope="module")
def project(databases: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A project of its own, in which kernels start."""
    folder = tmp_path_factory.mktemp("notebooks")
    root = copy_project(databases, folder / "project")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("SER_TUNE_CACHE", str(root / ".cache"))
        for name in ("IPYTHONDIR", "JUPYTER_RUNTIME_DIR"):  # else folders in the home
            patch.setenv(name, str(folder))
        yield root


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::ResourceWarning")  # of Jupyter's client
@pytest.mark.parametrize("name", NOTEBOOKS)
def test_a_notebook_runs_and_shows_results_and_no_warning(name: str, project: Path) -> None:
    nbclient = pytest.importorskip("nbclient", reason="needs the extra test")
    nbformat = pytest.importorskip("nbformat", reason="needs the extra test")
    notebook = nbformat.read(FOLDER / name, as_version=4)
    resources = {"metadata": {"path": str(project)}}
    nbclient.NotebookClient(notebook, timeout=300, kernel_name="python3", resources=resources).execute()
    shown = [_shown(cell.outputs) for cell in notebook.cells if cell.cell_type == "code"]
    for text, pattern in zip(shown, CHECKS[name], strict=True):
        assert re.search(pattern, text), text
    assert not re.search("Warning|Traceback", "".join(shown))


def _shown(outputs: list[Any]) -> str:
    """The text of a cell's outputs."""
    return "".join(one.text if one.output_type == "stream" else one.data["text/plain"] + "\n" for one in outputs)
