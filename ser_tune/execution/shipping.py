"""Features on machines that share no folder: entries of the feature cache as arrays of bytes, and written again."""

import shutil
import tempfile
from collections.abc import Mapping
from pathlib import Path

import numpy as np

from ..errors import StorageError

__all__ = ["packed", "unpack"]


def packed(entry: Path) -> dict[str, np.ndarray]:
    """The files of a cache entry: name to content, shape (bytes,), uint8.

    Raises:
        StorageError: They cannot be read.
    """
    try:
        return {path.name: np.fromfile(path, np.uint8) for path in sorted(entry.iterdir())}
    except OSError as error:
        raise StorageError(f"the cached features in '{entry}' cannot be read: {error.strerror or error}") from None


def unpack(files: Mapping[str, np.ndarray], entry: Path) -> None:
    """Write an entry, unless another process did meanwhile.

    Raises:
        StorageError: There is no room, or the folder cannot be written.
    """
    try:
        entry.parent.mkdir(parents=True, exist_ok=True)
        partial = Path(tempfile.mkdtemp(prefix=f"{entry.name}.", dir=entry.parent))
        try:
            for name, content in files.items():
                (partial / name).write_bytes(content.data)
            try:
                partial.rename(entry)
            except OSError:
                if not entry.exists():  # as it does where another process was faster
                    raise
        finally:
            shutil.rmtree(partial, ignore_errors=True)
    except OSError as error:
        raise StorageError(
            f"the feature cache in '{entry.parent}' cannot be written: {error.strerror or error}; "
            "set SER_TUNE_CACHE on this node to a folder with room"
        ) from None
