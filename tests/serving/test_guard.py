"""The HTTP application: what is refused, in which words, and what it costs to refuse it."""

import asyncio
import json
import time
from collections.abc import Callable, Sequence
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ser_tune.serving import guard
from ser_tune.serving.guard import Guard, Hosts
from ser_tune.serving.request_body import DEEPEST, MOST_ROWS, RequestError, parse_request

JSON = (b"content-type", b"application/json")
HOST = (b"host", b"127.0.0.1:5001")


def _answers(
    body: bytes | Sequence[bytes] = b"{}",
    *,
    headers: Sequence[tuple[bytes, bytes]] = (JSON, HOST),
    answer: Callable[[bytes], bytes] = lambda body: b"predictions",
    path: str = "/invocations",
    method: str = "POST",
    allowed: Sequence[str] = (),
    leaves: bool = False,
) -> tuple[int, bytes, list[bytes]]:
    """Status and content of the answer, and the bodies that were answered."""
    handed: list[bytes] = []
    parts = [body] if isinstance(body, bytes) else list(body)
    sent: list[Any] = []

    def noted(content: bytes) -> bytes:
        handed.append(content)
        return answer(content)

    async def receive() -> Any:
        if not parts:
            if leaves:
                return {"type": "http.disconnect"}
            await asyncio.sleep(60)  # a client that sends nothing more
        return {"type": "http.request", "body": parts.pop(0), "more_body": bool(parts) or leaves}

    async def send(message: Any) -> None:
        sent.append(message)

    scope = {"type": "http", "method": method, "path": path, "headers": list(headers), "server": ("127.0.0.1", 5001)}
    application = Guard(noted, max_bytes=100, hosts=allowed, version="3", at_once=1)
    asyncio.run(application(scope, receive, send))
    if not sent:
        return 0, b"", handed
    return sent[0]["status"], b"".join(message.get("body", b"") for message in sent), handed


def _refused(status: int, sentence: str, **told: Any) -> None:
    found, content, handed = _answers(**told)
    problem = json.loads(content)
    assert (found, problem.keys()) == (status, {"error_code", "message"})
    assert sentence in problem["message"]
    assert "\n" not in problem["message"]
    assert not handed


def test_a_good_request_and_its_answer_pass() -> None:
    assert _answers([b'{"a":', b" 1}"]) == (200, b"predictions", [b'{"a": 1}'])


@pytest.mark.parametrize(
    ("path", "content"), [("/ping", b"\n"), ("/health", b"\n"), ("/version", b"3"), ("/openapi.json", b"{}")]
)
def test_health_is_answered_without_the_model(path: str, content: bytes) -> None:
    assert _answers(path=path, method="GET") == (200, content, [])


@pytest.mark.parametrize("path", ["/docs", "/redoc", "/openapi.yaml", "/", "/invocations/", "/PING", "//ping"])
def test_nothing_else_is_there(path: str) -> None:
    _refused(404, "expected /invocations, /ping, /health, /version, /openapi.json", path=path, method="GET")


@pytest.mark.parametrize(("path", "method"), [("/invocations", "GET"), ("/invocations", "OPTIONS"), ("/ping", "POST")])
def test_another_method_is_refused(path: str, method: str) -> None:
    _refused(405, f"{path} takes no {method}; expected", path=path, method=method)


def test_a_request_that_announces_too_much_is_refused_unread() -> None:
    _refused(413, "more than 0.0001 MB", body=b"", headers=[JSON, HOST, (b"content-length", b"101")])


def test_a_request_that_sends_more_than_it_announces_is_refused() -> None:
    _refused(413, "more than 0.0001 MB", body=[b"x" * 60, b"x" * 60])


def test_a_client_that_leaves_before_its_request_is_complete_is_not_answered() -> None:
    assert _answers([b'{"a": 1}'], leaves=True) == (0, b"", [])


def test_a_request_that_comes_too_slowly_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(guard, "BODY_S", 0.05)
    _refused(408, "the request sent 0 bytes in 0 s and is not complete", body=[])


def test_bodies_of_all_clients_together_are_limited(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(guard, "BODIES_HELD", 0.5)
    _refused(503, "ask again later", body=b"x" * 60)
    assert _answers(b"x" * 50)[0] == 200


def test_requests_that_wait_are_limited(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(guard, "MOST_WAITING", 0)
    _refused(503, "ask again later")


@pytest.mark.parametrize(
    "told", [b"application/json", b"Application/JSON", b'APPLICATION/json ; Charset="UTF-8"', b"application/json;a=b"]
)
def test_json_is_json_in_any_spelling(told: bytes) -> None:
    assert _answers(headers=[(b"content-type", told), HOST])[0] == 200


@pytest.mark.parametrize("told", [b"", b"audio/wav", b"text/csv", b"application/json; charset=latin-1", b"\xff\n"])
def test_a_request_of_another_kind_is_refused(told: bytes) -> None:
    _refused(415, "expected application/json", headers=[(b"content-type", told), HOST])


@pytest.mark.parametrize(
    "host", ["localhost", "LOCALHOST:80", "localhost.:5001", "127.0.0.1", "[::1]:5001", "a.example:1", "B.example"]
)
def test_names_of_this_server_are_answered(host: str) -> None:
    assert _answers(headers=[JSON, (b"host", host.encode())], allowed=["a.example", "b.EXAMPLE."])[0] == 200


@pytest.mark.parametrize(
    "host",
    ["", "evil.example", "127.0.0.1.evil.example", "localhost@evil", "10.0.0.1", "localhost:x", "[::1", "a.example b"],
)
@pytest.mark.parametrize("path", ["/invocations", "/ping"])
def test_unknown_names_are_refused(host: str, path: str) -> None:
    headers = [JSON, (b"host", host.encode())] if host else [JSON]
    _refused(421, "--allow-host", headers=headers, path=path, allowed=["a.example"])
    assert _answers(headers=headers, allowed=["*"])[0] == 200


def test_the_address_that_was_asked_is_a_name() -> None:
    assert Hosts([]).answer_to("10.0.0.2", "::ffff:10.0.0.2")
    assert Hosts([]).answer_to("[0:0:0:0:0:0:0:1]", "127.0.0.1")
    assert not Hosts([]).answer_to("10.0.0.3", "10.0.0.2")


def test_a_bug_answers_500_without_a_stack_trace(caplog: pytest.LogCaptureFixture) -> None:
    def fail(body: bytes) -> bytes:
        raise RuntimeError("secret")

    status, content, _ = _answers(answer=fail)
    assert (status, json.loads(content)["message"]) == (500, "the request cannot be answered")
    assert "secret" in caplog.text


def test_a_request_error_of_the_model_is_answered() -> None:
    def fail(body: bytes) -> bytes:
        raise RequestError("row 0 is silent")

    status, content, _ = _answers(answer=fail)
    assert (status, json.loads(content)) == (
        400,
        {"error_code": "INVALID_PARAMETER_VALUE", "message": "row 0 is silent"},
    )


def _records(rows: int) -> dict[str, Any]:
    return {"dataframe_records": [{"waveform": [0.1], "sample_rate_hz": 16_000}] * rows}


@pytest.mark.parametrize("content", [_records(0), _records(MOST_ROWS), {"inputs": {"audio": ['[[[[{"true'] * 3}}, {}])
def test_content_inside_the_limits_is_parsed(content: dict[str, Any]) -> None:
    assert parse_request(json.dumps(content).encode()) == content


@pytest.mark.parametrize("body", [b"", b"{", b"\xff", b"[" * DEEPEST, b'{"a": 1}}', b'"\\"', b"{1: 2}"])
def test_what_is_no_json_is_refused(body: bytes) -> None:
    with pytest.raises(RequestError, match="the request is not valid JSON"):
        parse_request(body)


@pytest.mark.parametrize("body", [b"[1]", b"null", b"3", b'"a"'])
def test_json_that_is_no_object_is_refused(body: bytes) -> None:
    with pytest.raises(RequestError, match="dataframe_records"):
        parse_request(body)


@pytest.mark.parametrize(
    ("body", "sentence"),
    [
        (json.dumps(_records(MOST_ROWS + 1)).encode(), "1001 rows; expected at most 1000"),
        (json.dumps(_records(MOST_ROWS + 10)).encode(), "brackets; expected at most 1000 rows"),
        (b'{"inputs": [' + b"1," * MOST_ROWS + b"1]}", "1001 rows; expected at most 1000"),
        (b'{"inputs": {"audio": [' + b"1," * MOST_ROWS + b"1]}}", "1001 rows; expected at most 1000"),
        (b'{"a":' + b"[" * DEEPEST + b"]" * DEEPEST + b"}", "more than 8 brackets within each other"),
        (b'{"dataframe_records": [{"sample_rate_hz": true}]}', "the value true; expected numbers"),
        (b'{"dataframe_records": [{"waveform": [false]}]}', "the value false; expected numbers"),
        (b'{"x": "\\\\", "y": true, "z": "\\""}', "the value true"),
    ],
)
def test_content_beyond_the_limits_is_refused(body: bytes, sentence: str) -> None:
    with pytest.raises(RequestError, match=sentence):
        parse_request(body)


@pytest.mark.parametrize("piece", [b"[],", b"{},", b'"",', b'{"a":[{"', b"[[[[", b'\\"', b'"\\', b"true,"])
def test_thirty_megabytes_of_nothing_are_refused_at_once(piece: bytes) -> None:
    body = b'{"dataframe_records":[' + piece * (30_000_000 // len(piece))
    started = time.process_time()
    with pytest.raises(RequestError):
        parse_request(body)
    assert time.process_time() - started < 2  # json takes 5 to 25 s for these on the same machine


@given(st.recursive(st.text(max_size=9) | st.integers(-9, 9) | st.none(), lambda inner: st.lists(inner, max_size=3)))
def test_texts_do_not_count_as_structure(value: Any) -> None:
    content = {"params": value, 'a"[{\\': '\\"]}true'}
    body = json.dumps(content).encode()
    depth = max(map(_depth, content.values())) + 1
    if depth <= DEEPEST:
        assert parse_request(body) == content
    else:
        with pytest.raises(RequestError, match="within each other"):
            parse_request(body)


def _depth(value: Any) -> int:
    return 1 + max(map(_depth, value), default=0) if isinstance(value, list) else 0
