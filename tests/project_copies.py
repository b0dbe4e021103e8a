"""Copies of projects whose databases are open."""

import shutil
import sqlite3
from contextlib import closing
from pathlib import Path

__all__ = ["copy_project"]


def copy_project(source: Path, target: Path) -> Path:
    """Copy a project, and return the target.

    Databases are copied through SQLite: a process that reads such a file and closes it loses SQLite's locks on it.
    """
    shutil.copytree(source, target, ignore=shutil.ignore_patterns("*.db", "*.db-*"))
    for path in source.rglob("*.db"):
        with (
            closing(sqlite3.connect(path)) as original,
            closing(sqlite3.connect(target / path.relative_to(source))) as copy,
        ):
            original.backup(copy)
    return target
