"""The code keeps the rules of pyproject.toml: lint, format, layers, strict types. CI runs this file first and alone."""

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]


@pytest.mark.parametrize(
    "command",
    [
        ["ruff", "check", "."],
        ["ruff", "format", "--check", "."],
        ["lint-imports"],
        pytest.param(["mypy"], marks=pytest.mark.slow),
    ],
    ids=["lint", "format", "layers", "types"],
)
def test_the_code_keeps_the_rules(command: list[str]) -> None:
    program = Path(sys.executable).with_name(command[0])
    done = subprocess.run([program, *command[1:]], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
