"""The HTTP application: what a request may be, how much and how slowly it may send, and answers of one sentence."""

import asyncio
import json
import logging
import os
from collections.abc import Awaitable, Callable, MutableMapping
from concurrent.futures import ThreadPoolExecutor
from email.message import Message as Header
from typing import Any

from .content import RequestError
from .hosts import Hosts

__all__ = ["Guard"]

_log = logging.getLogger(__name__)
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]

BODY_S = 10.0
"""Seconds that a client has for the body of a request, whatever its size."""
SLOWEST_B_PER_S = 50_000
"""Bytes that earn a client another second."""
MOST_WAITING = 1024
"""Complete requests that wait for their turn; more are answered 503."""
BODIES_HELD = 8
"""Largest requests whose bytes are held at a time, of all clients together; more are answered 503."""
KEY = {413: "REQUEST_LIMIT_EXCEEDED", 500: "INTERNAL_ERROR", 503: "TEMPORARILY_UNAVAILABLE"}
JSON = "application/json"


class Guard:
    """An ASGI application: `/invocations` predicts, `/ping`, `/health` and `/version` are answered at once."""

    def __init__(
        self,
        answer: Callable[[bytes], bytes],
        *,
        max_bytes: int,
        hosts: Hosts,
        version: str,
        at_once: int | None = None,
    ) -> None:
        """Guard what answers.

        Args:
            answer: From the body of a request to that of its answer; called in threads. Raises `RequestError`.
            max_bytes: Largest body of a request.
            hosts: Names that requests may use for this server.
            version: What `/version` answers.
            at_once: Requests that are answered at a time; None is the number of cores, but 2 at least.
        """
        self._answer = answer
        self._max_bytes = max_bytes
        self._hosts = hosts
        self._at_once = {"/ping": b"\n", "/health": b"\n", "/version": version.encode()}
        self._threads = ThreadPoolExecutor(at_once or max(2, os.cpu_count() or 1), thread_name_prefix="request")
        self._held, self._waiting = 0, 0

    async def __call__(self, scope: Message, receive: Receive, send: Send) -> None:
        """Answer one request."""
        if scope["type"] != "http":
            return
        try:
            content = await self._content(scope, receive)
        except RequestError as error:
            problem = {"error_code": KEY.get(error.status, "INVALID_PARAMETER_VALUE"), "message": str(error)}
            await _send(send, error.status, json.dumps(problem).encode())
        except ConnectionError:  # nobody waits for an answer
            return
        else:
            await _send(send, 200, content)

    async def _content(self, scope: Message, receive: Receive) -> bytes:
        """What a request is answered.

        Raises:
            RequestError: It is refused.
            ConnectionError: The client left before it was complete.
        """
        headers = dict(scope["headers"])
        host, (address, _) = headers.get(b"host", b"").decode("latin-1"), scope["server"]
        if not self._hosts.answer_to(host, address):
            shown = _shown(host)
            raise RequestError(
                f"the header Host is '{shown}', a name that this server does not answer to; start it with "
                f"--allow-host {shown.partition(':')[0] or 'NAME'}",
                status=421,
            )
        path, method = scope["path"], scope["method"]
        if path in self._at_once:
            _refuse_method(path, method, "GET", "HEAD")
            return self._at_once[path]
        if path != "/invocations":
            known = ", ".join(self._at_once)
            raise RequestError(f"there is no '{_shown(path)}'; expected /invocations, {known}", status=404)
        _refuse_method(path, method, "POST")
        _refuse_media_type(headers.get(b"content-type", b"").decode("latin-1"))
        return await self._predict(headers, receive)

    async def _predict(self, headers: dict[bytes, bytes], receive: Receive) -> bytes:
        """Read the body, wait for a thread, and let it answer."""
        promised = headers.get(b"content-length", b"0")
        if promised.isdigit() and int(promised) > self._max_bytes:
            raise self._too_large()
        if self._waiting >= MOST_WAITING:
            raise RequestError("the server has too many requests; ask again later", status=503)
        parts: list[bytes] = []
        self._waiting += 1
        try:
            await self._read(receive, parts)
            return await asyncio.get_running_loop().run_in_executor(self._threads, self._answer, b"".join(parts))
        except (RequestError, ConnectionError):
            raise
        except Exception:
            _log.exception("a request failed")
            raise RequestError("the request cannot be answered", status=500) from None
        finally:
            self._waiting -= 1
            self._held -= sum(map(len, parts))

    async def _read(self, receive: Receive, parts: list[bytes]) -> None:
        """Add the parts of a request's body to a list."""
        size, more = 0, True
        try:
            async with asyncio.timeout(BODY_S) as deadline:
                end = asyncio.get_running_loop().time() + BODY_S
                while more:
                    message = await receive()
                    if message["type"] != "http.request":
                        raise ConnectionError
                    part, more = message.get("body", b""), message.get("more_body", False)
                    size += len(part)
                    if size > self._max_bytes:
                        raise self._too_large()
                    if self._held + len(part) > BODIES_HELD * self._max_bytes:
                        raise RequestError("the server holds too many requests; ask again later", status=503)
                    self._held += len(part)
                    parts.append(part)
                    deadline.reschedule(end + size / SLOWEST_B_PER_S)
        except TimeoutError:
            raise RequestError(
                f"the request sent {size} bytes in {BODY_S + size / SLOWEST_B_PER_S:.0f} s and is not complete",
                status=408,
            ) from None

    def _too_large(self) -> RequestError:
        limit = f"{self._max_bytes / 1e6:g} MB"
        return RequestError(f"the request has more than {limit}; send less sound at once", status=413)


def _refuse_method(path: str, method: str, *expected: str) -> None:
    if method not in expected:
        raise RequestError(f"{path} takes no {_shown(method)}; expected {' or '.join(expected)}", status=405)


def _refuse_media_type(told: str) -> None:
    """Refuse another type than JSON in UTF-8; types and the names of their parameters have no case (RFC 9110)."""
    header = Header()
    header["content-type"] = told
    charset = header.get_content_charset("utf-8")
    if told.partition(";")[0].strip().casefold() != JSON or charset not in ("utf-8", "utf8"):
        raise RequestError(f"the header Content-Type is '{_shown(told)}'; expected {JSON}", status=415)


def _shown(text: str) -> str:
    """What a client sent, on one line of limited length."""
    return "".join(letter if letter.isprintable() else "\ufffd" for letter in text[:100])


async def _send(send: Send, status: int, content: bytes) -> None:
    headers = [(b"content-type", JSON.encode()), (b"content-length", str(len(content)).encode())]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": content})
