"""`Processes`: folds of one trial at once, each in a process of this machine.

Processes are spawned: a forked one would inherit locks of torch's threads, and CUDA refuses it. They end with their
parent, however it ends.
"""

import os
import pickle
import queue
import signal
import threading
from collections.abc import Generator, Iterator, Sequence
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from multiprocessing import get_context
from multiprocessing.connection import Connection, wait
from pathlib import Path
from typing import Any, TypeAlias, cast

import torch

from ..errors import ExecutionError
from ..features import Shards
from ..training import DataReader, EpochReport, FittedNetwork, FoldJob
from .attempt import GivenUp, attempt, opened
from .base import Keep, OnEpoch
from .order import InOrder

__all__ = ["Processes"]

RETRIES = 2
"""Times that the folds of a trial are trained again whose processes were lost."""
PLACE = 2
"""Bytes of a process's number."""
SIGNALS = tuple(getattr(signal, name) for name in ("SIGINT", "SIGHUP") if hasattr(signal, name))
"""A terminal sends them to the parent too, which answers for its processes."""

Arrival: TypeAlias = "tuple[int, int, EpochReport | Future[bytes]]"
"""The number of a run, that of a job, and its message: an epoch, or its end."""


class Processes:
    """Trains folds in a pool of processes, which starts with the first trial."""

    shards: Shards | None = None

    def __init__(self, workers: int, features: Path) -> None:
        """Start nothing yet; `workers` is the number of processes, `features` the folder of the feature cache."""
        self._workers, self._features = workers, features
        self._pool: _Pool | None = None

    def threads(self, folds: int) -> int:
        """The threads that torch uses here, divided by the processes that have work."""
        return max(1, torch.get_num_threads() // min(self._workers, folds))

    def run(self, jobs: Sequence[FoldJob], *, on_epoch: OnEpoch, keep: Keep) -> Generator[FittedNetwork, None, None]:
        """As `Executor.run`."""
        order, losses = InOrder(on_epoch=on_epoch, keep=keep), 0
        if not jobs:
            return
        self._submit(jobs, order)
        try:
            for _ in jobs:
                while (fitted := order.take()) is None:
                    assert self._pool is not None
                    if not self._pool.pass_on(order):
                        self.close()
                        losses += 1
                        if losses > RETRIES:
                            raise ExecutionError(
                                f"a process that trains a fold was ended from outside {losses} times; where memory is "
                                "short, pass fewer --workers or a smaller training.batch_size"
                            )
                        self._submit(jobs, order)
                yield fitted
        finally:
            if self._pool is not None:
                self._pool.give_up(order)

    def close(self) -> None:
        """End the processes, busy or not."""
        if self._pool is not None:
            self._pool.close()
        self._pool = None

    def _submit(self, jobs: Sequence[FoldJob], order: InOrder) -> None:
        """Start the jobs that have not ended."""
        self._pool = self._pool or _Pool(self._workers, self._features)
        for number, job in enumerate(jobs):
            if not order.has_ended(number):
                self._pool.submit(number, job)


class _Pool:
    """Processes, and the lines to them."""

    def __init__(self, workers: int, features: Path) -> None:
        context = get_context("spawn")
        # A pipe for each process: a queue has a lock, which a process that is killed may hold
        pipes = [context.Pipe(duplex=False) for _ in range(workers)]
        self._reports, self._written = [reader for reader, _ in pipes], [writer for _, writer in pipes]
        self._run = context.RawValue("Q", 0)
        self._arrivals: queue.SimpleQueue[Arrival] = queue.SimpleQueue()
        ends, self._lifeline = context.Pipe(duplex=False)
        self._places, numbered = context.Pipe(duplex=False)
        # Numbers to be taken from a pipe: a shared counter has a lock, which is left over where this process is ended
        os.write(numbered.fileno(), b"".join(place.to_bytes(PLACE, "big") for place in range(workers)))
        numbered.close()
        line = _Line(features, self._written, self._run, self._places, ends)
        self._executor = ProcessPoolExecutor(workers, mp_context=context, initializer=_start, initargs=(line,))
        threading.Thread(target=self._forward, name="epochs", daemon=True).start()

    def submit(self, number: int, job: FoldJob) -> None:
        run = self._run.value

        def ended(done: "Future[bytes]") -> None:
            self._arrivals.put((run, number, done))

        try:
            with _ignored_signals():
                future = self._executor.submit(_train, run, number, pickle.dumps(job))
        except BrokenProcessPool as error:  # a process was lost while it waited for work
            future = Future()
            future.set_exception(error)
        future.add_done_callback(ended)

    def pass_on(self, order: InOrder) -> bool:
        """Wait for the next message, and hand it to its order; returns False where the processes are lost."""
        run, number, what = self._arrivals.get()
        if run != self._run.value:
            return True
        if isinstance(what, EpochReport):
            order.epoch_ended(number, what)
        elif isinstance(error := what.exception(), BrokenProcessPool):
            return False
        else:
            order.job_ended(number, error if isinstance(error, Exception) else opened(what.result()))
        return True

    def give_up(self, order: InOrder) -> None:
        """Keep the results of jobs that have ended; the others end after their epoch, and are not waited for."""
        run, self._run.value = self._run.value, self._run.value + 1
        with suppress(queue.Empty):
            while True:
                sender, number, what = self._arrivals.get_nowait()
                if sender == run and isinstance(what, Future) and not what.cancelled() and what.exception() is None:
                    order.keep(number, opened(what.result()))

    def close(self) -> None:
        self._lifeline.close()
        self._executor.shutdown(wait=True, cancel_futures=True)
        for connection in (*self._written, self._places):
            connection.close()

    def _forward(self) -> None:
        """Pass epochs on to the queue of ended jobs, since a thread can wait in one place alone."""
        while self._reports:
            for reports in cast("list[Connection]", wait(self._reports)):
                try:
                    self._arrivals.put(reports.recv())
                except (EOFError, OSError):  # the pool was closed, perhaps in the middle of a report
                    self._reports.remove(reports)
                    reports.close()


@contextmanager
def _ignored_signals() -> Iterator[None]:
    """Processes that start within this context ignore signals from their first moment; this one misses none."""
    if threading.current_thread() is not threading.main_thread() or not hasattr(signal, "pthread_sigmask"):
        yield
        return
    before = signal.pthread_sigmask(signal.SIG_BLOCK, SIGNALS)
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


@dataclass(frozen=True, slots=True)
class _Line:
    """Arguments of a process when it starts."""

    features: Path
    reports: Sequence[Connection]
    """Connection on which each process reports its epochs."""
    run: Any
    """The number of the run that is waited for."""
    places: Connection
    """Holds a number for each process."""
    ends: Connection
    """Closed at its other end when the process is to end, or its parent has."""


_line: _Line
_reports: Connection
_read: DataReader


def _start(line: _Line) -> None:
    """Make a process ready for jobs."""
    global _line, _read, _reports
    for number in SIGNALS:
        signal.signal(number, signal.SIG_IGN)
    threading.Thread(target=_end_with_parent, args=(line.ends,), name="parent", daemon=True).start()
    _line, _read = line, DataReader(line.features)
    place = int.from_bytes(os.read(line.places.fileno(), PLACE), "big")
    _reports = line.reports[place]
    if torch.cuda.is_available():
        torch.cuda.set_device(place % torch.cuda.device_count())


def _end_with_parent(ends: Connection) -> None:
    with suppress(EOFError, OSError):
        ends.recv_bytes()
    os._exit(0)


def _train(run: int, number: int, pickled: bytes) -> bytes:
    """Train one job of a run."""

    def on_epoch(report: EpochReport) -> None:
        if _line.run.value != run:
            raise GivenUp
        _reports.send((run, number, report))

    if _line.run.value != run:
        return pickle.dumps(GivenUp())
    job: FoldJob = pickle.loads(pickled)
    return attempt(job, _read, on_epoch)
