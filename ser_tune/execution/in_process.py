"""`InProcess`: folds one after another in this process."""

from collections.abc import Callable, Generator, Sequence
from functools import partial

import torch

from ..features import Shards
from ..training import EpochReport, FittedNetwork, FoldJob
from .base import Keep, OnEpoch

__all__ = ["InProcess"]


class InProcess:
    """Trains a fold when its result is asked for."""

    shards: Shards | None = None

    def __init__(
        self, train: Callable[[FoldJob, Callable[[EpochReport], None]], FittedNetwork], *, processes: int = 1
    ) -> None:
        """Train by a function: of a job, and of what is told of its epochs.

        Args:
            train: The function.
            processes: How many such processes share the machine.
        """
        self._train, self._processes = train, processes

    def threads(self, folds: int) -> int:
        """The threads that torch uses here, divided by the processes."""
        return max(1, torch.get_num_threads() // self._processes)

    def run(self, jobs: Sequence[FoldJob], *, on_epoch: OnEpoch, keep: Keep) -> Generator[FittedNetwork, None, None]:
        """As `Executor.run`."""
        for number, job in enumerate(jobs):
            fitted = self._train(job, partial(on_epoch, number))
            keep(number, fitted)
            yield fitted

    def close(self) -> None:
        """Nothing was started."""
