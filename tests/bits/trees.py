"""The code of a commit in a folder of its own, and commands that run with the code of such a folder."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import FrameType
from typing import Any

__all__ = ["ROOT", "Ended", "Tree", "checked_out", "commit_of", "has_changes"]

ROOT = Path(__file__).parents[2]
"""The work tree that this program is part of."""
OURS = ("SER_TUNE_", "MLFLOW_", "PYTHON", "OMP_", "MKL_")
"""Variables of the developer's shell that no run sees."""
FIXED = {
    "OMP_NUM_THREADS": "1",  # the order of sums depends on the number of threads
    "HF_HUB_OFFLINE": "1",
    "COLUMNS": "200",
}


@dataclass(frozen=True, slots=True)
class Ended:
    """How a command ended."""

    code: int
    out: str
    told: str
    """What all commands of its process wrote to standard error."""


@dataclass(frozen=True, slots=True)
class Tree:
    """The code of a commit or of a work tree."""

    name: str
    code: Path
    """The folder that holds `ser_tune/`."""
    cache: Path
    """Where its features are cached; two trees must not share it, or the second would not extract anything."""

    def empty_project(self) -> Path:
        """A project without studies, to be copied: MLflow takes seconds to make a database."""
        project = self.cache / "empty"
        if not project.exists():
            self.run([("models",)], project)
        return project

    def run(self, commands: Sequence[Sequence[str]], project: Path) -> list[Ended]:
        """Run commands in a process of their own.

        Args:
            commands: Arguments of `ser-tune`. After one that fails, the rest is not run.
            project: The project's folder; made where it is missing.

        Raises:
            RuntimeError: The process ended before it could write how the commands ended.
        """
        project.mkdir(parents=True, exist_ok=True)
        results = project / "ended.json"
        results.unlink(missing_ok=True)
        shell = {name: value for name, value in os.environ.items() if not name.startswith(OURS)}
        places = {"SER_TUNE_ROOT": str(project), "SER_TUNE_CACHE": str(self.cache), "PYTHONPATH": str(self.code)}
        process = subprocess.run(
            [sys.executable, "-P", str(Path(__file__).with_name("commands.py")), str(self.code), str(results)],
            input=json.dumps([list(command) for command in commands]),
            env=shell | FIXED | places,
            cwd=project,
            capture_output=True,
            text=True,
            check=False,
        )
        if not results.exists():
            raise RuntimeError(f"{self.name} ended with exit code {process.returncode}:\n{process.stderr}")
        ended: list[dict[str, Any]] = json.loads(results.read_text(encoding="utf-8"))
        return [Ended(**one, told=process.stderr) for one in ended]


def commit_of(name: str) -> str:
    """The commit that a name means, 40 hexadecimal digits.

    Raises:
        ValueError: This repository has no such commit.
    """
    told = _git("rev-parse", "--verify", "--quiet", f"{name}^{{commit}}", check=False)
    if told.returncode:
        raise ValueError(f"this repository has no commit '{name}'")
    return told.stdout.strip()


def has_changes() -> bool:
    """Whether the work tree differs from its commit."""
    return bool(_git("status", "--porcelain", "--", "ser_tune").stdout)


@contextmanager
def checked_out(commit: str, folder: Path) -> Iterator[Path]:
    """Check a commit out into a git worktree, which is removed at the end, also after Ctrl-C, SIGTERM or SIGHUP."""
    before = {one: signal.signal(one, _end) for one in (signal.SIGTERM, signal.SIGHUP)}
    try:
        _git("worktree", "add", "--quiet", "--detach", str(folder), commit)
        yield folder
    finally:
        _git("worktree", "remove", "--force", str(folder), check=False)
        for one, handler in before.items():
            signal.signal(one, handler)


def _end(number: int, frame: FrameType | None) -> None:
    raise SystemExit(128 + number)


def _git(*arguments: str, check: bool = True) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(["git", *arguments], cwd=ROOT, check=check, capture_output=True, text=True)
