"""Tables of a split: writing them, and the findings of their audit."""

from pathlib import Path
from typing import Any

from ser_tune.audit import Audit, audit_split, read_split

EMOTIONS = ("anger", "joy", "sad")
SIDES = {"train": ["ada", "bob"], "dev": ["cyd", "dan"], "test": ["eve", "fay"]}
"""Speakers of each side, as splits are published."""
SPLIT = ("train", "validation", "test")
Files = dict[str, list[str]]


def write(folder: Path, files: Files) -> Path:
    """Write the lines of files by their names, and return the folder."""
    for name, lines in files.items():
        file = folder / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")
    return folder


def audit(*paths: Path, **options: Any) -> Audit:
    """Read a split, and run every check."""
    return audit_split(read_split(paths, **options))


def statuses(found: Audit) -> dict[str, str]:
    """The status of each check."""
    return {finding.check: finding.status for finding in found.findings}


def verdict(found: Audit, check: str) -> str:
    """The verdict of a check."""
    (verdict,) = (finding.verdict for finding in found.findings if finding.check == check)
    return verdict
