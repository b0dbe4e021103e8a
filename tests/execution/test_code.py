"""The digest that separates workers covers the code that computes; importing that code has no effects."""

import json
import shutil
import subprocess
import sys
from pathlib import Path

import grimp
import pytest

import ser_tune
from ser_tune.execution import code_digest
from ser_tune.execution.code import ROOMS, digest_of_code

PACKAGE = Path(ser_tune.__file__).parent
NAMES = [room.removesuffix(".py") for room in ROOMS]
BARE = """
import importlib, json, logging, os, pkgutil, sys, threading, warnings

def state():
    levels = {name: logging.getLogger(name).level for name in ("", *logging.root.manager.loggerDict)}
    levels = {name: level for name, level in levels.items() if level}
    filters = [str(each) for each in warnings.filters]
    return [dict(os.environ), levels, filters, torch.get_num_threads(), threading.active_count()]

import numpy, pydantic, requests, scipy.optimize, torch  # whose own imports have effects
before = state()
for room in sys.argv[1:]:
    module = importlib.import_module(f"ser_tune.{room}")
    for found in pkgutil.walk_packages(getattr(module, "__path__", []), f"ser_tune.{room}."):
        importlib.import_module(found.name)
at_use = {"librosa", "matplotlib", "pandas", "pyroomacoustics", "ray", "sklearn", "threadpoolctl", "torchvision"}
print(json.dumps([before, state(), sorted(at_use & set(sys.modules))]))
"""


def _with_comment(root: Path, file: str) -> str:
    path = root / file
    path.write_text(path.read_text(encoding="utf-8") + "\n# A comment\n", encoding="utf-8")
    return digest_of_code(root)


def test_code_that_computes_separates_workers_and_a_comment_in_the_command_line_does_not(tmp_path: Path) -> None:
    root = shutil.copytree(PACKAGE, tmp_path / "elsewhere", ignore=shutil.ignore_patterns("__pycache__"))
    assert digest_of_code(root) == code_digest()
    for file in ("cli/__init__.py", "api/__init__.py", "results/__init__.py", "tracking/__init__.py", "__init__.py"):
        assert _with_comment(root, file) == code_digest()
    digests = {code_digest()}
    for room in ROOMS:
        digests.add(_with_comment(root, room if room.endswith(".py") else f"{room}/__init__.py"))
    digests.add(_with_comment(root, "training/losses/focal.py"))
    (root / "features" / "another.py").touch()
    digests.add(digest_of_code(root))
    assert len(digests) == len(ROOMS) + 3


def test_the_digest_covers_all_that_execution_imports() -> None:
    graph, reached = grimp.build_graph("ser_tune"), {"execution"}
    while (
        found := {
            imported.split(".")[1]
            for module in graph.modules - {"ser_tune"}
            if module.split(".")[1] in reached
            for imported in graph.find_modules_directly_imported_by(module) - {"ser_tune"}
        }
        - reached
    ):
        reached |= found
    assert reached == set(NAMES)


@pytest.mark.slow
def test_importing_what_computes_has_no_effects_and_leaves_heavy_libraries_to_their_users() -> None:
    done = subprocess.run([sys.executable, "-c", BARE, *NAMES], capture_output=True, text=True, check=True, timeout=300)
    before, after, heavy = json.loads(done.stdout)
    assert after == before
    assert heavy == []
