"""`local`: folds are trained on this machine, one after another in this process or in several processes."""

from collections.abc import Generator, Sequence
from functools import partial
from pathlib import Path

import torch

from ..config import SearchSettings
from ..features import Shards
from ..training import FittedNetwork, FoldJob
from .base import Executor, ExecutorSource, Keep, OnEpoch, TrainHere
from .processes import Processes

__all__ = ["EXECUTOR", "InProcess"]


class InProcess:
    """Trains a fold in this process, when its result is read."""

    shards: Shards | None = None

    def __init__(self, train: TrainHere, *, processes: int = 1) -> None:
        """Train with a function; `processes` is how many such processes share the machine."""
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


def build(settings: SearchSettings, features: Path, train: TrainHere) -> Executor:
    """Make the executor of a study's folds."""
    if settings.parallel == "folds" and settings.workers > 1:
        return Processes(settings.workers, features)
    return InProcess(train, processes=settings.workers)


EXECUTOR = ExecutorSource(name="local", build=build, decides="")
