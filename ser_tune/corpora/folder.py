"""Recordings in a folder: finding it, listing it, and the digest of a file."""

import hashlib
import os
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

from ..errors import CorpusError
from .utterance import Utterance

__all__ = ["content_digest", "corpus_folder", "near_recordings", "read_recordings", "recordings_in", "subfolder"]


def corpus_folder(corpus: str, data: Path | None, holds: str) -> Path:
    """The folder the user named.

    Args:
        corpus: Whose folder it should be.
        data: What the user named, if anything.
        holds: What lies in the right folder, in words.

    Raises:
        CorpusError: No folder was named, or there is none.
    """
    if data is None:
        raise CorpusError(f"corpus {corpus} needs its folder; pass --data DIR, the folder that holds {holds}")
    if not data.is_dir():
        raise CorpusError(f"corpus {corpus}: '{data}' is not a folder; expected the folder that holds {holds}")
    return data


def subfolder(folder: Path, *names: str) -> Path | None:
    """Find a folder in a folder, whatever the case of its name; None where there is none.

    Args:
        folder: To look in.
        names: Of the folder; the first that is there is taken.

    Raises:
        CorpusError: The folder cannot be read.
    """
    try:
        there = {path.name.lower(): path for path in folder.iterdir() if path.is_dir()}
    except OSError as error:
        raise CorpusError(f"'{folder}' cannot be read: {error.strerror}") from None
    return next((there[name.lower()] for name in names if name.lower() in there), None)


def near_recordings(folder: Path, names: Sequence[str]) -> Path | None:
    """Find a file of a corpus that lies in its folder, or beside the folder of its recordings; None where it is not.

    Args:
        folder: The folder the user named.
        names: Possible paths of the file.
    """
    places = [place / name for place in (folder, folder.absolute().parent) for name in names]
    return next((place for place in places if place.is_file()), None)


def read_recordings(
    corpus: str,
    folder: Path,
    utterance: Callable[[Path], Utterance],
    *,
    example: str,
    endings: Sequence[str] = (".wav",),
) -> list[Utterance]:
    """Read a corpus whose file names are its labels, however deep its files lie.

    Hidden files and folders are left out. Archives that hold a recording twice are common: it is counted once.

    Args:
        corpus: The corpus's name.
        folder: Where its recordings lie.
        utterance: From a file to the utterance of its name.
        example: Of a file name, for the error message.
        endings: Of the files that are recordings, in small letters.

    Raises:
        CorpusError: There are no recordings, or two differ that have one name.
    """
    paths = sorted(recordings_in(folder, endings))
    if not paths:
        listed = " or ".join(endings)
        raise CorpusError(f"corpus {corpus}: no {listed} files in '{folder}'; expected names such as {example}")
    kept: dict[str, Utterance] = {}
    for spoken in map(utterance, paths):
        first = kept.setdefault(spoken.id, spoken)
        if first is not spoken and content_digest(first.path) != content_digest(spoken.path):
            raise CorpusError(
                f"corpus {corpus}: '{first.path}' and '{spoken.path}' are both '{spoken.id}' and differ; "
                "expected one recording, or exact copies"
            )
    return list(kept.values())


def recordings_in(folder: Path, endings: Sequence[str]) -> Iterable[Path]:
    """The files in a folder that have one of these endings, in small letters, however deep; without hidden ones.

    Raises:
        CorpusError: A folder cannot be read.
    """

    def _refuse(error: OSError) -> None:
        raise CorpusError(f"'{error.filename}' cannot be read: {error.strerror}")

    for place, folders, files in os.walk(folder, onerror=_refuse):
        folders[:] = [name for name in folders if not name.startswith(".")]
        yield from (Path(place, name) for name in files if name[0] != "." and name.lower().endswith(tuple(endings)))


def content_digest(path: Path) -> str:
    """SHA-256 of a file.

    Raises:
        CorpusError: It cannot be read.
    """
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        raise CorpusError(f"{path} cannot be read: {error.strerror}") from None
