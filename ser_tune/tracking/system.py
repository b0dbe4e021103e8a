"""Load of the machine while a trial ran, as MLflow's system metrics."""

import time
from collections.abc import Sequence
from threading import Event, Thread

from .mlflow_internals import busyness, system_monitors
from .outbox import MetricRow

__all__ = ["SystemSampler"]

INTERVAL_S = 5.0
MOST_SAMPLES = 500
"""Samples of a trial; a longer trial is sampled half as often, again and again."""
PREFIX = "system/"
"""Start of the names that MLflow's pages show as system metrics."""


class SystemSampler:
    """Samples processor, memory, and where `nvidia-ml-py` is installed GPUs, in a thread of its own."""

    def __init__(self) -> None:
        """Take the first sample, and start."""
        self._monitors = system_monitors()
        self._rows: list[list[MetricRow]] = []
        self._interval_s = INTERVAL_S
        self._stop = Event()
        self._sample()  # what psutil measures is since the sample before: this one is dropped
        self._rows.clear()
        self._thread = Thread(target=self._run, name="system-metrics", daemon=True)
        self._thread.start()

    def stop(self) -> Sequence[MetricRow]:
        """Take the last sample and end the thread.

        Returns:
            Every sample, oldest first; the step is the sample's number.
        """
        self._stop.set()
        self._thread.join()
        self._sample()
        return [row for sample in self._rows for row in sample]

    def _run(self) -> None:
        while not self._stop.wait(self._interval_s):
            self._sample()
            if len(self._rows) >= MOST_SAMPLES:
                self._rows = self._rows[1::2]
                self._interval_s *= 2

    def _sample(self) -> None:
        now, step = int(time.time() * 1000), len(self._rows)
        self._rows.append([(f"{PREFIX}{name}", value, now, step) for name, value in busyness(self._monitors).items()])
