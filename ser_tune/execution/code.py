"""The program's code as one hash: whoever trains with the same one computes the same."""

import hashlib
from functools import cache
from importlib.metadata import version
from pathlib import Path

__all__ = ["code_digest"]

COMPUTES = ("numpy", "torch", "torchvision")
"""Packages whose versions round sums, draw random numbers, or build networks."""


@cache
def code_digest() -> str:
    """A hash of this program's files, and of the versions of the packages that it computes with."""
    root = Path(__file__).parents[1]
    hashed = hashlib.sha256(" ".join(f"{package} {version(package)}" for package in COMPUTES).encode())
    for path in sorted(root.rglob("*.py")):
        hashed.update(path.relative_to(root).as_posix().encode() + path.read_bytes())
    return hashed.hexdigest()
