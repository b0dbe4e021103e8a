"""How folds of a trial are executed: in this process, in several, or on a cluster. Knows nothing of studies."""

from .base import Executor, Keep, OnEpoch
from .choice import executor_of
from .code import code_digest
from .in_process import InProcess
from .order import InOrder
from .processes import Processes
from .ray_cluster import Ray

__all__ = ["Executor", "InOrder", "InProcess", "Keep", "OnEpoch", "Processes", "Ray", "code_digest", "executor_of"]
