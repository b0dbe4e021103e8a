"""`Shared`: results that trials have in common, kept up to a number of bytes."""

from collections import OrderedDict
from collections.abc import Callable, Hashable
from threading import Lock
from typing import Any, Protocol, TypeVar

__all__ = ["ResultT", "Shared"]


class Sized(Protocol):
    """A result of which the bytes are known."""

    @property
    def nbytes(self) -> int:
        """Bytes of the result."""


ResultT = TypeVar("ResultT", bound=Sized)


class Shared:
    """Results by all that they depend on, for all threads; those not used for longest make room for new ones."""

    def __init__(self, bound: float) -> None:
        """Keep nothing yet, and never more than `bound` bytes."""
        self._bound, self._lock = bound, Lock()
        self._kept: OrderedDict[Hashable, Any] = OrderedDict()
        self._bytes = 0

    @property
    def nbytes(self) -> int:
        """Bytes of the results that are kept."""
        return self._bytes

    def get(self, key: Hashable, make: Callable[[], ResultT]) -> ResultT:
        """The result of a key, made if it is not kept; results are not to be changed.

        Args:
            key: All that the result depends on, and its kind.
            make: Computes the result.
        """
        with self._lock:
            if key in self._kept:
                self._kept.move_to_end(key)
                found: ResultT = self._kept[key]
                return found
        made = make()  # without the lock: another thread may make the same meanwhile, and the first is kept
        with self._lock:
            if made.nbytes <= self._bound and key not in self._kept:
                self._kept[key] = made
                self._bytes += made.nbytes
                while self._bytes > self._bound:
                    self._bytes -= self._kept.popitem(last=False)[1].nbytes
        return made
