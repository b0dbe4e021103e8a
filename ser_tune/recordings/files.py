"""From arguments of a command line to sound files: files, folders, patterns, and a list on standard input."""

import glob
import os
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

from ..errors import ConfigError

__all__ = ["find_files"]

SUFFIXES = (
    *(".aif", ".aifc", ".aiff", ".au", ".caf", ".flac", ".mp3", ".nist", ".oga", ".ogg", ".opus", ".rf64", ".snd"),
    *(".sph", ".voc", ".w64", ".wav", ".wave"),
)
"""Names of sound files in a folder end in one of these; a file that is named itself may end in anything."""


def find_files(paths: Sequence[str], listed: Iterable[str]) -> list[str]:
    """Resolve arguments to sound files, in their order.

    Args:
        paths: Files; folders, of which all sound files below are taken in the order of their names, hidden ones left
            out; patterns such as `sounds/**/*.wav`; and `-`, which means `listed`.
        listed: Files or folders, one a line, as on standard input; read where a path is `-`.

    Returns:
        Paths as they were written. Files need not exist: reading them shows which cannot be used.

    Raises:
        ConfigError: A folder, pattern or list has no file, or the list is no text; the message names it.
    """
    found: list[str] = []
    for path in paths:
        if path == "-":
            of_path = _of_list(listed)
        else:
            of_path = _of_pattern(path) if _is_pattern(path) else list(_of_file_or_folder(path))
        found += of_path
    return found


def _of_list(listed: Iterable[str]) -> list[str]:
    try:
        lines = [line.rstrip("\r\n") for line in listed]
    except UnicodeDecodeError:
        raise ConfigError("standard input is no text; expected paths, one a line") from None
    found = [file for line in lines if line.strip() for file in _of_file_or_folder(line)]
    if not found:
        raise ConfigError("standard input names no file; expected paths, one a line")
    return found


def _is_pattern(path: str) -> bool:
    """Whether a path is a pattern, and no file or folder whose name has brackets."""
    return glob.has_magic(path) and not os.path.lexists(path)


def _of_pattern(pattern: str) -> list[str]:
    matched = glob.glob(pattern, recursive=True)  # noqa: PTH207 - Path.glob takes no absolute pattern
    found = sorted(path for path in matched if Path(path).is_file())
    if not found:
        raise ConfigError(f"'{pattern}' matches no file")
    return found


def _of_file_or_folder(path: str) -> Iterator[str]:
    if not Path(path).is_dir():
        yield path
        return
    found = sorted(_below(path))
    if not found:
        raise ConfigError(f"the folder '{path}' has no sound files; expected names that end in {', '.join(SUFFIXES)}")
    yield from found


def _below(folder: str) -> Iterator[str]:
    for place, folders, files in os.walk(folder):
        folders[:] = [name for name in folders if not name.startswith(".")]
        for name in files:
            if not name.startswith(".") and name.lower().endswith(SUFFIXES):
                yield os.path.join(place, name)  # noqa: PTH118 - of ten thousand files a Path each takes a second
