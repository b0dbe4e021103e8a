"""Threads of the libraries of linear algebra, for the time of a fit."""

from contextlib import AbstractContextManager
from functools import lru_cache
from typing import TYPE_CHECKING

# Both have a library of their own, which the controller finds if it is loaded
import numpy as np  # noqa: F401
import scipy.linalg  # noqa: F401

if TYPE_CHECKING:
    from threadpoolctl import ThreadpoolController

__all__ = ["blas_threads"]


def blas_threads(count: int) -> AbstractContextManager[object]:
    """A context in which NumPy and SciPy multiply and factorise matrices with so many threads."""
    limit: AbstractContextManager[object] = _controller().limit(limits=count, user_api="blas")
    return limit


@lru_cache(maxsize=1)
def _controller() -> "ThreadpoolController":
    """The controller of the libraries that are loaded; a search for them takes a millisecond."""
    from threadpoolctl import ThreadpoolController  # importing it sets an environment variable

    return ThreadpoolController()
