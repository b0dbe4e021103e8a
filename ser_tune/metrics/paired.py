"""Whether one system is better than another on the same utterances: everything is paired by speaker."""

from dataclasses import dataclass

import numpy as np

from .bootstrap import SEED, UNKNOWN, Interval, margin, pooled_scores, resamples, speaker_confusions

__all__ = [
    "MAX_STATISTIC",
    "PERMUTATION_TEST",
    "PairedComparison",
    "choice_p_value",
    "compare_paired",
    "mean_interval",
]

PERMUTATION_TEST = "two-sided paired permutation test over speakers, statistic: difference of pooled UAR"
"""What `PairedComparison.p_value` is of. P. Good: Permutation, Parametric, and Bootstrap Tests of Hypotheses, Springer,
2005; where swaps are drawn, approximate randomisation: E. Noreen: Computer-Intensive Methods for Testing Hypotheses,
Wiley, 1989."""
MAX_STATISTIC = "the same test with the largest difference of any configuration that was searched"
"""What `choice_p_value` is of. P. Westfall, S. Young: Resampling-Based Multiple Testing, Wiley, 1993 (single-step
maxT)."""
ENUMERATED_SPEAKERS = 14
"""With so many or fewer, all swaps are looked at."""
DRAWN_SWAPS = 10_000
_SAME = 1e-12
"""Differences that only rounding makes are none."""


@dataclass(frozen=True, slots=True)
class PairedComparison:
    """System A against system B."""

    uar_difference: float
    """Pooled UAR of A minus that of B."""
    uar_interval: Interval
    """Of the difference, 95 %, by bootstrap over speakers; unknown with one speaker."""
    wa_difference: float
    wa_interval: Interval
    p_value: float
    """Of `PERMUTATION_TEST`. With S speakers it cannot be below 2 / 2**S: five never fall below 0.05."""
    effect_size: float | None
    """Cohen's d_z: mean over standard deviation (S - 1) of the speakers' differences of UAR, each over the classes that
    the speaker has. 0 where no speaker differs; None where it has no value: one speaker, or all differ alike."""
    n_speakers: int


def compare_paired(
    truth: np.ndarray, predicted_a: np.ndarray, predicted_b: np.ndarray, speakers: np.ndarray, n_classes: int
) -> PairedComparison:
    """Compare what two systems say of the same utterances.

    Args:
        truth: Class numbers, shape (N,), N ≥ 1.
        predicted_a: Class numbers by system A, shape (N,).
        predicted_b: Class numbers by system B, shape (N,).
        speakers: A number for each utterance's speaker, shape (N,).
        n_classes: K.

    A is right about both utterances of three speakers, B about the first only. All three differences are 0.5, which is
    one of two extreme swaps of eight:

    >>> truth, speakers = np.array([0, 1] * 3), np.array([0, 0, 1, 1, 2, 2])
    >>> compared = compare_paired(truth, truth, np.zeros(6, dtype=int), speakers, 2)
    >>> compared.uar_difference, compared.p_value, compared.effect_size
    (0.5, 0.25, None)
    """
    in_a, in_b = (speaker_confusions(truth, one, speakers, n_classes) for one in (predicted_a, predicted_b))
    totals = in_a.sum(axis=2)
    hits_a, hits_b = in_a.diagonal(axis1=1, axis2=2), in_b.diagonal(axis1=1, axis2=2)
    drawn = resamples(len(totals))
    pairs = zip(
        _differences(hits_a.sum(axis=0), hits_b.sum(axis=0), totals.sum(axis=0)),
        _differences(drawn @ hits_a, drawn @ hits_b, drawn @ totals),
        strict=True,
    )
    (uar, uar_interval), (wa, wa_interval) = (
        (float(point), _around(float(point), resampled, len(totals))) for point, resampled in pairs
    )
    return PairedComparison(
        uar_difference=uar,
        uar_interval=uar_interval,
        wa_difference=wa,
        wa_interval=wa_interval,
        p_value=_p_value(hits_a - hits_b, totals),
        effect_size=_effect_size(_differences(hits_a, hits_b, totals)[0]),
        n_speakers=len(totals),
    )


def choice_p_value(ours: np.ndarray, theirs: np.ndarray) -> float:
    """The p-value of two results that were chosen for their scores on the speakers that are compared.

    The best of many configurations is better than another result by its luck. Where A and B are swapped speaker by
    speaker, all configurations are: the p-value is the fraction of swaps in which any of A's configurations differs
    from B as much as the chosen ones do, or any of B's from A.

    Args:
        ours: Confusion matrices by speaker, shape (A, S, K, K): of the chosen result, then of those that it was chosen
            among. Of several seeds their mean.
        theirs: The same of the other result, shape (B, S, K, K).

    A is better for two of three speakers: half of the swaps are as far apart. A configuration that A was chosen among
    is better for one of these and worse for the third, and as far apart in half of the other swaps:

    >>> r, w = np.diag([1, 1]), np.array([[1, 0], [1, 0]])  # all right, and half of it wrong
    >>> best, other, theirs = np.array([[r, r, r], [w, r, w], [w, w, r]])
    >>> choice_p_value(best[None], theirs[None]), choice_p_value(np.stack([best, other]), theirs[None])
    (0.5, 0.75)
    """
    totals = ours[0].sum(axis=2)
    in_a, in_b = (one.diagonal(axis1=2, axis2=3) for one in (ours, theirs))
    shares = np.stack([_shares(one, totals) for one in (*(in_a - in_b[0]), *(in_a[0] - in_b[1:]))])
    swapped, every = _swaps(shares.shape[1])
    largest = np.abs((1 - 2 * swapped) @ shares.T).max(axis=1)
    return _fraction(largest, abs(float(shares[0].sum())), every=every)


def mean_interval(differences: np.ndarray) -> Interval:
    """The 95 % interval of the mean of the speakers' differences, by bootstrap over speakers.

    Args:
        differences: One for each speaker, shape (S,), between -1 and 1.

    >>> str(mean_interval(np.array([0.1, 0.0, 0.2])))
    '[-0.148, 0.348]'
    """
    return _around(
        float(differences.mean()), resamples(len(differences)) @ differences / len(differences), len(differences)
    )


def _differences(hits_a: np.ndarray, hits_b: np.ndarray, totals: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """A minus B of UAR and of WA, each of shape (...), from counts of shape (..., K)."""
    (uar_a, wa_a), (uar_b, wa_b) = pooled_scores(hits_a, totals), pooled_scores(hits_b, totals)
    return uar_a - uar_b, wa_a - wa_b


def _around(point: float, resampled: np.ndarray, n_speakers: int) -> Interval:
    """The t interval of a difference, within -1 to 1."""
    if n_speakers < 2:
        return UNKNOWN
    half = margin(resampled, n_speakers)
    return Interval(max(-1.0, point - half), min(1.0, point + half))


def _p_value(gained: np.ndarray, totals: np.ndarray) -> float:
    """Swap A and B speaker by speaker, and count the swaps that differ as much as what was seen.

    Args:
        gained: Utterances that A has right more than B, shape (S, K).
        totals: Utterances, shape (S, K).
    """
    shares = _shares(gained, totals)
    swapped, every = _swaps(len(shares))
    return _fraction(np.abs((1 - 2 * swapped) @ shares), abs(float(shares.sum())), every=every)


def _shares(gained: np.ndarray, totals: np.ndarray) -> np.ndarray:
    """What each speaker adds to the difference of pooled UAR, shape (S,); to swap A and B is to turn a sign."""
    occurring = totals.sum(axis=0)
    shares: np.ndarray = (gained / np.maximum(occurring, 1)).sum(axis=1) / (occurring > 0).sum()
    return shares


def _swaps(n_speakers: int) -> tuple[np.ndarray, bool]:
    """Whose A and B are swapped, 0 or 1, shape (swaps, S); and whether these are all swaps."""
    if n_speakers <= ENUMERATED_SPEAKERS:
        return (np.arange(2**n_speakers)[:, np.newaxis] >> np.arange(n_speakers)) & 1, True
    return np.random.default_rng(SEED).integers(2, size=(DRAWN_SWAPS, n_speakers)), False


def _fraction(of_swaps: np.ndarray, seen: float, *, every: bool) -> float:
    """Of the swaps, those that differ as much as what was seen."""
    as_far = int((of_swaps >= seen - _SAME).sum())
    return as_far / len(of_swaps) if every else (as_far + 1) / (len(of_swaps) + 1)


def _effect_size(differences: np.ndarray) -> float | None:
    """Cohen's d_z of the speakers' differences, shape (S,)."""
    if np.abs(differences).max() < _SAME:
        return 0.0
    if np.ptp(differences) < _SAME:
        return None
    return float(differences.mean() / differences.std(ddof=1))
