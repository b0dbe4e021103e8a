"""Results that trials share: made once, bounded in bytes, the least recently used ones first to go."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from ser_tune.architectures.shared import Shared


def test_a_result_is_made_once_for_a_key() -> None:
    shared, made = Shared(1000), []
    for key in ("a", "b", "a", "a"):
        found = shared.get(key, lambda key=key: made.append(key) or np.full(2, len(made)))  # type: ignore[misc]
        assert found.tolist() == [{"a": 1, "b": 2}[key]] * 2
    assert made == ["a", "b"]


@given(st.lists(st.tuples(st.integers(0, 5), st.integers(1, 40)), max_size=30))
def test_kept_results_never_exceed_the_bound_and_the_latest_stay(asked: list[tuple[int, int]]) -> None:
    shared = Shared(160)
    for number, count in asked:
        assert len(shared.get((number, count), lambda count=count: np.zeros(count))) == count  # type: ignore[misc]
        assert shared.nbytes <= 160
        if 8 * count <= 160:
            assert len(shared.get((number, count), lambda: np.zeros(0))) == count
