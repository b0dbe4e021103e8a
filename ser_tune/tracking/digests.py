"""Digests of a registered model's files: its code and weights must equal those that were promoted."""

import hashlib
import json
import os
import shutil
import stat
from collections.abc import Iterator, Mapping
from pathlib import Path, PurePosixPath

from ..errors import RegistryError
from .mlflow_internals import REGISTERED_MODEL_META_FILE_NAME

__all__ = ["FILES_TAG", "digest_of", "digests_of", "refuse_changed", "remove_byte_code"]

FILES_TAG = "ser_tune.files"
"""On a version: the SHA-256 of each of its files, by path, as JSON."""
BYTE_CODE = "__pycache__"
"""Folder that Python reads before the source beside it. It is never a part of a model, and removed before loading."""


def digests_of(folder: Path) -> dict[str, str]:
    """SHA-256 of each file below a folder, by its path there; byte code is left out.

    Raises:
        RegistryError: There is a link, or anything else that is neither a file nor a folder.
        OSError: Something cannot be read.
    """
    return {name: digest_of(folder / name) for name in sorted(_files(folder)) if _counts(name)}


def remove_byte_code(folder: Path) -> None:
    """Remove what Python would run in place of a model's sources; a Python that loads a model writes it there.

    Raises:
        RegistryError: There is a link, or anything else that is neither a file nor a folder; or it cannot be removed.
    """
    for cache in sorted({(folder / name).parent for name in _files(folder) if _cached(name)}):
        try:
            shutil.rmtree(cache)
        except OSError as error:
            raise RegistryError(
                f"the byte code in '{cache}' is not of the model and cannot be removed: {error.strerror}; remove it"
            ) from None


def _files(folder: Path) -> Iterator[str]:
    """Path of each file below a folder.

    Raises:
        RegistryError: A link, which Python would follow, or anything else that is neither a file nor a folder.
    """

    def refuse(error: OSError) -> None:
        raise error

    for place, folders, files in os.walk(folder, onerror=refuse):
        for name in (*folders, *files):
            path = Path(place, name)
            mode = path.lstat().st_mode
            if not (stat.S_ISREG(mode) or stat.S_ISDIR(mode)):
                kind = "a link" if stat.S_ISLNK(mode) else "neither a file nor a folder"
                raise RegistryError(
                    f"the model in '{folder}' is not loaded: its '{path.relative_to(folder).as_posix()}' is {kind}; "
                    "restore the files, or train again"
                )
            if stat.S_ISREG(mode):
                yield path.relative_to(folder).as_posix()


def _cached(name: str) -> bool:
    """Whether a path is that of byte code which Python wrote."""
    path = PurePosixPath(name)
    return path.parent.name == BYTE_CODE and path.suffix == ".pyc"


def _counts(name: str) -> bool:
    # MLflow writes that file whenever it loads a version
    return name != REGISTERED_MODEL_META_FILE_NAME and not _cached(name)


def digest_of(path: Path) -> str:
    """SHA-256 of a file's content.

    Raises:
        OSError: It cannot be read.
    """
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def refuse_changed(folder: Path, tags: Mapping[str, str], what: str) -> None:
    """Refuse files that differ from those that were promoted, before any code among them runs.

    Args:
        folder: A model's.
        tags: Of its version.
        what: The version, for the error message.

    Raises:
        RegistryError: A file was changed, added or removed, or is a link; the message names it. Or the version has no
            digests.
    """
    if FILES_TAG not in tags:
        raise RegistryError(
            f"{what} is not loaded: it was registered without digests of its files, so nobody can tell whether its "
            f"code was changed; register its trial again with `ser-tune promote {tags.get('study', 'STUDY')} --trial "
            f"{tags.get('trial', 'N')} --as {what.partition('/')[0]}`; with `--rule always` it becomes champion"
        )
    promoted = {name: digest for name, digest in _promoted(tags[FILES_TAG], what).items() if _counts(name)}
    found = digests_of(folder)
    for path in sorted(promoted.keys() | found.keys()):
        if promoted.get(path) != found.get(path):
            problem = "is gone" if path not in found else "was added" if path not in promoted else "was changed"
            raise RegistryError(
                f"{what} is not loaded: its file '{path}' {problem} after its promotion; restore the files in "
                f"'{folder}', or train again"
            )


def _promoted(tag: str, what: str) -> dict[str, str]:
    """Digests by path, as they were stored with a version.

    Raises:
        RegistryError: The tag is damaged.
    """
    try:
        digests = json.loads(tag)
    except ValueError:
        digests = None
    if not isinstance(digests, dict):
        raise RegistryError(
            f"{what} is not loaded: its tag {FILES_TAG} is not the list of its files that a promotion stores; train "
            "again, or restore the tag"
        )
    return digests
