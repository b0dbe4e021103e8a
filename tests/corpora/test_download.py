"""Downloading: from a server of our own, which breaks off, answers nonsense, or knows no ranges."""

import hashlib
import io
import os
import shutil
import signal
import zipfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread

import numpy as np
import pytest
import soundfile
from filelock import FileLock

from ser_tune.corpora import CORPORA, Archive, Corpus, CorpusSource
from ser_tune.corpora.download import download_corpus
from ser_tune.errors import CorpusError

NAMES = [f"{speaker}a01{letter}a.wav" for speaker in ("03", "08", "09") for letter in "WNT"]


@dataclass
class Served:
    """What the server hands out, and how."""

    content: bytes
    status: int = 200
    ranges: bool = True
    breaks_after: int | None = None
    """Bytes of an answer, after which the connection is closed."""
    lies: bool = False
    """Whether a part starts elsewhere than where it was asked to."""
    asked: list[str | None] = field(default_factory=list)
    """The Range of every request."""
    url: str = ""


@pytest.fixture
def archive() -> bytes:
    """A zip file of nine recordings as EmoDB has them, with other things beside them."""
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as zipped:
        for number, name in enumerate(NAMES):
            sound = io.BytesIO()
            soundfile.write(sound, np.random.default_rng(number).normal(0, 0.1, 4000), 16_000, format="WAV")
            zipped.writestr(f"wav/{name}", sound.getvalue())
        zipped.writestr("erklaerung.txt", "Was hier liegt")
    return file.getvalue()


@pytest.fixture
def served(archive: bytes, monkeypatch: pytest.MonkeyPatch) -> Iterator[Served]:
    served = Served(archive)

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            wanted = self.headers.get("Range")
            served.asked.append(wanted)
            start = int(wanted.removeprefix("bytes=").removesuffix("-")) if wanted and served.ranges else 0
            total = len(served.content)
            if served.status != 200:
                self.send_error(served.status)
                return
            if start and start >= total:
                self.send_response(416)
                self.send_header("Content-Range", f"bytes */{total}")
                self.send_header("Content-Length", "0")
                self.end_headers()
                return
            body = served.content[start:]
            self.send_response(206 if start else 200)
            self.send_header("Content-Length", str(len(body)))
            if start:
                self.send_header("Content-Range", f"bytes {0 if served.lies else start}-{total - 1}/{total}")
            self.end_headers()
            self.wfile.write(body[: served.breaks_after])

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    served.url = f"http://127.0.0.1:{server.server_port}/download.zip"
    thread = Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    yield served
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture
def source(served: Served, archive: bytes, tmp_path: Path) -> CorpusSource:
    """EmoDB, as small as the archive, from our server."""
    zipfile.ZipFile(io.BytesIO(archive)).extractall(tmp_path / "original")
    source = CORPORA.get("emodb")
    digest = Corpus.load(source, tmp_path / "original", tmp_path).digest
    shutil.rmtree(tmp_path / "original")
    return replace(source, archive=Archive(served.url, sha256=None, digest=digest))


@pytest.fixture
def download(source: CorpusSource, tmp_path: Path) -> Callable[..., bool]:
    """Download to `data/emodb`; the archive is kept in `cache`."""

    def _download(
        changed: CorpusSource = source, progressed: Callable[[int, int | None], None] = lambda done, total: None
    ) -> bool:
        return download_corpus(changed, tmp_path / "data" / "emodb", tmp_path / "cache", progressed=progressed)

    return _download


def _kept(tmp_path: Path) -> dict[str, int]:
    """Size of every file but the lock's, of the cache and of the data folder."""
    paths = [path for path in tmp_path.rglob("*") if path.is_file() and path.suffix != ".lock"]
    return {path.name: path.stat().st_size for path in paths}


def test_a_corpus_is_downloaded_once(download: Callable[..., bool], served: Served, tmp_path: Path) -> None:
    told: list[tuple[int, int | None]] = []
    assert download(progressed=lambda *progress: told.append(progress))
    assert told[0] == (0, len(served.content))
    assert told[-1] == (len(served.content), len(served.content))
    assert sorted(_kept(tmp_path)) == sorted([*NAMES, "erklaerung.txt"])  # the archive is gone
    assert [path.name for path in (tmp_path / "data").iterdir()] == ["emodb"]
    assert not download()
    assert served.asked == [None]


def test_the_checksum_is_compared_where_it_is_known(
    download: Callable[..., bool], source: CorpusSource, served: Served, tmp_path: Path
) -> None:
    assert source.archive is not None
    right = hashlib.sha256(served.content).hexdigest()
    wrong = "0" * 64
    with pytest.raises(CorpusError, match=f"its SHA-256 is not {wrong}; it was deleted, so that"):
        download(replace(source, archive=replace(source.archive, sha256=wrong)))
    assert _kept(tmp_path) == {}
    assert download(replace(source, archive=replace(source.archive, sha256=right)))


def test_a_broken_connection_is_resumed(
    download: Callable[..., bool], served: Served, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    half = 40_000
    monkeypatch.setattr("ser_tune.corpora.download.CHUNK_BYTES", 1000)
    served.breaks_after = half
    with pytest.raises(CorpusError, match=r"broke off; 0\.0 MB are kept; check the network and give the same command"):
        download()
    assert _kept(tmp_path) == {"emodb.zip.partial": half}
    assert list((tmp_path / "data").iterdir()) == []
    served.breaks_after = None
    told: list[tuple[int, int | None]] = []
    assert download(progressed=lambda *progress: told.append(progress))
    assert told[0] == (half, len(served.content))
    assert served.asked == [None, f"bytes={half}-"]


def test_ctrl_c_keeps_what_is_here(download: Callable[..., bool], served: Served, tmp_path: Path) -> None:
    def interrupt(done: int, total: int | None) -> None:
        if done:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        download(progressed=interrupt)
    assert list(_kept(tmp_path)) == ["emodb.zip.partial"]
    assert list((tmp_path / "data").iterdir()) == []
    assert download()
    assert served.asked[1] == "bytes=65536-"


@pytest.mark.parametrize("moment", ["fetching", "unpacking", "checking"])
def test_a_killed_download_is_continued_and_leaves_nothing_over(
    download: Callable[..., bool], tmp_path: Path, moment: str
) -> None:
    def die(*_: object, **__: object) -> None:
        os.kill(os.getpid(), signal.SIGKILL)

    def extract_two_and_die(zipped: zipfile.ZipFile, folder: Path) -> None:
        for name in zipped.namelist()[:2]:
            zipped.extract(name, folder)
        die()

    if (child := os.fork()) == 0:
        if moment == "unpacking":
            zipfile.ZipFile.extractall = extract_two_and_die  # type: ignore[method-assign, assignment]
        elif moment == "checking":
            Corpus.load = die  # type: ignore[method-assign, assignment]
        download(progressed=lambda done, total: die() if moment == "fetching" and done else None)
        os._exit(0)
    assert os.WTERMSIG(os.waitpid(child, 0)[1]) == signal.SIGKILL
    assert not (tmp_path / "data" / "emodb").exists()
    assert download()
    assert sorted(_kept(tmp_path)) == sorted([*NAMES, "erklaerung.txt"])
    assert [path.name for path in (tmp_path / "data").iterdir()] == ["emodb"]


@pytest.mark.parametrize("trouble", ["no ranges", "another start", "too much here", "all of it here"])
def test_whatever_a_server_makes_of_ranges_the_corpus_is_right(
    download: Callable[..., bool], served: Served, tmp_path: Path, trouble: str
) -> None:
    partial = tmp_path / "cache" / "downloads" / "emodb.zip.partial"
    partial.parent.mkdir(parents=True)
    partial.write_bytes(served.content[:1000])
    served.ranges, served.lies = trouble != "no ranges", trouble == "another start"
    if trouble == "too much here":
        partial.write_bytes(served.content + b"of another version")
    if trouble == "all of it here":
        partial.write_bytes(served.content)
    assert download()
    assert len(served.asked) == (2 if trouble in ("another start", "too much here") else 1)


def test_a_server_that_refuses_is_quoted(download: Callable[..., bool], served: Served, tmp_path: Path) -> None:
    for status, reason in ((404, "Not Found"), (503, "Service Unavailable"), (416, "does not answer a request for")):
        served.status = status
        with pytest.raises(CorpusError, match=f"{reason}.*; try again later"):
            download()
    assert _kept(tmp_path) == {}


def test_no_network_is_one_sentence(
    download: Callable[..., bool], source: CorpusSource, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert source.archive is not None
    closed = replace(source, archive=replace(source.archive, url="http://127.0.0.1:9/download.zip"))
    with pytest.raises(CorpusError, match=r"127\.0\.0\.1:9/download\.zip cannot be reached.*; check the network"):
        download(closed)
    with pytest.raises(CorpusError, match=r"cannot be downloaded \(MissingSchema\)"):
        download(replace(source, archive=replace(source.archive, url="nonsense")))


def test_a_server_that_is_silent_is_given_up(
    download: Callable[..., bool], served: Served, monkeypatch: pytest.MonkeyPatch
) -> None:
    import requests

    def time_out(*_: object, **__: object) -> None:
        raise requests.ReadTimeout

    monkeypatch.setattr(requests, "get", time_out)
    with pytest.raises(CorpusError, match="did not answer for 30 s; check the network"):
        download()


@pytest.mark.parametrize("content", ["page", "other corpus", "damaged", "no corpus"])
def test_what_is_not_the_corpus_is_deleted(
    download: Callable[..., bool], served: Served, tmp_path: Path, content: str
) -> None:
    right = served.content
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as zipped:
        if content == "other corpus":
            for number, letter in enumerate("WNT"):
                zipped.writestr(f"wav/03a01{letter}a.wav", str(number))
        zipped.writestr("../../outside.txt", "not here")
    served.content = file.getvalue()
    if content == "page":
        served.content = b"<html>We have moved</html>"
    if content == "damaged":
        served.content = right[:3000] + bytes([right[3000] ^ 1]) + right[3001:]
    with pytest.raises(CorpusError, match=r"is not the published corpus emodb: .*; it was deleted, so that the same"):
        download()
    assert _kept(tmp_path) == {}
    served.content = right
    assert download()


@pytest.mark.parametrize("name", ["../outside.txt", "wav/../../outside.txt", "/tmp/outside.txt", "..\\outside.txt"])
def test_an_archive_with_a_member_outside_its_folder_is_refused(
    download: Callable[..., bool], served: Served, tmp_path: Path, name: str
) -> None:
    file = io.BytesIO(served.content)
    with zipfile.ZipFile(file, "a") as zipped:  # beside all of the corpus
        zipped.writestr(name, "not here")
    served.content = file.getvalue()
    with pytest.raises(CorpusError, match=r"its member '.*outside\.txt' is outside the folder\); it was deleted"):
        download()
    assert _kept(tmp_path) == {}


def test_a_folder_with_something_else_is_left_alone(download: Callable[..., bool], tmp_path: Path) -> None:
    folder = tmp_path / "data" / "emodb"
    assert download()
    (folder / "wav" / NAMES[0]).rename(folder / "wav" / "03a02Wa.wav")
    assert not download()  # a name is not the content
    (folder / "wav" / "03a02Wa.wav").unlink()
    with pytest.raises(CorpusError, match=r"emodb' exists and is not the published corpus emodb: its digest is"):
        download()
    shutil.rmtree(folder)
    folder.touch()
    with pytest.raises(CorpusError, match=r"'.*emodb' is not a folder"):
        download()
    folder.unlink()
    folder.mkdir()
    assert download()  # an empty folder is nobody's


def test_a_second_download_at_once_is_refused(download: Callable[..., bool], tmp_path: Path) -> None:
    lock = tmp_path / "cache" / "downloads" / "emodb.lock"
    lock.parent.mkdir(parents=True)
    with FileLock(lock), pytest.raises(CorpusError, match="is being downloaded by another program"):
        download()


def test_a_corpus_that_is_asked_for_says_where(tmp_path: Path) -> None:
    with pytest.raises(
        CorpusError, match=r"licence: academic use.*; get it at https://sail\.usc\.edu/iemocap and pass"
    ):
        download_corpus(CORPORA.get("iemocap"), tmp_path / "x", tmp_path)
    with pytest.raises(CorpusError, match="corpus demo has nothing to download"):
        download_corpus(CORPORA.get("demo"), tmp_path / "x", tmp_path)
    assert list(tmp_path.iterdir()) == []
