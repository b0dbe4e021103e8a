"""`local`: folds are trained on this machine, in this process or in several processes."""

from collections.abc import Generator, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path

import torch

from ..config import SearchSettings
from ..features import Shards
from ..training import FittedNetwork, FoldJob
from .base import Executor, ExecutorSource, Keep, OnEpoch, TrainHere
from .processes import Processes

__all__ = ["EXECUTOR", "InProcess"]

BESIDE = 4
"""Most folds that are solved at once: of more, threads would wait for Python's lock."""


class InProcess:
    """Trains folds in this process, one after another, when their results are read; quick ones in threads, at once."""

    shards: Shards | None = None

    def __init__(self, train: TrainHere, *, processes: int = 1) -> None:
        """Train with a function; `processes` is how many such processes share the machine."""
        self._train, self._processes = train, processes

    def threads(self, folds: int) -> int:
        """The threads that torch uses here, divided by the processes."""
        return max(1, torch.get_num_threads() // self._processes)

    def run(self, jobs: Sequence[FoldJob], *, on_epoch: OnEpoch, keep: Keep) -> Generator[FittedNetwork, None, None]:
        """As `Executor.run`."""
        threads = self.threads(len(jobs))
        # Another number of torch's threads would be set for all threads of the process
        if threads > 1 and all(job.is_quick and job.config.training.threads == torch.get_num_threads() for job in jobs):
            yield from self._run_beside(jobs, min(threads, BESIDE), on_epoch, keep)
            return
        for number, job in enumerate(jobs):
            fitted = self._train(job, partial(on_epoch, number))
            keep(number, fitted)
            yield fitted

    def _run_beside(
        self, jobs: Sequence[FoldJob], count: int, on_epoch: OnEpoch, keep: Keep
    ) -> Generator[FittedNetwork, None, None]:
        """The same with so many jobs at once; what has begun when an error ends it is waited for."""
        pool = ThreadPoolExecutor(count, thread_name_prefix="fold")
        try:
            running = [pool.submit(self._train, job, lambda _: None) for job in jobs]
            for number, future in enumerate(running):
                fitted = future.result()
                for report in fitted.history:
                    on_epoch(number, report)
                keep(number, fitted)
                yield fitted
        finally:
            pool.shutdown(cancel_futures=True)

    def close(self) -> None:
        """Nothing was started."""


def build(settings: SearchSettings, features: Path, train: TrainHere) -> Executor:
    """Make the executor of a study's folds."""
    if settings.parallel == "folds" and settings.workers > 1:
        return Processes(settings.workers, features)
    return InProcess(train, processes=settings.workers)


EXECUTOR = ExecutorSource(name="local", build=build, decides="")
