"""Packages of somebody else's, as pip installs them."""

import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import pytest


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


@pytest.fixture
def plug_in(
    install: Callable[[Mapping[str, str]], Path], monkeypatch: pytest.MonkeyPatch
) -> Iterator[Callable[[Mapping[str, str]], None]]:
    """Install a package for this process, until the test ends, and for those that it starts."""
    sites: list[Path] = []

    def _plug_in(files: Mapping[str, str]) -> None:
        sites.append(install(files))
        monkeypatch.syspath_prepend(sites[-1])
        monkeypatch.setenv("PYTHONPATH", str(sites[-1]))
        _forget_plugins()

    yield _plug_in
    _forget_plugins()
    for name, module in list(sys.modules.items()):
        if any(Path(str(getattr(module, "__file__", None) or "")).is_relative_to(site) for site in sites):
            del sys.modules[name]


def _forget_plugins() -> None:
    """Let ser-tune, and the copies of it in registered models, look for installed packages again."""
    for module in list(sys.modules.values()):
        if Path(str(getattr(module, "__file__", None) or "")).name == "components.py":
            module._installed.cache_clear()
