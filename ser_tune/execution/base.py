"""`Executor`, which trains the folds of a trial, and the object that every executor's module defines."""

from collections.abc import Callable, Generator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Protocol, TypeAlias

from ..config import SearchSettings

if TYPE_CHECKING:
    from ..features import Shards
    from ..training import EpochReport, FittedNetwork, FoldJob

__all__ = ["Executor", "ExecutorSource", "Keep", "OnEpoch", "TrainHere"]

OnEpoch: TypeAlias = "Callable[[int, EpochReport], None]"
"""Called with the number of a job and the report of an epoch; an exception ends the trial."""
Keep: TypeAlias = "Callable[[int, FittedNetwork], None]"
"""Called with the number of a job and its result."""
TrainHere: TypeAlias = "Callable[[FoldJob, Callable[[EpochReport], None]], FittedNetwork]"
"""Trains a fold in this process, and calls a function with its epochs."""


class Executor(Protocol):
    """Trains folds, here or elsewhere, one at a time or several.

    Every executor results in the same networks, reports the same epochs in the same order, and fails with the same
    exception: pruning and scores do not depend on it.
    """

    @property
    def shards(self) -> "Shards | None":
        """Extracts features where folds are trained; None extracts them in this process."""

    def threads(self, folds: int) -> int:
        """CPU threads for each fold of a trial of so many, where `training.threads` is `auto`."""

    def run(
        self, jobs: "Sequence[FoldJob]", *, on_epoch: OnEpoch, keep: Keep
    ) -> "Generator[FittedNetwork, None, None]":
        """Train jobs, and yield their results in the order of the jobs.

        Args:
            jobs: Folds of one trial; a job's number is its position here.
            on_epoch: Called in the order of the jobs: after the last epoch of a job comes the first of the next.
            keep: Called as soon as a job has ended, in any order.

        Closing the generator gives up the jobs that have not ended; those that have are kept.

        Raises:
            ExecutionError: The process or node of a job was lost again and again.
            Exception: The exception of a job, when its turn comes.
        """

    def close(self) -> None:
        """Stop what was started; the next `run` starts it again."""


@dataclass(frozen=True, slots=True)
class ExecutorSource:
    """A place where folds are trained; a module of this room defines one as `EXECUTOR`."""

    name: str
    build: Callable[[SearchSettings, Path, TrainHere], Executor]
    """From the study's search settings, the folder of the feature cache and a function that trains in this process to
    the executor of a study's folds, which starts with its first trial."""
    decides: str
    """The part that limits folds at once, such as `the cluster`; empty where `study.workers` does."""
