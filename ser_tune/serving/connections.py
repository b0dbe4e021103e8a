"""HTTP connections with deadlines: clients that send nothing, little, or read nothing do not keep others out.

uvicorn has a timeout for idle connections alone: an unfinished head, and a client that does not read its answer, keep a
connection for ever.
"""

import asyncio
import heapq
from enum import IntEnum
from typing import Any

import h11
from uvicorn.protocols.http.h11_impl import H11Protocol

__all__ = ["MOST_CONNECTIONS", "Connection", "Waiting"]

HEAD_S = 10.0
"""Seconds that a client has for the line and headers of a request, from the connection or the last answer on."""
LINGER_S = 5.0
"""Seconds that a client has to send the rest of a refused request, and to read what a closed connection sent."""
UNREAD_S = 30.0
"""Seconds for which a client may leave an answer unread once the buffers are full."""
MOST_CONNECTIONS = 2048
"""Connections at a time; for one more, the oldest of those whose request is not complete are closed."""
ROOM = 16
"""One connection in so many is closed at once, so that a flood costs no search for each of them."""


class Waiting(IntEnum):
    """The part of a request that a connection waits for; the first are closed first where connections are too many."""

    HEAD = 0
    REST = 1
    """The rest of a request that was answered before its body was complete."""
    BODY = 2


class Connection(H11Protocol):
    """An HTTP/1.1 connection whose client has deadlines."""

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Start the clock, and make room where connections are too many."""
        self._timer: asyncio.TimerHandle | None = None
        self.since = 0.0
        """Start of the present wait, by the loop's clock."""
        self._waiting: Waiting | None = None
        super().connection_made(transport)
        self._note(restart=True)
        if len(self.connections) > MOST_CONNECTIONS:
            self._make_room()

    def connection_lost(self, exc: Exception | None) -> None:
        """Stop the clock."""
        self._stop()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Read bytes of the client."""
        super().data_received(data)
        self._note()

    def on_response_complete(self) -> None:
        """Wait for the next request, or for the rest of this one."""
        super().on_response_complete()
        self._note(restart=True)

    def pause_writing(self) -> None:
        """Start the clock for a client that does not read."""
        super().pause_writing()
        self._start(UNREAD_S)

    def resume_writing(self) -> None:
        """Stop it."""
        super().resume_writing()
        self._stop()

    @property
    def waiting(self) -> Waiting | None:
        """The part that the connection waits for; None while a request is answered."""
        if self.cycle is None or self.cycle.response_complete:
            return Waiting.REST if self.conn.their_state is h11.SEND_BODY else Waiting.HEAD
        return Waiting.BODY if self.cycle.more_body else None

    def _note(self, *, restart: bool = False) -> None:
        """Follow a change of `waiting`; the guard has the deadlines of bodies."""
        waiting = self.waiting
        if self.transport.is_closing():
            self._start(LINGER_S)
        elif restart or waiting is not self._waiting:
            self.since = self.loop.time()
            if waiting in (Waiting.HEAD, Waiting.REST):
                self._start(HEAD_S if waiting is Waiting.HEAD else LINGER_S)
            else:
                self._stop()
        self._waiting = waiting

    def _start(self, seconds: float) -> None:
        self._stop()
        self._timer = self.loop.call_later(seconds, self.transport.abort)

    def _stop(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _make_room(self) -> None:
        """Close the connections that have waited longest for their client, this connection last."""
        connections: Any = self.connections  # of any protocol, by its type
        idle = [each for each in connections if each.waiting is not None and not each.transport.is_closing()]
        for each in heapq.nsmallest(1 + MOST_CONNECTIONS // ROOM, idle, key=lambda each: (each.waiting, each.since)):
            each.transport.abort()
