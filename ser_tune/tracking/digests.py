"""Digests of a registered model's files: what runs and what is computed with is what was promoted."""

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path

from ..errors import RegistryError

__all__ = ["FILES_TAG", "digests_of", "refuse_changed"]

FILES_TAG = "ser_tune.files"
"""On a version: the SHA-256 of each of its files, by path, as JSON."""
UNCOUNTED = "registered_model_meta"
"""Written by MLflow whenever it loads a version."""


def digests_of(folder: Path) -> dict[str, str]:
    """SHA-256 of each file below a folder, by its path there."""
    files = sorted(path for path in folder.rglob("*") if path.is_file() and path.name != UNCOUNTED)
    return {path.relative_to(folder).as_posix(): _digest(path) for path in files}


def _digest(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def refuse_changed(folder: Path, tags: Mapping[str, str], what: str) -> None:
    """Refuse files that differ from those that were promoted, before any code among them runs.

    Args:
        folder: A model's.
        tags: Of its version.
        what: The version, for the error message.

    Raises:
        RegistryError: A file was changed, added or removed; the message names it. Or the version has no digests.
    """
    if FILES_TAG not in tags:
        raise RegistryError(
            f"{what} is not loaded: an earlier ser-tune registered it without digests of its files, so nobody can tell "
            "whether its code was changed; register its trial again with `ser-tune promote "
            f"{tags.get('study', 'STUDY')} --trial {tags.get('trial', 'N')} --as {what.partition('/')[0]}`; "
            "with `--rule always` it becomes champion"
        )
    promoted: dict[str, str] = json.loads(tags[FILES_TAG])
    found = digests_of(folder)
    for path in sorted(promoted.keys() | found.keys()):
        if promoted.get(path) != found.get(path):
            problem = "is gone" if path not in found else "was added" if path not in promoted else "was changed"
            raise RegistryError(
                f"{what} is not loaded: its file '{path}' {problem} after its promotion; restore the files in "
                f"'{folder}', or train again"
            )
