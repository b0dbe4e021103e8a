"""Requests a second and latency of a running `ser-tune serve`.

Usage, from the repository's root: python -m tests.ser_tune_benchmarks.serving ADDRESS AUDIO [SECONDS]
"""

import base64
import http.client
import json
import sys
import threading
import time
from pathlib import Path
from urllib.parse import urlsplit

import numpy as np

CLIENTS = (1, 8, 32)


def _latencies(address: str, body: bytes, clients: int, seconds: float) -> list[float]:
    """Seconds of each answered request, of clients that each ask again once they are answered."""
    place, found = urlsplit(address), []
    end = time.perf_counter() + seconds

    def ask() -> None:
        connection = http.client.HTTPConnection(place.hostname or "", place.port, timeout=60)
        while time.perf_counter() < end:
            started = time.perf_counter()
            connection.request("POST", "/invocations", body, {"Content-Type": "application/json"})
            answer = connection.getresponse()
            told = answer.read()
            assert answer.status == 200, told
            found.append(time.perf_counter() - started)

    threads = [threading.Thread(target=ask) for _ in range(clients)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return found


def main(address: str, audio: str, seconds: str = "10") -> None:
    """Print a row for each number of clients."""
    text = base64.b64encode(Path(audio).read_bytes()).decode()
    body = json.dumps({"dataframe_records": [{"audio": text}]}).encode()
    _latencies(address, body, 1, 1.0)  # the first requests are slower
    for clients in CLIENTS:
        started = time.perf_counter()
        found = _latencies(address, body, clients, float(seconds))
        rate = len(found) / (time.perf_counter() - started)
        half, most = (1000 * float(np.quantile(found, share)) for share in (0.5, 0.95))
        print(f"{clients} clients: {rate:.1f} requests/s, latency {half:.0f} ms (median), {most:.0f} ms (95 %)")


if __name__ == "__main__":
    main(*sys.argv[1:])
