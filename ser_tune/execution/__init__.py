"""Execution of a trial's folds: in this process, in several, or on a cluster.

To add an executor: a module with an `EXECUTOR`, and its line here.
"""

from ..components import Catalogue
from .base import Executor, ExecutorSource, Keep, OnEpoch
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

EXECUTORS: Catalogue[ExecutorSource] = Catalogue(
    kind="executor",
    component=ExecutorSource,
    package=__name__,
    modules={"local": "local", "ray": "ray_cluster"},
    attribute="EXECUTOR",
    group="ser_tune.executors",
)
