"""Limits of files and functions, and words that the code does without."""

import ast
import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

TESTS = Path(__file__).parent
ROOM = TESTS.parent / "ser_tune"
FILE, TEST_FILE, FUNCTION, PARAMETERS = 350, 400, 60, 7
Function = ast.FunctionDef | ast.AsyncFunctionDef


@cache
def _texts() -> dict[str, str]:
    """Name of every file to its text."""
    return {path.relative_to(ROOM).as_posix(): path.read_text(encoding="utf-8") for path in sorted(ROOM.rglob("*.py"))}


@cache
def _nodes() -> list[tuple[str, ast.AST]]:
    """Every node of every file, with the file's name."""
    return [(name, node) for name, text in _texts().items() for node in ast.walk(ast.parse(text))]


@pytest.fixture(scope="module", autouse=True)
def _forgotten() -> Iterator[None]:
    """Keep the nodes no longer than these tests: there are half a million."""
    yield
    _nodes.cache_clear()


def _functions() -> Iterator[tuple[str, Function]]:
    yield from ((name, node) for name, node in _nodes() if isinstance(node, Function))


def test_no_file_is_longer_than_a_reader_takes_in() -> None:
    assert {name: length for name, text in _texts().items() if (length := len(text.splitlines())) > FILE} == {}


def test_no_file_of_tests_is_much_longer() -> None:
    lengths = {
        path.relative_to(TESTS).as_posix(): len(path.read_text(encoding="utf-8").splitlines())
        for path in TESTS.rglob("*.py")
    }
    assert "conftest.py" in lengths
    assert {name: length for name, length in lengths.items() if length > TEST_FILE} == {}


def test_no_function_is_longer_than_a_screen() -> None:
    long = {f"{name}:{node.name}": length for name, node in _functions() if (length := _length(node)) > FUNCTION}
    assert long == {}


def test_no_function_takes_more_than_seven_parameters_but_those_of_commands() -> None:
    commands = ("api/", "cli/printing/")  # whose options follow from their parameters
    many = {f"{name}:{node.name}" for name, node in _functions() if _parameters(node) > PARAMETERS}
    assert {function for function in many if not function.startswith(commands)} == set()


def test_identifiers_name_what_they_are() -> None:
    found = {
        f"{name}:{node.lineno}"
        for name, node in _nodes()
        if (isinstance(node, ast.Name) and node.id in ("one", "ones"))
        or (isinstance(node, ast.arg) and node.arg in ("one", "ones"))
    }
    assert found == set()


@pytest.mark.parametrize("word", ["What", "Whose", "How", "Of", "Who", "Which"])
def test_docstrings_begin_with_what_is_returned_or_done(word: str) -> None:
    found = [
        f"{name}: {text[:60]}"
        for name, node in _nodes()
        if isinstance(node, ast.Expr)
        and isinstance(node.value, ast.Constant)
        and isinstance(text := node.value.value, str)
        if re.match(rf"{word}\b", text)
    ]
    assert found == []


def _length(node: Function) -> int:
    assert node.end_lineno is not None
    return node.end_lineno - node.lineno + 1


def _parameters(node: Function) -> int:
    arguments = [*node.args.posonlyargs, *node.args.args, *node.args.kwonlyargs]
    return len([argument for argument in arguments if argument.arg not in ("self", "cls")])
