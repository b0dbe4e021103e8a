"""The share that a gain is of another gain, with its interval over speakers."""

import math

import numpy as np

from ..metrics import Metric
from .intervals import UNKNOWN, Estimate, Interval, reach_of, resampled_scores, resamples_for

__all__ = ["share_in_words", "share_of_gain"]


def share_of_gain(metric: Metric, some: np.ndarray, everything: np.ndarray, nothing: np.ndarray) -> Estimate:
    """The share that the gain of one system is of the gain of another, both over a third, paired by speaker.

    The interval has Fieller's limits (E. Fieller: Some Problems in Interval Estimation, JRSS B 16(2), 1954) with
    covariances of the bootstrap over speakers and Student's t. A quotient of resamples has no mean where the divisor
    may be 0; Fieller's limits are unknown exactly there: where the interval of the whole gain includes 0.

    Args:
        metric: Whose scores.
        some: Sums of the first system of each draw and speaker, shape (draws, S, ...).
        everything: The same of the second system; the numbers of draws may differ.
        nothing: The same of the third system.

    Returns:
        The share; NaN where there is no gain of the second system.
    """
    n_speakers = some.shape[1]
    sides = (some, everything, nothing)
    scores = [float(metric.value(sums.sum(axis=1)).mean()) for sums in sides]
    part, whole = scores[0] - scores[2], scores[1] - scores[2]
    gains_whole = whole > 0 if metric.higher_is_better else whole < 0
    if not gains_whole:
        return Estimate(math.nan, UNKNOWN)
    if n_speakers < 2:
        return Estimate(part / whole, UNKNOWN)
    drawn = resamples_for(metric, n_speakers)
    of_some, of_all, of_none = (
        np.mean([resampled_scores(metric, drawn, seed) for seed in side], axis=0) for side in sides
    )
    gains = np.stack([of_some - of_none, of_all - of_none])
    gains = gains[:, np.isfinite(gains).all(axis=0)]
    if gains.shape[1] < 2:
        return Estimate(part / whole, UNKNOWN)
    return Estimate(part / whole, _fieller(part, whole, np.cov(gains, bias=True), reach_of(n_speakers)))


def share_in_words(share: Estimate) -> str:
    """A share as tables show it.

    >>> share_in_words(Estimate(0.625, Interval(0.4, 0.9))), share_in_words(Estimate(0.625, UNKNOWN))
    ('0.62 [0.40, 0.90]', '0.62 [unknown]')
    """
    ends = f"{share.interval.low:.2f}, {share.interval.high:.2f}" if share.interval.known else "unknown"
    return f"{share.value:.2f} [{ends}]"


def _fieller(part: float, whole: float, covariance: np.ndarray, reach: float) -> Interval:
    """Limits of part / whole: all r for which part - r * whole is less than `reach` standard errors from 0.

    >>> str(_fieller(1.0, 2.0, np.diag([0.01, 0.01]), 2.0)), str(_fieller(1.0, 2.0, np.diag([0.01, 1.0]), 2.0))
    ('[0.393, 0.618]', 'unknown')
    """
    (of_part, of_both), (_, of_whole) = covariance * reach**2
    square = whole**2 - of_whole
    if square <= 0:
        return UNKNOWN
    middle = part * whole - of_both
    half = math.sqrt(max(middle**2 - square * (part**2 - of_part), 0.0))
    return Interval((middle - half) / square, (middle + half) / square)
