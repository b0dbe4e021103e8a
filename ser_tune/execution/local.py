"""`local`: folds are trained on this machine, in this process or in several."""

from pathlib import Path

from ..config import SearchSettings
from .base import Executor, ExecutorSource, TrainHere
from .in_process import InProcess
from .processes import Processes

__all__ = ["EXECUTOR"]


def build(settings: SearchSettings, features: Path, train: TrainHere) -> Executor:
    """Make the executor of a study's folds."""
    if settings.parallel == "folds" and settings.workers > 1:
        return Processes(settings.workers, features)
    return InProcess(train, processes=settings.workers)


EXECUTOR = ExecutorSource(name="local", build=build, decides="")
