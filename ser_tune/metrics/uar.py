"""`uar`: unweighted average recall, also called UA."""

import numpy as np

from .base import Metric
from .confusions import confusions, hits_and_totals, recalls_of

__all__ = ["METRIC"]


def unweighted_average_recall(counts: np.ndarray) -> np.ndarray:
    """The mean recall of the classes that occur; a class that does not occur is left out, never counted as 0 or 1.

    Args:
        counts: Confusion matrices, shape (..., K, K): rows are the truth.

    Two of three right and one of one right, and a class that only the predictions have:

    >>> round(float(unweighted_average_recall(np.array([[2, 0, 1], [0, 1, 0], [0, 0, 0]]))), 4)
    0.8333
    """
    hits, totals = hits_and_totals(counts)
    occurring: np.ndarray = (totals > 0).sum(axis=-1)
    uar: np.ndarray = (hits / np.maximum(totals, 1)).sum(axis=-1) / occurring
    return uar


METRIC = Metric(
    name="uar",
    title="UAR",
    description="the mean recall of the {answer}s that occur, over all held-out utterances pooled",
    sums=confusions,
    value=unweighted_average_recall,
    part="recall",
    parts=recalls_of,
    chance=lambda outputs: 1 / outputs,
    hub="recall",
    citation="B. Schuller et al.: The INTERSPEECH 2009 Emotion Challenge, Interspeech 2009",
)
