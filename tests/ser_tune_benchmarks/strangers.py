"""How long `/ping` of a running `ser-tune serve` takes while many clients behave badly, and how its memory grows.

Usage, from the repository's root: python -m tests.ser_tune_benchmarks.strangers ADDRESS PID [CLIENTS] [REQUESTS]

Only loopback addresses are asked. CLIENTS (1000) connections of each kind are open for 15 s at most.
"""

import http.client
import json
import resource
import selectors
import socket
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from urllib.parse import urlsplit

__all__ = ["idle", "memory_mb", "pings", "sequence", "simultaneous", "slow"]

HEAD = b"POST /invocations HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: 1000000\r\n"
PING = b"GET /ping HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"


@contextmanager
def _connected(port: int, clients: int) -> Iterator[list[socket.socket]]:
    opened: list[socket.socket] = []
    try:
        opened.extend(socket.create_connection(("127.0.0.1", port), timeout=10) for _ in range(clients))
        yield opened
    finally:
        for connection in opened:
            connection.close()


def idle(port: int, clients: int, seconds: float) -> None:
    """Clients that send a part of a request's head and nothing more."""
    with _connected(port, clients) as opened:
        for connection in opened:
            with suppress(OSError):
                connection.sendall(HEAD)
        time.sleep(seconds)


def slow(port: int, clients: int, seconds: float) -> None:
    """Clients that send a byte a second: half of them of a head, half of a body."""
    with _connected(port, clients) as opened:
        for number, connection in enumerate(opened):
            with suppress(OSError):
                connection.sendall(HEAD + b"\r\n" * (number % 2) + b"x")
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            time.sleep(1)
            for connection in opened:
                with suppress(OSError):
                    connection.sendall(b"x")


def simultaneous(port: int, clients: int) -> int:
    """Clients that ask for `/ping` at the same moment; how many were answered 200."""
    with _connected(port, clients) as opened, selectors.DefaultSelector() as selector:
        for connection in opened:
            connection.sendall(PING)
            selector.register(connection, selectors.EVENT_READ)
        answered, end = 0, time.monotonic() + 60
        while selector.get_map() and time.monotonic() < end:
            for key, _ in selector.select(timeout=1):
                answered += key.fileobj.recv(64).startswith(b"HTTP/1.1 200")  # type: ignore[union-attr]
                selector.unregister(key.fileobj)
        return answered


def sequence(port: int, requests: int, body: bytes | None = None) -> None:
    """One client that asks again once it is answered: `/ping`, or `/invocations` where there is a body."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
    for _ in range(requests):
        path, method = ("/ping", "GET") if body is None else ("/invocations", "POST")
        connection.request(method, path, body, {"Content-Type": "application/json"})
        answer = connection.getresponse()
        assert answer.read() is not None
        assert answer.status == 200, answer.status
    connection.close()


def pings(port: int, load: Callable[[], object]) -> list[float]:
    """Seconds of each of the pings on new connections, ten a second, while a load is put on."""
    found: list[float] = []
    worker = threading.Thread(target=load)
    worker.start()
    while worker.is_alive() or not found:
        started = time.perf_counter()
        sequence(port, 1)
        found.append(time.perf_counter() - started)
        time.sleep(max(0.0, 0.1 - found[-1]))
    worker.join()
    return found


def memory_mb(pid: int) -> float:
    """Resident memory of a process."""
    status = Path(f"/proc/{pid}/status").read_text(encoding="ascii")
    return int(status.partition("VmRSS:")[2].split()[0]) / 1024


def main(address: str, pid: str, clients: str = "1000", requests: str = "10000") -> None:
    """Print a row for each load."""
    place = urlsplit(address)
    if place.hostname not in ("127.0.0.1", "localhost") or place.port is None:
        raise SystemExit(f"{address} is no address of this machine with a port")
    port, count = place.port, int(clients)
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, min(4 * count, hard)), hard))
    empty = b'{"dataframe_records":[' + b"[]," * 10_000_000 + b"[]]}"
    numbers = json.dumps({"dataframe_records": [{"waveform": [0.12345, -0.1] * 1_500_000, "sample_rate_hz": 16_000}]})
    loads: dict[str, Callable[[], object]] = {
        f"{count} idle": lambda: idle(port, count, 12),
        f"{count} slow": lambda: slow(port, count, 12),
        f"{count} simultaneous": lambda: [simultaneous(port, count) for _ in range(5)],
        f"{requests} in sequence": lambda: sequence(port, int(requests)),
        "30 MB of empty lists": lambda: _ignored(port, empty),
        "30 MB of samples": lambda: _ignored(port, numbers.encode()),
    }
    before = memory_mb(int(pid))
    for name, load in loads.items():
        found = sorted(pings(port, load))
        now = memory_mb(int(pid))
        print(
            f"{name}: /ping {1000 * found[len(found) // 2]:.0f} ms (median), {1000 * found[-1]:.0f} ms (longest of "
            f"{len(found)}); memory {now:.0f} MB ({100 * (now / before - 1):+.1f} %)",
            flush=True,
        )


def _ignored(port: int, body: bytes) -> None:
    """Send a request whose answer does not matter."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=120)
    connection.request("POST", "/invocations", body, {"Content-Type": "application/json"})
    answer = connection.getresponse()
    print(f"  answer {answer.status}: {answer.read()[:120]!r}")
    connection.close()


if __name__ == "__main__":
    main(*sys.argv[1:])
