"""Packages of somebody else's, as pip installs them."""

import os
import subprocess
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

import pytest


@dataclass(frozen=True)
class Shell:
    """Where commands run, with the package installed or not."""

    root: Path
    site: Path
    cache: Path

    def __call__(self, *command: object, plugin: bool = True) -> subprocess.CompletedProcess[str]:
        environment = os.environ | {"SER_TUNE_CACHE": str(self.cache), "PYTHONPATH": str(self.site) if plugin else ""}
        return subprocess.run(
            [str(one) for one in command], cwd=self.root, env=environment, capture_output=True, text=True, check=False
        )

    def ser_tune(self, *arguments: object, plugin: bool = True) -> subprocess.CompletedProcess[str]:
        return self(Path(sys.executable).with_name("ser-tune"), *arguments, plugin=plugin)


@pytest.fixture
def install(tmp_path: Path) -> Callable[[Mapping[str, str]], Path]:
    """Install a package by pip: from its files, by name, to the folder that has to be on Python's path."""

    def _install(files: Mapping[str, str]) -> Path:
        for name, content in files.items():
            path = tmp_path / "source" / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(content.lstrip(), encoding="utf-8")
        options = ("--quiet", "--no-deps", "--no-build-isolation", "--no-index", "--disable-pip-version-check")
        done = subprocess.run(
            [sys.executable, "-m", "pip", "install", *options, "--target", tmp_path / "site", tmp_path / "source"],
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        return tmp_path / "site"

    return _install
