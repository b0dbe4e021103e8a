"""Intervals of a tenth of the resamples, for tests of properties and of coverage."""

from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from ser_tune.resampling import intervals


@contextmanager
def _fewer() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(intervals, "RESAMPLES", 1000)
        intervals.resamples.cache_clear()
        yield
    intervals.resamples.cache_clear()


@pytest.fixture
def fewer_resamples() -> Iterator[None]:
    """A tenth: the standard error is then known to 2 %."""
    with _fewer():
        yield


@pytest.fixture(scope="module")
def fewer_resamples_throughout() -> Iterator[None]:
    """The same for all tests of a file."""
    with _fewer():
        yield
