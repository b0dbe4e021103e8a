"""Files that many models have in common, stored once: every copy is a hard link to a file named by its digest.

A pretrained encoder is in the model that trials refer to and in every registered version; a copy of the program is in
every model. Each model still has all of its files, so that its folder can be copied, loaded and deleted by itself.
"""

import os
from contextlib import suppress
from pathlib import Path

from .digests import digest_of

__all__ = ["share_files"]

COMMON = ("model.safetensors", "ser_tune.zip")
"""Names of an encoder's weights and of the program's copy."""


def share_files(folder: Path, pool: Path) -> None:
    """Replace the common files of a model's folder by links to the files of a pool that have the same content.

    Where the file system has no hard links, the files are left as they are.

    Args:
        folder: The model's; its files are complete.
        pool: On the same file system; made where it is missing. Files that no model has any more are removed.
    """
    pool.mkdir(parents=True, exist_ok=True)
    with suppress(OSError):
        for path in folder.rglob("*"):
            if path.name in COMMON and path.is_file():
                _share(path, pool)
        for kept in pool.iterdir():
            if kept.stat().st_nlink == 1:
                kept.unlink(missing_ok=True)


def _share(path: Path, pool: Path) -> None:
    digest = digest_of(path)
    kept, link = pool / digest, path.with_name(f"{path.name}.{os.getpid()}.link")
    if kept.exists() and digest_of(kept) != digest:  # somebody has changed a model's file
        kept.unlink()
    with suppress(FileExistsError):
        os.link(path, kept)
    if path.samefile(kept):
        return
    os.link(kept, link)
    link.replace(path)
