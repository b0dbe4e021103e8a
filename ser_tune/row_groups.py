"""Rows by their label, such as utterances by their speaker: in one pass, however many labels there are."""

from collections.abc import Sequence
from typing import Any

import numpy as np

__all__ = ["rows_by"]


def rows_by(labels: Sequence[Any] | np.ndarray) -> dict[Any, np.ndarray]:
    """The rows of each label, ascending; labels are sorted.

    >>> {name: rows.tolist() for name, rows in rows_by(["b", "a", "b"]).items()}
    {'a': [1], 'b': [0, 2]}
    """
    names, numbers, counts = np.unique(labels, return_inverse=True, return_counts=True)
    rows = np.split(np.argsort(numbers, kind="stable"), np.cumsum(counts)[:-1])
    return dict(zip(names.tolist(), rows, strict=False))  # no labels have a single split, of no rows
