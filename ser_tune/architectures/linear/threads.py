"""Threads of the libraries of linear algebra, for the time of a fit."""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from functools import lru_cache
from threading import Condition
from typing import TYPE_CHECKING

# Both have a library of their own, which the controller finds if it is loaded
import numpy as np  # noqa: F401
import scipy.linalg  # noqa: F401

if TYPE_CHECKING:
    from threadpoolctl import ThreadpoolController

__all__ = ["blas_threads"]


class _Fits:
    """Fits that run now: their number of threads, which all of a process share."""

    def __init__(self) -> None:
        self.ended, self.running, self.threads, self.limit = Condition(), 0, 0, ExitStack()


_fits = _Fits()


@contextmanager
def blas_threads(count: int) -> Iterator[None]:
    """Within this context, NumPy and SciPy multiply and factorise matrices with so many threads.

    Other threads' fits of the same number run beside it; those of another number wait.
    """
    with _fits.ended:
        _fits.ended.wait_for(lambda: not _fits.running or _fits.threads == count)
        if not _fits.running:
            _fits.limit.enter_context(_controller().limit(limits=count, user_api="blas"))
            _fits.threads = count
        _fits.running += 1
    try:
        yield
    finally:
        with _fits.ended:
            _fits.running -= 1
            if not _fits.running:
                _fits.limit.close()
                _fits.ended.notify_all()


@lru_cache(maxsize=1)
def _controller() -> "ThreadpoolController":
    """The controller of the libraries that are loaded; a search for them takes a millisecond."""
    from threadpoolctl import ThreadpoolController  # importing it sets an environment variable

    return ThreadpoolController()
