"""Paths of recordings as tables have them, and the files that they mean."""

import os
import re
import unicodedata
from collections import defaultdict
from collections.abc import Mapping
from functools import cache
from pathlib import Path, PurePosixPath
from urllib.parse import unquote

__all__ = ["FileFinder", "foreign_path", "posix_path"]

_DRIVE = re.compile(r"[A-Za-z]:[\\/]|\\\\")
_SOUND = re.compile(r"\.(?:wav|wave|flac|mp3|ogg|oga|opus|aiff?|au|sph|m4a|mp4|webm|wma)", re.IGNORECASE)
_NOT_PLAIN = re.compile(r"//|(?:^|/)\.(?:/|$)|./$")
_ADDRESS = re.compile(r"[A-Za-z][A-Za-z0-9+.-]+://")


def posix_path(written: str) -> str:
    r"""A path with slashes, without `.` and `file://`; the parts `..` stay.

    >>> posix_path(".\\wav\\a.wav"), posix_path("file:///data/a%20b.wav"), posix_path("a//./b.wav")
    ('wav/a.wav', '/data/a b.wav', 'a/b.wav')
    """
    if written.casefold().startswith("file:"):
        path = unquote(written[5:])
        if path.startswith("//"):
            host, _, rest = path[2:].partition("/")
            path = f"/{rest}" if host.casefold() in ("", "localhost") else f"{host}/{rest}"
        written = path[1:] if re.match(r"/[A-Za-z]:", path) else path  # file:///C:/data
    elif _ADDRESS.match(written):
        return written
    path = written.replace("\\", "/")
    return PurePosixPath(path).as_posix() if _NOT_PLAIN.search(path) else path


def foreign_path(written: str) -> str:
    r"""Why a path cannot be one of this machine, to follow it in a sentence; empty where it can.

    >>> foreign_path("https://example.org/a.wav"), foreign_path("C:\\a.wav"), foreign_path("a.wav")
    ('is an address; expected a file', 'is a path of Windows; expected a path relative to the table', '')
    """
    if _ADDRESS.match(written) and not written.casefold().startswith("file:"):
        return "is an address; expected a file"
    if os.name != "nt" and (_DRIVE.match(written) or _DRIVE.match(posix_path(written))):
        return "is a path of Windows; expected a path relative to the table"
    return ""


class FileFinder:
    """Finds the files that paths mean: as written, with slashes, or in another case or without an ending.

    Where several files differ by these alone, none is taken.
    """

    def __init__(self, folder: Path) -> None:
        """Start relative paths at a folder."""
        self.folder = folder
        self._names = cache(_names)

    def find(self, written: str) -> Path:
        """The file that a path means, whether or not there is one.

        Args:
            written: As the table has it.

        Raises:
            OSError: No file can have this name.
            ValueError: Likewise.
        """
        path = self.folder / written  # an absolute path stays as it is
        if path.is_file():
            return path
        path = self.folder / posix_path(written)
        return path if path.is_file() else self._in_another_case(path) or path

    def _in_another_case(self, path: Path) -> Path | None:
        """The one file that differs by case, form of accents, or ending; None where there is none, or several."""
        found, parts = Path(path.anchor), path.parts[1 if path.anchor else 0 :]
        for number, part in enumerate(parts, 1):
            if part != ".." and not (found / part).exists():
                there, key = self._names(found), _folded(part)
                without_ending = number == len(parts) and not _SOUND.fullmatch(Path(part).suffix)
                names = there.get(key) or (there.get(f"{key}.*", ()) if without_ending else ())
                if len(names) != 1:
                    return None
                (part,) = names
            found /= part
        return found if found.is_file() else None


def _names(folder: Path) -> Mapping[str, tuple[str, ...]]:
    """The names in a folder by their folded form, recordings also by `stem.*`; none where it cannot be listed."""
    names = defaultdict[str, tuple[str, ...]](tuple)
    try:
        for name in os.listdir(folder):  # noqa: PTH208 - names alone: a folder may have many
            names[_folded(name)] += (name,)
            stem, ending = os.path.splitext(name)  # noqa: PTH122
            if _SOUND.fullmatch(ending):
                names[f"{_folded(stem)}.*"] += (name,)
    except OSError:
        pass
    return names


def _folded(name: str) -> str:
    return unicodedata.normalize("NFC", name).casefold()
