"""`Courier`: delivers records to MLflow in the background while a study runs."""

import logging
import time
from pathlib import Path
from threading import Event, Thread

from ..errors import StorageError
from .delivery import Delivery

__all__ = ["Courier"]

LONGEST_PAUSE_S = 60.0
"""Between two tries of a store that fails."""

_log = logging.getLogger(__name__)


class Courier:
    """Delivers a study's records in a thread of its own, while the study goes on."""

    def __init__(self, delivery: Delivery, outbox: Path, study_id: str) -> None:
        """Start the thread.

        Args:
            delivery: Used by the thread alone from now on.
            outbox: Named in messages.
            study_id: The study's.
        """
        self._delivery, self._outbox, self._study_id = delivery, outbox, study_id
        self._wake, self._closing = Event(), Event()
        self._until, self._failures = 0.0, 0
        self._error: Exception | None = None
        self._thread = Thread(target=self._run, name=f"outbox-{study_id[:8]}", daemon=True)
        self._thread.start()

    def notify(self) -> None:
        """Say that there is something to deliver. Raises what ended the thread, if it was no fault of the store."""
        self._wake.set()
        if self._error is not None:
            raise self._error

    def close(self, patience_s: float) -> None:
        """Deliver the remaining records, and end the thread.

        Args:
            patience_s: For how long a store that fails is tried again. What it does not take waits on.
        """
        if self._failures and patience_s:
            _log.warning("note: waiting up to %.0f s for the tracking store", patience_s)
        self._until = time.monotonic() + patience_s
        self._closing.set()
        self._wake.set()
        self._thread.join()
        if self._error is not None:
            raise self._error

    def _run(self) -> None:
        while True:
            closing = self._closing.is_set()  # before it looks what waits: nothing is added then
            try:
                self._delivery.deliver(self._study_id)
                if self._failures:
                    _log.warning("note: the tracking store answers again, and has all trials")
                self._failures = 0
            except StorageError as error:
                if not self._failures:
                    _log.warning("note: %s; the study goes on, its trials wait in '%s'", error, self._outbox)
                self._failures += 1
            except Exception as error:
                self._error = error
                return
            left_s = self._until - time.monotonic()
            if closing and (not self._failures or left_s <= 0):
                return
            pause_s = min(2.0**self._failures, LONGEST_PAUSE_S) if self._failures else None
            self._wake.wait(min(pause_s, left_s) if closing and pause_s else pause_s)
            self._wake.clear()
