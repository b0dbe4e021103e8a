"""SIGTERM and SIGHUP end a command as Ctrl-C does, within ten seconds: spot machines, Slurm, closed terminals."""

import os
import signal
import socket
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType
from typing import NoReturn

from ..errors import Terminated

__all__ = ["ending_on_signals", "ending_within"]

SIGNALS = tuple(getattr(signal, name) for name in ("SIGTERM", "SIGHUP") if hasattr(signal, name))
CLEAN_S = 5.0
"""Seconds from a signal until the process ends without having cleaned up: what it left, the next session finds as after
`kill -9`."""


@contextmanager
def ending_on_signals() -> Iterator[None]:
    """Raise `Terminated` in this thread on the first signal, and end the process where the context ends.

    The exit code is 128 and the signal's number. Signals that are ignored, as under `nohup`, stay so.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    ours = [number for number in SIGNALS if signal.getsignal(number) is signal.SIG_DFL]
    received: list[int] = []

    def raise_once(number: int, _: FrameType | None) -> None:
        received.append(number)
        for ended_by in ours:  # saving is not interrupted again
            signal.signal(ended_by, signal.SIG_IGN)
        raise Terminated(number)

    watched, written = socket.socketpair()
    written.setblocking(False)
    wakeup = signal.set_wakeup_fd(written.fileno(), warn_on_full_buffer=False)
    threading.Thread(target=_end_late, args=(watched,), name="signals", daemon=True).start()
    for number in ours:
        signal.signal(number, raise_once)
    try:
        yield
    finally:
        if received:
            _end(received[0])
        for number in ours:
            signal.signal(number, signal.SIG_DFL)
        signal.set_wakeup_fd(wakeup)
        written.close()


def ending_within(seconds: float) -> None:
    """Give this command another time to end after a signal than the usual one."""
    global CLEAN_S
    CLEAN_S = seconds


def _end_late(watched: socket.socket) -> None:
    """End the process if a signal has not ended it in time: Python raises nothing while a library computes."""
    with watched:
        while received := watched.recv(1):  # closed with its other end
            if received[0] in SIGNALS:
                time.sleep(CLEAN_S)
                _end(received[0])


def _end(number: int) -> NoReturn:
    """End the process without the seconds that libraries take to be taken down."""
    sys.stdout.flush()
    os.write(2, b"interrupted\n")
    os._exit(128 + number)
