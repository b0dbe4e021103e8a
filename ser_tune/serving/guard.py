"""The HTTP application: limits of requests in kind, size and time, and refusals of one sentence."""

import asyncio
import ipaddress
import json
import logging
import os
import re
from collections.abc import Awaitable, Callable, Iterable, MutableMapping
from concurrent.futures import ThreadPoolExecutor
from email.message import Message as Header
from typing import Any

from .request_body import RequestError

__all__ = ["Guard", "Hosts"]

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
ERROR_CODES = {413: "REQUEST_LIMIT_EXCEEDED", 500: "INTERNAL_ERROR", 503: "TEMPORARILY_UNAVAILABLE"}
JSON = "application/json"
ANY_HOST = "*"
_HOST = re.compile(r"(?P<name>\[[0-9a-f:.]+\]|[^\s:@/\[\]]+)(:[0-9]*)?", re.IGNORECASE)
_LOOPBACK = ("localhost", "127.0.0.1", "::1")


class Hosts:
    """Values of the header Host that are answered: loopback, the address that was asked, and allowed names.

    A web page whose own name leads to this machine gets no answer (DNS rebinding).
    """

    def __init__(self, allowed: Iterable[str]) -> None:
        """Allow names without port beside the addresses; `*` is any name."""
        self._allowed = {_plain(name) for name in (*_LOOPBACK, *allowed)}

    def answer_to(self, host: str, address: str) -> bool:
        """Whether a request with this header, port or not, at this address of the machine is answered.

        >>> Hosts([]).answer_to("10.0.0.2:5001", "10.0.0.2"), Hosts([]).answer_to("evil.example", "127.0.0.1")
        (True, False)
        """
        if ANY_HOST in self._allowed:
            return True
        found = _HOST.fullmatch(host)
        return found is not None and _plain(found["name"]) in {*self._allowed, _plain(address)}


def _plain(name: str) -> str:
    """A name or address in one spelling."""
    name = name.strip("[]").casefold().removesuffix(".")
    try:
        address = ipaddress.ip_address(name)
    except ValueError:
        return name
    return str(getattr(address, "ipv4_mapped", None) or address)


class Guard:
    """An ASGI application: `/invocations` predicts; `/ping` and others, which are ready, are answered at once."""

    def __init__(
        self,
        answer: Callable[[bytes], bytes],
        *,
        max_bytes: int,
        hosts: Iterable[str],
        version: str,
        description: bytes = b"{}",
        at_once: int | None = None,
    ) -> None:
        """Guard a function.

        Args:
            answer: From the body of a request to that of its answer; called in threads. Raises `RequestError`.
            max_bytes: Largest body of a request.
            hosts: Names that requests may use for this server, as of `Hosts`.
            version: The answer of `/version`.
            description: The answer of `/openapi.json`.
            at_once: Requests that are answered at a time; None is the number of cores, but 2 at least.
        """
        self._answer = answer
        self._max_bytes = max_bytes
        self._hosts = Hosts(hosts)
        self._at_once = {
            "/ping": b"\n",
            "/health": b"\n",
            "/version": version.encode(),
            "/openapi.json": description,
        }
        self._threads = ThreadPoolExecutor(at_once or max(2, os.cpu_count() or 1), thread_name_prefix="request")
        self._held, self._waiting = 0, 0

    async def __call__(self, scope: Message, receive: Receive, send: Send) -> None:
        """Answer one request."""
        if scope["type"] != "http":
            return
        try:
            content = await self._content(scope, receive)
        except RequestError as error:
            problem = {"error_code": ERROR_CODES.get(error.status, "INVALID_PARAMETER_VALUE"), "message": str(error)}
            await _send(send, error.status, json.dumps(problem).encode())
        except ConnectionError:  # the client has disconnected
            return
        else:
            await _send(send, 200, content)

    async def _content(self, scope: Message, receive: Receive) -> bytes:
        """The content of the answer; `RequestError`: refused; `ConnectionError`: the client left too early."""
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


def _refuse_media_type(media_type: str) -> None:
    """Refuse another type than JSON in UTF-8; types and the names of their parameters have no case (RFC 9110)."""
    header = Header()
    header["content-type"] = media_type
    charset = header.get_content_charset("utf-8")
    if media_type.partition(";")[0].strip().casefold() != JSON or charset not in ("utf-8", "utf8"):
        raise RequestError(f"the header Content-Type is '{_shown(media_type)}'; expected {JSON}", status=415)


def _shown(text: str) -> str:
    """A client's text, on one line of limited length."""
    return "".join(letter if letter.isprintable() else "\ufffd" for letter in text[:100])


async def _send(send: Send, status: int, content: bytes) -> None:
    headers = [(b"content-type", JSON.encode()), (b"content-length", str(len(content)).encode())]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": content})
