"""Checksums of the files of a cache entry, so that a damaged entry is noticed before it is used.

CRC-32 of blocks, by zlib, on all cores: it finds every flipped bit, and is faster than any digest that Python has.
"""

import json
import os
import zlib
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

__all__ = ["damage_of", "write_checksums"]

NAME = "checksums.json"
BLOCK = 2**24
"""Bytes of a block."""

_intact: set[tuple[object, ...]] = set()
"""Entries that this process has read and found intact, each with its files' sizes and times."""


def write_checksums(folder: Path) -> None:
    """Write the checksums of a folder's files beside them.

    Raises:
        OSError: The disk is full or cannot be read.
    """
    (folder / NAME).write_text(json.dumps(_checksums(folder)), encoding="utf-8")


def damage_of(folder: Path) -> str | None:
    """Why a folder's files are not those whose checksums were written; None where they are.

    An intact folder is read once in a process, unless the size or time of a file changes.
    """
    try:
        stated = _stated(folder)
        if stated in _intact:
            return None
        written = json.loads((folder / NAME).read_text(encoding="utf-8"))
        found = _checksums(folder)
    except FileNotFoundError as error:
        return f"lack {Path(str(error.filename)).name}" if folder.exists() else "are gone"
    except (OSError, ValueError) as error:
        return f"cannot be read ({error})"
    if not isinstance(written, dict) or written.keys() != found.keys():
        return "lack files, or have others"
    if changed := [name for name in sorted(found) if written[name] != found[name]]:
        return f"are damaged: {', '.join(changed)} differ from their checksums"
    _intact.add(stated)
    return None


def _files(folder: Path) -> list[Path]:
    return sorted(path for path in folder.iterdir() if path.name != NAME)


def _stated(folder: Path) -> tuple[object, ...]:
    """Sizes, times and inodes of a folder's files, which change when a file is written."""
    states = [(path.name, path.stat()) for path in [*_files(folder), folder / NAME]]
    return (str(folder), *((name, state.st_size, state.st_mtime_ns, state.st_ino) for name, state in states))


def _checksums(folder: Path) -> dict[str, list[int]]:
    """By the name of each file its size, and the CRC-32 of each block."""
    sizes = {path.name: path.stat().st_size for path in _files(folder)}
    blocks = [(name, start) for name, size in sizes.items() for start in range(0, size, BLOCK)]
    found = {name: [size] for name, size in sizes.items()}
    with ThreadPoolExecutor(os.cpu_count() or 1) as pool:  # zlib releases the interpreter lock
        for (name, _), checksum in zip(blocks, pool.map(lambda block: _checksum(folder, *block), blocks), strict=True):
            found[name].append(checksum)
    return found


def _checksum(folder: Path, name: str, start: int) -> int:
    with (folder / name).open("rb", buffering=0) as file:
        file.seek(start)
        return zlib.crc32(file.read(BLOCK))
