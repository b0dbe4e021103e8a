"""The code that computes, as one hash: processes with the same hash compute the same numbers."""

import hashlib
from functools import cache
from importlib.metadata import version
from pathlib import Path

__all__ = ["code_digest", "digest_of_code"]

PACKAGES = ("numpy", "torch", "torchvision")
"""Their versions decide how sums are rounded, random numbers drawn and networks built."""
ROOMS = (
    *("architectures", "audio", "components.py", "config", "corpora", "device.py", "encoders", "errors.py"),
    *("execution", "features", "likeness", "metrics", "prediction", "row_groups.py", "tasks", "training"),
)
"""Execution, and every room that it imports: trained folds depend on their code, and on no other."""


@cache
def code_digest() -> str:
    """The hash of this process's code."""
    return digest_of_code(Path(__file__).parents[1])


def digest_of_code(root: Path) -> str:
    """Hash the files of the rooms that compute, and the versions of the packages that they compute with.

    Args:
        root: The folder of the package `ser_tune`.
    """
    hashed = hashlib.sha256(" ".join(f"{package} {version(package)}" for package in PACKAGES).encode())
    files = (path for room in ROOMS for path in (root / room, *(root / room).rglob("*.py")) if path.is_file())
    for path in sorted(files):
        hashed.update(path.relative_to(root).as_posix().encode() + path.read_bytes())
    return hashed.hexdigest()
