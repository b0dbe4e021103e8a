"""Which executor a study's settings ask for."""

from collections.abc import Callable
from pathlib import Path

from ..config import SearchSettings
from ..training import EpochReport, FittedNetwork, FoldJob
from .base import Executor
from .in_process import InProcess
from .processes import Processes
from .ray_cluster import Ray

__all__ = ["executor_of"]


def executor_of(
    settings: SearchSettings,
    features: Path,
    train: Callable[[FoldJob, Callable[[EpochReport], None]], FittedNetwork],
) -> Executor:
    """The executor of a study's folds; it starts with its first trial.

    Args:
        settings: The study's.
        features: The folder of the feature cache.
        train: Trains a fold in this process.
    """
    if settings.executor == "ray":
        return Ray(settings.ray_address, features, gpus_per_fold=settings.gpus_per_fold)
    if settings.parallel == "folds" and settings.workers > 1:
        return Processes(settings.workers, features)
    return InProcess(train, processes=settings.workers)
