"""The code fits Python 3.11 to 3.14 and other systems than Linux; ruff checks that text files have an encoding."""

import ast
import importlib.util
import os
import shutil
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest
from trove_classifiers import classifiers

from tests.docs.blocks import ROOT

SOURCES = sorted((ROOT / "ser_tune").rglob("*.py"))
CHECKS = ("sys.platform", "os.name", "hasattr")
"""What a function contains that asks whether the platform has a name."""
LATER = (12, 13, 14)
COMPILE = """
import ast, pathlib, sys, warnings
warnings.simplefilter("error")
missing = set()
for name in sys.stdin.read().split("\\n"):
    tree = ast.parse(pathlib.Path(name).read_text(encoding="utf-8"))
    compile(tree, name, "exec")
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            missing |= {alias.name.partition(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and not node.level:
            missing.add(node.module.partition(".")[0])
print(*sorted(missing - set(sys.stdlib_module_names)))
"""
"""Compiles files, and prints the modules that they import and that are not in this Python's standard library."""


def _is_for_windows(test: ast.expr) -> bool | None:
    """Whether a condition of a type stub holds on Windows; None where it depends on something else."""
    match test:
        case ast.Compare(ast.Attribute(ast.Name("sys"), "platform"), [ast.Eq()], [ast.Constant(name)]):
            return name == "win32"
        case ast.Compare(ast.Attribute(ast.Name("sys"), "platform"), [ast.NotEq()], [ast.Constant(name)]):
            return name != "win32"
        case ast.BoolOp(ast.And(), parts):
            return False if any(_is_for_windows(part) is False for part in parts) else None
        case _:
            return None


def _names(body: list[ast.stmt], windows: bool) -> Iterator[tuple[str, bool]]:
    """Every name that a stub defines, and whether Windows has it."""
    for node in body:
        match node:
            case ast.If(test, body, otherwise):
                found = _is_for_windows(test)
                yield from _names(body, windows and found is not False)
                yield from _names(otherwise, windows and found is not True)
            case ast.FunctionDef(name) | ast.ClassDef(name) | ast.AnnAssign(ast.Name(name)):
                yield name, windows
            case ast.Assign([ast.Name(name)]):
                yield name, windows
            case ast.ImportFrom(names=names):
                yield from ((alias.asname or alias.name, windows) for alias in names)


@cache
def _missing_on_windows(module: str) -> frozenset[str]:
    """Names of a module of the standard library that Windows lacks, by the type stubs of mypy."""
    mypy = importlib.util.find_spec("mypy")
    assert mypy is not None
    assert mypy.origin is not None
    stubs = Path(mypy.origin).parent / "typeshed" / "stdlib"
    path = module.replace(".", "/")
    file = next((file for file in (stubs / f"{path}.pyi", stubs / path / "__init__.pyi") if file.is_file()), None)
    if file is None:
        return frozenset()
    found = list(_names(ast.parse(file.read_text(encoding="utf-8")).body, windows=True))
    return frozenset(name for name, _ in found) - {name for name, windows in found if windows}


def _used(tree: ast.AST) -> Iterator[tuple[ast.AST, str, str]]:
    """Every use of a name of an imported module: node, module, name."""
    modules = {}
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            modules.update({alias.asname or alias.name: alias.name for alias in node.names})
        elif isinstance(node, ast.ImportFrom) and not node.level and node.module:
            yield from ((node, node.module, alias.name) for alias in node.names)
    for node in ast.walk(tree):
        match node:
            case ast.Attribute(ast.Name(name), attribute) if name in modules:
                yield node, modules[name], attribute


def _unguarded(source: str) -> list[str]:
    """Uses of names that Windows lacks, outside of functions that ask for the platform."""
    tree = ast.parse(source)
    functions = [node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef)]
    lines = source.splitlines()
    guarded = set[int]()
    for node in ast.walk(tree):
        match node:
            case ast.If(ast.Name("TYPE_CHECKING"), [*_, last]):  # imports that no program runs
                guarded.update(range(node.lineno, (last.end_lineno or last.lineno) + 1))
    for function in functions:
        numbers = range(function.lineno, (function.end_lineno or function.lineno) + 1)
        if any(check in lines[number - 1] for number in numbers for check in CHECKS):
            guarded.update(numbers)
    return [
        f"{node.lineno}: {module}.{name}"  # type: ignore[attr-defined]
        for node, module, name in _used(tree)
        if name in _missing_on_windows(module) and node.lineno not in guarded  # type: ignore[attr-defined]
    ]


def test_names_that_windows_lacks_are_found_where_nothing_asks_for_the_platform() -> None:
    guarded = "import os, sys\ndef end(group):\n    if sys.platform != 'win32':\n        os.killpg(group, 9)\n"
    bare = "import fcntl\nimport os, signal\nfrom os import fork\nos.killpg(1, signal.SIGKILL)\nfcntl.flock(1, 2)\n"
    assert _unguarded(guarded) == []
    assert sorted(_unguarded(bare)) == ["3: os.fork", "4: os.killpg", "4: signal.SIGKILL", "5: fcntl.flock"]


def test_no_name_that_windows_lacks_is_used_without_asking_for_the_platform() -> None:
    used = {str(file.relative_to(ROOT)): _unguarded(file.read_text(encoding="utf-8")) for file in SOURCES}
    assert {file: names for file, names in used.items() if names} == {}


def test_no_module_is_imported_at_the_start_that_windows_lacks() -> None:
    at_the_start = {
        alias.name
        for file in SOURCES
        for node in ast.parse(file.read_text(encoding="utf-8")).body
        if isinstance(node, ast.Import)
        for alias in node.names
    }
    assert {"os", "signal"} <= at_the_start
    assert at_the_start & {"fcntl", "grp", "posix", "pty", "pwd", "resource", "syslog", "termios", "tty"} == set()


@pytest.mark.parametrize("minor", LATER)
def test_later_pythons_compile_every_file_and_have_every_module_of_the_standard_library(minor: int) -> None:
    program = shutil.which(f"python3.{minor}")
    chosen = os.environ | {"PYENV_VERSION": f"3.{minor}"}  # pyenv has every program, and runs it where it is chosen
    version = [program or "", "--version"]
    if program is None or subprocess.run(version, env=chosen, capture_output=True, check=False).returncode:
        pytest.skip(f"no Python 3.{minor} on this machine")
    files = "\n".join(map(str, SOURCES))
    command = [program, "-I", "-c", COMPILE]
    done = subprocess.run(command, env=chosen, input=files, capture_output=True, encoding="utf-8", check=False)
    assert done.returncode == 0, done.stderr
    assert set(done.stdout.split()) & set(sys.stdlib_module_names) == set()


def test_classifiers_exist_and_name_the_pythons_that_may_install() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    assert set(project["classifiers"]) <= classifiers
    named = {int(name.rpartition(".")[2]) for name in project["classifiers"] if ":: 3." in name}
    assert min(named) == int(project["requires-python"].removeprefix(">=3."))
    assert os.environ.get("CI") is None or sys.version_info.minor in named
