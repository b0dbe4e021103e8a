"""Files that libraries leave open are closed in the test that opened them."""

import gc
import warnings
from collections.abc import Iterator

import pytest

__all__ = ["closed_by_datasets"]


@pytest.fixture
def closed_by_datasets() -> Iterator[None]:
    """Close what the package datasets leaves open, so that no later test is warned of it."""
    yield
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ResourceWarning)
        gc.collect()
