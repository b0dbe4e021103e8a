"""`serve` and `ui`: real servers, asked over loopback, and gone when they are told to end."""

import base64
import http.client
import json
import os
import random
import re
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from tests.warm_processes import COMMAND, WarmProcess

pytestmark = pytest.mark.slow

REPOSITORY = Path(__file__).parents[2]
NAME = "ser-manifest-alex_net"
START_S = 120.0


def _start(root: Path, *arguments: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-c", "from ser_tune.cli import main; main()", *arguments],
        cwd=root,
        env=os.environ | {"PYTHONPATH": str(REPOSITORY)},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


@pytest.fixture(scope="module")
def server(finished: Any) -> Iterator[tuple[WarmProcess, int]]:
    """A running server of the champion, and its port."""
    limits = ("--max-mb", "1", "--max-seconds", "20")
    environment = {"SER_TUNE_ROOT": str(finished.root)}
    tracking = f"sqlite:///{finished.root}/mlruns/mlflow.db"  # a module's fixture: MLflow may have left another URI
    arguments = ("serve", NAME, "--port", "0", *limits, "--tracking-uri", tracking)
    process = WarmProcess(COMMAND, *arguments, environment=environment)
    try:
        line = process.stdout.readline()
        found = re.search(r"http://127\.0\.0\.1:(\d+)/invocations", line)
        assert found, line + process.stderr.read()
        yield process, int(found[1])
    finally:
        process.kill()


def _ask(port: int, content: object) -> tuple[int, Any]:
    with closing(http.client.HTTPConnection("127.0.0.1", port, timeout=60)) as connection:
        body = content if isinstance(content, bytes) else json.dumps(content)
        connection.request("POST", "/invocations", body, {"Content-Type": "application/json"})
        answer = connection.getresponse()
        return answer.status, json.loads(answer.read())


def test_a_served_model_says_what_predict_says(
    server: tuple[WarmProcess, int], finished: Any, call: Callable[..., Any], corpus_csv: Path
) -> None:
    sounds = [corpus_csv.parent / name for name in ("ada_anger_0.wav", "cyd_joy_1.wav", "dan_joy_0.wav")]
    rows = [{"audio": base64.b64encode(one.read_bytes()).decode()} for one in sounds]
    status, told = _ask(server[1], {"dataframe_records": rows})
    assert status == 200
    for row, one in zip(
        told["predictions"], json.loads(call(finished.root, "predict", NAME, *sounds, "--json").out), strict=True
    ):
        assert row["label"] == one["emotion"]
        assert (row["anger"], row["joy"]) == pytest.approx((one["anger"], one["joy"]), abs=1e-6)


def test_a_bad_request_answers_400_with_one_sentence(server: tuple[WarmProcess, int], corpus_csv: Path) -> None:
    path = str(corpus_csv.parent / "ada_anger_0.wav")
    for row, sentence in (
        ({"path": path}, "row 0: this server reads no files of its machine; send 'audio' or 'waveform'"),
        ({"audio": "AAAA"}, "row 0: 'audio' cannot be decoded as audio: Format not recognised"),
        (
            {"waveform": [0.0] * 16_000, "sample_rate_hz": 16_000},
            "row 0: 'waveform' is silent: all of its 16000 samples",
        ),
        (
            {"waveform": [0.1] * 84_001, "sample_rate_hz": 4000},
            "row 0: 'waveform' has 21.0 s of sound; the limit leaves 20.0 s",
        ),
        ({"waveform": [0.1] * 9000, "sample_rate_hz": 3999}, "row 0: 'waveform' has sample rate 3999; expected 4000"),
        ({"waveform": [0.1] * 9000, "sample_rate_hz": 384_001}, "row 0: 'waveform' has sample rate 384001; expected"),
        ({"waveform": [0.1, True], "sample_rate_hz": 16_000}, "the request has the value true; expected numbers"),
        ({"waveform": [0.1] * 9000, "sample_rate_hz": True}, "the request has the value true; expected numbers"),
    ):
        status, told = _ask(server[1], {"dataframe_records": [row]})
        assert status == 400
        assert told.keys() == {"error_code", "message"}
        assert told["message"].startswith(sentence)
    assert _ask(server[1], b"x" * 1_000_001)[0] == 413


def test_two_hundred_malformed_requests_are_answered_in_one_sentence(
    server: tuple[WarmProcess, int], corpus_csv: Path
) -> None:
    rng = random.Random(0)
    content = base64.b64encode((corpus_csv.parent / "ada_joy_0.wav").read_bytes()).decode()
    right = json.dumps({"dataframe_records": [{"audio": content}]}).encode()
    for number in range(200):
        body = bytearray(right)
        for _ in range(rng.randint(1, 20)):  # the first bytes are JSON and the sound's header
            at = rng.randrange(min(len(body), 120) if rng.random() < 0.7 else len(body))
            body[at : at + rng.randint(0, 2)] = rng.randbytes(rng.randint(0, 2))
        status, told = _ask(server[1], bytes(body[: rng.randint(0, len(body))] if number % 4 == 0 else body))
        assert status in (200, 400), told
        assert status == 200 or (told.keys() == {"error_code", "message"} and "\n" not in told["message"])
    assert _ask(server[1], right)[0] == 200


def test_a_server_ends_when_it_is_told_to_and_answers_first(server: tuple[WarmProcess, int]) -> None:
    process, port = server  # the last test of this server
    answered: list[int] = []
    content = {"dataframe_records": [{"waveform": [0.1, -0.1] * 60_000, "sample_rate_hz": 8000}]}
    asking = [threading.Thread(target=lambda: answered.append(_ask(port, content)[0])) for _ in range(2)]
    with closing(socket.create_connection(("127.0.0.1", port))) as idle:
        idle.sendall(b"POST /invocations")
        for thread in asking:
            thread.start()
        time.sleep(0.3)
        process.send_signal(signal.SIGTERM)
        _, told = process.communicate(timeout=60)
    for thread in asking:
        thread.join()
    assert answered == [200, 200]
    assert process.returncode == 143
    assert "Traceback" not in told
    assert "Warning" not in told
    with pytest.raises(ConnectionRefusedError):
        _ask(port, {})


def test_a_port_that_is_taken_is_named(finished: Any, call: Callable[..., Any]) -> None:
    with closing(socket.create_server(("127.0.0.1", 0))) as taken:
        port = taken.getsockname()[1]
        call(finished.root, "serve", NAME, "--port", port).refused(f"port {port} on 127.0.0.1 cannot be used")


def test_a_folder_that_is_missing_is_named(finished: Any, call: Callable[..., Any]) -> None:
    call(finished.root, "serve", NAME, "--port", "0", "--allow-paths", "no").refused("'no' is not a folder")


def test_a_limit_must_be_more_than_nothing(finished: Any, call: Callable[..., Any]) -> None:
    call(finished.root, "serve", NAME, "--max-mb", "0").refused("--max-mb is 0.0; expected more than 0")


def test_ui_is_quiet_and_leaves_no_process_behind(finished: Any) -> None:
    with closing(socket.create_server(("127.0.0.1", 0))) as free:
        port = free.getsockname()[1]
    process = _start(finished.root, "ui", "--port", str(port))
    try:
        end = time.monotonic() + START_S
        while time.monotonic() < end and process.poll() is None:
            try:
                with closing(http.client.HTTPConnection("127.0.0.1", port, timeout=5)) as connection:
                    connection.request("GET", "/health")
                    assert connection.getresponse().status == 200
                    break
            except ConnectionRefusedError:
                time.sleep(0.3)
        process.send_signal(signal.SIGTERM)
        _, told = process.communicate(timeout=20)
    finally:
        process.kill()
    assert process.returncode == 143
    assert "Warning" not in told
    assert "INFO" not in told
    with pytest.raises(ConnectionRefusedError):
        http.client.HTTPConnection("127.0.0.1", port, timeout=5).request("GET", "/health")
