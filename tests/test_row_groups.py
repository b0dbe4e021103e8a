"""Rows of each label, in one pass."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from ser_tune.row_groups import rows_by


@given(st.lists(st.sampled_from(["", "a", "b", "ü", "long name"])))
def test_rows_by_label_are_those_that_a_search_for_each_label_finds(labels: list[str]) -> None:
    found = rows_by(labels)
    assert list(found) == sorted(set(labels))
    for label, rows in found.items():
        assert rows.tolist() == [row for row, own in enumerate(labels) if own == label]


@given(st.lists(st.integers(-3, 3)))
def test_labels_may_be_numbers(labels: list[int]) -> None:
    found = rows_by(np.array(labels, dtype=np.int64))
    assert sum(map(len, found.values())) == len(labels)
    assert all((np.array(labels)[rows] == label).all() for label, rows in found.items())
