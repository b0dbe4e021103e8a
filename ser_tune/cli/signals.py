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

__all__ = ["end_at_once", "ending_on_signals"]

SIGNALS = tuple(getattr(signal, name) for name in ("SIGTERM", "SIGHUP") if hasattr(signal, name))
CLEAN_S = 5.0
"""Seconds from a signal until the process ends without having cleaned up: what it left, the next session finds as after
`kill -9`."""


@contextmanager
def ending_on_signals() -> Iterator[None]:
    """Raise `Terminated` in this thread on the first signal; signals that are ignored, as under `nohup`, stay so."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    ours = [number for number in SIGNALS if signal.getsignal(number) is signal.SIG_DFL]
    watched, written = socket.socketpair()
    written.setblocking(False)
    wakeup = signal.set_wakeup_fd(written.fileno(), warn_on_full_buffer=False)
    threading.Thread(target=_end_late, args=(watched,), name="signals", daemon=True).start()
    for number in ours:
        signal.signal(number, _raise_once)
    try:
        yield
    finally:
        for number in ours:
            signal.signal(number, signal.SIG_DFL)
        signal.set_wakeup_fd(wakeup)
        written.close()


def end_at_once(number: int) -> NoReturn:
    """End the process with the exit code of a signal, without the seconds that libraries take to be taken down."""
    sys.stdout.flush()
    sys.stderr.flush()
    os.write(2, b"interrupted; the same command goes on from here\n")
    os._exit(128 + number)


def _raise_once(number: int, _: FrameType | None) -> None:
    for one in SIGNALS:  # what is being cleaned up is not to be interrupted again
        if signal.getsignal(one) is _raise_once:
            signal.signal(one, signal.SIG_IGN)
    raise Terminated(number)


def _end_late(watched: socket.socket) -> None:
    """End the process if a signal has not ended it in time: Python raises nothing while a library computes."""
    with watched:
        while received := watched.recv(1):  # closed with its other end
            if received[0] in SIGNALS:
                time.sleep(CLEAN_S)
                end_at_once(received[0])
