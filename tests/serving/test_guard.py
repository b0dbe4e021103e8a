"""Between the network and MLflow's scoring server: sizes are limited, and an error is one sentence."""

import asyncio
import json
from collections.abc import Sequence
from typing import Any

import pytest

from ser_tune.serving import Guard

JSON = (b"content-type", b"application/json")


def _answers(
    body: bytes | Sequence[bytes],
    *,
    headers: Sequence[tuple[bytes, bytes]] = (JSON,),
    inner: tuple[int, bytes] | Exception = (200, b"{}"),
    max_bytes: int = 100,
) -> tuple[int, bytes, list[bytes]]:
    """Status and content of the answer, and the bodies that the inner application was handed."""
    handed: list[bytes] = []
    parts = [body] if isinstance(body, bytes) else list(body)
    sent: list[Any] = []

    async def application(scope: Any, receive: Any, send: Any) -> None:
        handed.append((await receive())["body"])
        if isinstance(inner, Exception):
            raise inner
        await send({"type": "http.response.start", "status": inner[0], "headers": []})
        await send({"type": "http.response.body", "body": inner[1]})

    async def receive() -> Any:
        return {"type": "http.request", "body": parts.pop(0), "more_body": bool(parts)}

    async def send(message: Any) -> None:
        sent.append(message)

    scope = {"type": "http", "method": "POST", "headers": list(headers)}
    asyncio.run(Guard(application, max_bytes=max_bytes)(scope, receive, send))
    return sent[0]["status"], b"".join(one.get("body", b"") for one in sent), handed


def _refused(status: int, sentence: str, **told: Any) -> list[bytes]:
    found, content, handed = _answers(**told)
    assert found == status
    assert sentence in json.loads(content)["message"]
    assert "\n" not in json.loads(content)["message"]
    return handed


def test_a_good_request_and_its_answer_pass() -> None:
    assert _answers([b'{"a":', b" 1}"]) == (200, b"{}", [b'{"a": 1}'])


def test_a_request_that_announces_too_much_is_refused_unread() -> None:
    assert not _refused(413, "more than 0.0001 MB", body=b"", headers=[JSON, (b"content-length", b"101")])


def test_a_request_that_sends_more_than_it_announces_is_refused() -> None:
    assert not _refused(413, "more than 0.0001 MB", body=[b"x" * 60, b"x" * 60])


@pytest.mark.parametrize("body", [b"", b"{", b"\xff", b"[" * 90], ids=["empty", "cut", "bytes", "deep"])
def test_what_is_no_json_does_not_reach_the_model(body: bytes) -> None:
    assert not _refused(400, "not valid JSON", body=body)


def test_json_that_is_no_object_does_not_reach_the_model() -> None:
    assert not _refused(400, "dataframe_records", body=b"[1]")


@pytest.mark.parametrize("headers", [[], [(b"content-type", b"audio/wav")]], ids=["none", "other"])
def test_a_request_of_another_kind_is_refused(headers: Sequence[tuple[bytes, bytes]]) -> None:
    assert not _refused(415, "expected application/json", body=b"{}", headers=headers)


def test_of_a_refusal_only_the_sentence_is_left() -> None:
    told = {"message": "Failed to predict data 'a\nb'. \nError: row 0 is silent", "stack_trace": "File x"}
    status, content, _ = _answers(b"{}", inner=(400, json.dumps(told).encode()))
    assert status == 400
    assert json.loads(content) == {"error_code": "INVALID_PARAMETER_VALUE", "message": "row 0 is silent"}


def test_a_bug_answers_500_without_a_stack_trace(caplog: pytest.LogCaptureFixture) -> None:
    _refused(500, "the request cannot be answered", body=b"{}", inner=RuntimeError("secret"))
    assert "secret" in caplog.text
