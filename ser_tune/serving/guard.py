"""What stands between the network and MLflow's scoring server: sizes are limited, and an error is one sentence."""

import json
import logging
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

__all__ = ["Guard"]

_log = logging.getLogger(__name__)
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
Application = Callable[[Message, Receive, Send], Awaitable[None]]

LONGEST_SENTENCE = 500
"""Characters of an error's message."""
KEY = {400: "INVALID_PARAMETER_VALUE", 413: "REQUEST_LIMIT_EXCEEDED", 415: "BAD_REQUEST", 500: "INTERNAL_ERROR"}
CONTENT_TYPES = (b"application/json", b"text/csv")


class Guard:
    """An ASGI application around another one."""

    def __init__(self, application: Application, *, max_bytes: int) -> None:
        """Guard an application.

        Args:
            application: MLflow's scoring server.
            max_bytes: Largest body of a request.
        """
        self._application = application
        self._max_bytes = max_bytes

    async def __call__(self, scope: Message, receive: Receive, send: Send) -> None:
        """Answer one request."""
        if scope["type"] != "http":
            await self._application(scope, receive, send)
            return
        body = await self._body(scope, receive)
        if body is None:
            limit = f"{self._max_bytes / 1e6:g} MB"
            await _answer(send, 413, f"the request has more than {limit}; send less sound at once")
            return
        if scope["method"] == "POST" and (reason := _wrong_content(scope, body)):
            await _answer(send, *reason)
            return
        await self._inner(scope, body, send)

    async def _inner(self, scope: Message, body: bytes, send: Send) -> None:
        """Let the application answer, and shorten what it answers to a mistake."""
        messages: list[Message] = []
        status = 0

        async def receive_body() -> Message:
            return {"type": "http.request", "body": body, "more_body": False}

        async def collect(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
            if status < 400:
                await send(message)
            else:
                messages.append(message)

        try:
            await self._application(scope, receive_body, collect)
        except Exception:
            _log.exception("a request failed")
            if status and status < 400:
                return  # its answer is on the way
            status = 500
        if status >= 400:
            told = b"".join(one.get("body", b"") for one in messages)
            await _answer(send, status, _sentence(told, status))

    async def _body(self, scope: Message, receive: Receive) -> bytes | None:
        """A request's body; None where it is too large."""
        promised = dict(scope["headers"]).get(b"content-length", b"0")
        if promised.isdigit() and int(promised) > self._max_bytes:
            return None
        parts: list[bytes] = []
        size = 0
        while True:
            message = await receive()
            part = message.get("body", b"")
            size += len(part)
            if size > self._max_bytes:
                return None
            parts.append(part)
            if message["type"] != "http.request" or not message.get("more_body", False):
                return b"".join(parts)


def _wrong_content(scope: Message, body: bytes) -> tuple[int, str] | None:
    """Status and sentence for content that MLflow's server has no sentence for."""
    told = dict(scope["headers"]).get(b"content-type", b"").partition(b";")[0].strip()
    if told not in CONTENT_TYPES:
        known = " or ".join(one.decode() for one in CONTENT_TYPES)
        return 415, f"the header Content-Type is '{told.decode('latin-1')}'; expected {known}"
    if told == CONTENT_TYPES[0]:
        try:
            value = json.loads(body)
        except (ValueError, RecursionError):
            return 400, "the request is not valid JSON"
        if not isinstance(value, dict):
            return 400, "the request is not a JSON object; expected one with the key dataframe_records"
    return None


def _sentence(told: bytes, status: int) -> str:
    """The sentence in an answer of MLflow's server, which has the request before it and a stack trace behind."""
    try:
        content = json.loads(told)
        message = str(content.get("message") or content.get("detail") or "")
    except (ValueError, AttributeError):
        message = "" if status == 500 else told.decode("utf-8", "replace")
    message = message.rpartition("\nError: ")[2].strip()
    first = message.splitlines()[0] if message else "the request cannot be answered"
    return first if len(first) <= LONGEST_SENTENCE else f"{first[:LONGEST_SENTENCE]}…"


async def _answer(send: Send, status: int, sentence: str) -> None:
    content = json.dumps({"error_code": KEY.get(status, "BAD_REQUEST"), "message": sentence}).encode()
    headers = [(b"content-type", b"application/json"), (b"content-length", str(len(content)).encode())]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": content})
