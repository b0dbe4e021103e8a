"""Connections whose clients send nothing, little, or read nothing: others are answered all the same."""

import asyncio
import os
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, closing, suppress
from typing import Any

import pytest
import uvicorn

from ser_tune.serving import connections, guard
from ser_tune.serving.guard import Guard
from ser_tune.serving.server import listening_socket
from tests.ser_tune_benchmarks.strangers import HEAD, memory_mb, pings, sequence, simultaneous, slow

CLIENTS = 200
JSON = HEAD.replace(b"1000000", b"2") + b"\r\n{}"


class _Running:
    """A server of made-up predictions in a thread."""

    def __init__(self) -> None:
        self.answer = b"predictions"
        self.started, self.proceed = threading.Event(), threading.Event()
        self.proceed.set()
        application = Guard(self._answer, max_bytes=2_000_000, hosts=[], version="3")
        config = uvicorn.Config(
            application,
            http=connections.Connection,
            ws="none",
            lifespan="off",
            log_level="error",
            access_log=False,
            timeout_keep_alive=1,
        )
        self.server = uvicorn.Server(config)
        listening = listening_socket("127.0.0.1", 0)
        self.port: int = listening.getsockname()[1]
        self.thread = threading.Thread(target=lambda: asyncio.run(self.server.serve([listening])))
        self.thread.start()
        while not self.server.started:
            time.sleep(0.01)

    def _answer(self, body: bytes) -> bytes:
        self.started.set()
        assert self.proceed.wait(20)
        return self.answer

    def connect(self, content: bytes) -> socket.socket:
        """Send bytes on a new connection."""
        connection = socket.create_connection(("127.0.0.1", self.port), timeout=20)
        connection.sendall(content)
        return connection

    def waiting(self) -> list[Any]:
        """What each connection waits for."""
        return [getattr(each, "waiting", None) for each in list(self.server.server_state.connections)]


@pytest.fixture
def running(monkeypatch: pytest.MonkeyPatch) -> Iterator[_Running]:
    for module, name, seconds in (
        (connections, "HEAD_S", 0.6),
        (connections, "LINGER_S", 0.3),
        (connections, "UNREAD_S", 0.6),
        (guard, "BODY_S", 0.6),
    ):
        monkeypatch.setattr(module, name, seconds)
    made = _Running()
    try:
        yield made
    finally:
        made.proceed.set()
        made.server.should_exit = True
        made.thread.join(20)


def _closed_after(connection: socket.socket) -> tuple[float, bytes]:
    """Seconds until the server closes a connection, and what it sent before."""
    started, received = time.monotonic(), b""
    with closing(connection), suppress(ConnectionResetError):
        while part := connection.recv(65536):
            received += part
    return time.monotonic() - started, received


@pytest.mark.parametrize("content", [b"", b"G", HEAD, HEAD + b"X-A: " + b"a" * 999], ids=["none", "G", "head", "long"])
def test_a_head_that_does_not_end_has_a_deadline(running: _Running, content: bytes) -> None:
    assert _closed_after(running.connect(content)) == (pytest.approx(0.6, abs=0.5), b"")


def test_bytes_that_trickle_do_not_move_the_deadline(running: _Running) -> None:
    started = time.monotonic()
    with closing(running.connect(b"GET /ping HTTP/1.1\r\n")) as connection, suppress(ConnectionError):
        while time.monotonic() < started + 5:
            connection.sendall(b"a")
            time.sleep(0.05)
    assert time.monotonic() - started < 3


def test_answers_on_one_connection_are_not_delayed(running: _Running) -> None:
    started = time.monotonic()
    sequence(running.port, 200)
    assert time.monotonic() - started < 5  # 9 s with Nagle's algorithm


def test_a_body_that_does_not_end_is_answered_and_closed(running: _Running) -> None:
    seconds, received = _closed_after(running.connect(HEAD + b"\r\n{"))
    assert seconds < 4
    assert received.startswith(b"HTTP/1.1 408 ")
    assert b"the request sent 1 bytes in 1 s and is not complete" in received


def test_a_second_request_of_a_connection_has_the_same_deadline(running: _Running) -> None:
    seconds, received = _closed_after(running.connect(JSON + b"GET /pi"))
    assert seconds < 4
    assert received.endswith(b"predictions")


def test_an_answer_that_nobody_reads_is_given_up(running: _Running) -> None:
    running.answer = b"x" * 30_000_000
    with closing(running.connect(JSON)):
        assert running.started.wait(10)
        end = time.monotonic() + 10
        while running.waiting() and time.monotonic() < end:
            time.sleep(0.05)
        assert running.waiting() == []


def test_a_request_under_way_has_no_deadline_and_outlives_the_server(running: _Running) -> None:
    running.proceed.clear()
    with closing(running.connect(JSON)) as connection, closing(running.connect(HEAD)):
        assert running.started.wait(10)
        running.server.should_exit = True  # as SIGTERM
        time.sleep(1.2)
        running.proceed.set()
        assert _closed_after(connection)[1].endswith(b"predictions")
    running.thread.join(10)
    assert not running.thread.is_alive()


def test_where_connections_are_too_many_the_oldest_idle_ones_are_closed(
    running: _Running, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(connections, "MOST_CONNECTIONS", 20)
    monkeypatch.setattr(connections, "HEAD_S", 20.0)
    monkeypatch.setattr(guard, "BODY_S", 20.0)
    running.proceed.clear()
    with ExitStack() as opened:
        under_way = opened.enter_context(closing(running.connect(JSON)))
        assert running.started.wait(10)
        body = opened.enter_context(closing(running.connect(HEAD.replace(b"1000000", b"2") + b"\r\n{")))
        while connections.Waiting.BODY not in running.waiting():
            time.sleep(0.01)
        idle = [opened.enter_context(closing(running.connect(HEAD))) for _ in range(30)]
        sequence(running.port, 20)
        assert len(running.waiting()) <= 20
        assert _closed_after(idle[0])[1] == b""
        body.sendall(b"}")
        running.proceed.set()
        for connection in (body, under_way):
            assert _closed_after(connection)[1].endswith(b"predictions")


@pytest.mark.slow
def test_ping_answers_whatever_clients_do(running: _Running) -> None:
    sequence(running.port, 50)
    before = memory_mb(os.getpid())

    def unfinished() -> None:
        connected = [running.connect(HEAD) for _ in range(CLIENTS)]
        time.sleep(1)
        for connection in connected:
            connection.close()

    def several() -> None:
        assert simultaneous(running.port, CLIENTS) == CLIENTS

    loads = (unfinished, lambda: slow(running.port, CLIENTS, 1), several, lambda: sequence(running.port, 1000))
    longest = [max(pings(running.port, load)) for load in loads]
    assert max(longest) < 1, longest
    assert memory_mb(os.getpid()) < before + 40


@pytest.mark.slow
def test_thirty_megabytes_of_brackets_do_not_silence_it(running: _Running, monkeypatch: pytest.MonkeyPatch) -> None:
    from ser_tune.serving.request_body import parse_request

    def answer(self: Any, body: bytes) -> bytes:
        parse_request(body)
        return b""

    monkeypatch.setattr(_Running, "_answer", answer)
    large = _Running()  # the fixture's takes 2 MB
    large.server.config.app._max_bytes = 32_000_000
    body = b'{"dataframe_records":[' + b"[]," * 10_000_000 + b"[]]}"
    request = HEAD.replace(b"1000000", str(len(body)).encode()) + b"\r\n" + body
    received: list[bytes] = []

    def ask() -> None:
        with closing(large.connect(request)) as connection:
            received.append(connection.recv(4096))

    try:
        assert max(pings(large.port, ask)) < 1
        assert received[0].startswith(b"HTTP/1.1 413 ")
    finally:
        large.server.should_exit = True
        large.thread.join(20)
