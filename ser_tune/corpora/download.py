"""Downloading a corpus: whole and right, or not there; what was fetched before an interruption is kept."""

import shutil
import zipfile
import zlib
from collections.abc import Callable
from pathlib import Path, PurePosixPath

from filelock import FileLock, Timeout

from ..errors import CorpusError
from .base import Archive, Corpus, CorpusSource
from .folder import content_digest

__all__ = ["download_corpus"]

TIMEOUT_S = 30.0
"""For the server to answer, and between two pieces of the file."""
CHUNK_BYTES = 1 << 16

Progress = Callable[[int, int | None], None]


def download_corpus(
    source: CorpusSource,
    folder: Path,
    cache: Path,
    *,
    progressed: Progress = lambda done, total: None,
) -> bool:
    """Fetch a corpus's archive and unpack it, unless it is there.

    Args:
        source: The corpus.
        folder: Where it should lie; it appears in one step, when all of it was checked.
        cache: Where the archive is kept until then, in `downloads/`.
        progressed: Told the bytes that are here, and of how many, where the server gives it.

    Returns:
        Whether it was downloaded; False where it already was in the folder.

    Raises:
        CorpusError: It may not be downloaded, the folder holds something else, the server or the network fails,
            or what was downloaded is not the corpus.
    """
    archive = source.archive
    if archive is None:
        if not source.home:
            raise CorpusError(f"corpus {source.name} has nothing to download")
        raise CorpusError(
            f"corpus {source.name} is not ours to download (licence: {source.licence}); get it at {source.home} and "
            "pass its folder with --data DIR"
        )
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        if reason := _mismatch(source, archive, folder, cache):
            raise CorpusError(
                f"'{folder}' exists and is not the published corpus {source.name}: {reason}; "
                "name another folder with --data DIR"
            )
        return False
    place = cache / "downloads"
    place.mkdir(parents=True, exist_ok=True)
    folder.parent.mkdir(parents=True, exist_ok=True)
    try:
        with FileLock(place / f"{source.name}.lock", timeout=0):
            _unpack(source, archive, _fetch(source, archive, place, progressed), folder, cache)
    except Timeout:
        raise CorpusError(f"corpus {source.name} is being downloaded by another program; wait for it") from None
    return True


def _mismatch(source: CorpusSource, archive: Archive, folder: Path, cache: Path) -> str:
    """Why a folder's content is not the published one; empty where it is."""
    try:
        digest = Corpus.load(source, folder, cache).digest
    except CorpusError as error:
        return str(error)
    return "" if digest == archive.digest else f"its digest is {digest}, expected {archive.digest}"


def _fetch(source: CorpusSource, archive: Archive, place: Path, progressed: Progress) -> Path:
    """The archive's file, downloaded now or before an interruption."""
    file, partial = place / f"{source.name}.zip", place / f"{source.name}.zip.partial"
    if not file.exists():
        _resume(archive.url, partial, progressed)
        partial.replace(file)
    if archive.sha256 is not None and content_digest(file) != archive.sha256:
        file.unlink()
        raise CorpusError(
            f"{archive.url} is not the published archive: its SHA-256 is not {archive.sha256}; it was deleted, so that "
            "the same command starts anew"
        )
    return file


def _resume(url: str, partial: Path, progressed: Progress) -> None:
    """Fetch what a partial file lacks."""
    import requests

    try:
        if not _append(url, partial, progressed):
            # The server has no such part: the file there is another one by now
            partial.unlink(missing_ok=True)
            if not _append(url, partial, progressed):
                raise CorpusError(f"{url} does not answer a request for the whole file with it; try again later")
    except requests.Timeout:
        problem = f"did not answer for {TIMEOUT_S:.0f} s"
    except requests.exceptions.ChunkedEncodingError:
        problem = "broke off"
    except requests.ConnectionError:
        problem = "cannot be reached, or broke off"
    except requests.RequestException as error:
        problem = f"cannot be downloaded ({type(error).__name__})"
    else:
        return
    size = partial.stat().st_size if partial.exists() else 0
    kept = f"; {size / 1e6:.1f} MB are kept" if size else ""
    raise CorpusError(f"{url} {problem}{kept}; check the network and give the same command again") from None


def _append(url: str, partial: Path, progressed: Progress) -> bool:
    """Ask for the rest of a file; False where the server has no such part."""
    import requests

    have = partial.stat().st_size if partial.exists() else 0
    headers = {"Accept-Encoding": "identity"} | ({"Range": f"bytes={have}-"} if have else {})
    with requests.get(url, headers=headers, stream=True, timeout=TIMEOUT_S) as response:
        if response.status_code == requests.codes.requested_range_not_satisfiable:
            return response.headers.get("Content-Range") == f"bytes */{have}" and have > 0  # all of it is here
        if not response.ok:
            raise CorpusError(f"{url} answered {response.status_code} {response.reason}; try again later")
        if response.status_code != requests.codes.partial_content:
            have = 0  # a server that cannot resume sends the whole file
        elif not response.headers.get("Content-Range", "").startswith(f"bytes {have}-"):
            return False
        length = response.headers.get("Content-Length", "")
        total = have + int(length) if length.isdigit() else None
        with partial.open("ab" if have else "wb") as file:
            progressed(have, total)
            for chunk in response.iter_content(CHUNK_BYTES):
                file.write(chunk)
                have += len(chunk)
                progressed(have, total)
    return True


def _refuse_outside(zipped: zipfile.ZipFile) -> None:
    """Refuse an archive with a member whose place is outside the folder, which extraction would write inside.

    Raises:
        BadZipFile: There is such a member; the message names it.
    """
    for name in zipped.namelist():
        path = PurePosixPath(name.replace("\\", "/"))
        if path.is_absolute() or ".." in path.parts or ":" in name.partition("/")[0]:
            raise zipfile.BadZipFile(f"its member '{name}' is outside the folder")


def _unpack(source: CorpusSource, archive: Archive, file: Path, folder: Path, cache: Path) -> None:
    """Unpack beside the folder, check, and rename; what a killed download left there goes first."""
    scratch = folder.with_name(f"{folder.name}.unpacking")
    shutil.rmtree(scratch, ignore_errors=True)
    try:
        try:
            with zipfile.ZipFile(file) as zipped:
                _refuse_outside(zipped)
                zipped.extractall(scratch)
        except (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, RuntimeError) as error:
            reason = f"it cannot be unpacked ({error})"
        else:
            reason = _mismatch(source, archive, scratch, cache)
        if reason:
            file.unlink()
            raise CorpusError(
                f"{archive.url} is not the published corpus {source.name}: {reason}; it was deleted, so that the same "
                "command starts anew"
            )
        scratch.replace(folder)
    finally:
        shutil.rmtree(scratch, ignore_errors=True)
    file.unlink()
