"""Execution of a trial's folds: in this process, in several, or on a cluster."""

from .base import Executor, ExecutorSource, Keep, OnEpoch
from .catalogue import EXECUTORS
from .code import code_digest
from .local import InProcess
from .order import InOrder
from .processes import Processes
from .ray_cluster import Ray

__all__ = [
    "EXECUTORS",
    "Executor",
    "ExecutorSource",
    "InOrder",
    "InProcess",
    "Keep",
    "OnEpoch",
    "Processes",
    "Ray",
    "code_digest",
]
