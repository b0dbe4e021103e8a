"""Comparison of two systems on the same utterances, paired by speaker."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from ..metrics import Metric, Ranking
from .intervals import (
    SEED,
    UNKNOWN,
    Estimate,
    Interval,
    difference_interval,
    jackknife_margin,
    left_out_scores,
    margin,
    resampled_scores,
    resamples,
    resamples_for,
)
from .scores import sums_of

__all__ = [
    "MAX_STATISTIC",
    "PairedComparison",
    "choice_p_value",
    "compare_paired",
    "mean_interval",
    "paired_difference",
    "part_differences",
    "permutation_test",
]

MAX_STATISTIC = "the same test with the largest difference of any configuration that was searched"
"""The test of `choice_p_value`: P. Westfall, S. Young: Resampling-Based Multiple Testing, Wiley, 1993 (single-step
maxT)."""
ENUMERATED_SPEAKERS = 14
"""With so many or fewer, all swaps are tried."""
DRAWN_SWAPS = 10_000
_SAME = 1e-12
"""Smaller differences are rounding errors."""


@dataclass(frozen=True, slots=True)
class PairedComparison:
    """System A against system B."""

    differences: Mapping[str, Estimate]
    """Pooled score of A minus that of B, by the metric's name; the first is tested."""
    p_value: float
    """From `permutation_test`. With S speakers it cannot be below 2 / 2**S: five never fall below 0.05."""
    effect_size: float | None
    """Cohen's d_z: mean over standard deviation (S - 1) of the speakers' differences, each over the targets that the
    speaker has. 0 where no speaker differs; None where it has no value: one speaker, or all differ alike."""
    n_speakers: int

    @property
    def primary(self) -> Estimate:
        """The difference that is tested."""
        return next(iter(self.differences.values()))


def permutation_test(metric: Metric) -> str:
    """The name of the test of `PairedComparison.p_value`.

    P. Good: Permutation, Parametric, and Bootstrap Tests of Hypotheses, Springer, 2005; where swaps are drawn,
    approximate randomisation: E. Noreen: Computer-Intensive Methods for Testing Hypotheses, Wiley, 1989.
    """
    return f"two-sided paired permutation test over speakers, statistic: difference of pooled {metric.title}"


def compare_paired(
    truth: np.ndarray,
    predicted_a: Sequence[np.ndarray],
    predicted_b: Sequence[np.ndarray],
    speakers: np.ndarray,
    metrics: Sequence[Metric],
    outputs: int,
) -> PairedComparison:
    """Compare the mean scores of two systems over their seeds; the numbers of seeds may differ.

    The interval is over speakers only: the seeds are fixed.

    Args:
        truth: Targets, shape (N, ...), N ≥ 1.
        predicted_a: Predictions by system A, shape (N, ...), of each seed.
        predicted_b: Predictions by system B, shape (N, ...), of each seed.
        speakers: A number for each utterance's speaker, shape (N,).
        metrics: The first is tested.
        outputs: K, the number of the task's outputs.

    A is right about both utterances of three speakers, B about the first only. All three differences are 0.5, which is
    one of two extreme swaps of eight:

    >>> from ser_tune.metrics import METRICS
    >>> truth, speakers = np.array([0, 1] * 3), np.array([0, 0, 1, 1, 2, 2])
    >>> compared = compare_paired(truth, [truth], [np.zeros(6, dtype=int)], speakers, [METRICS.get("uar")], 2)
    >>> compared.primary.value, compared.p_value, compared.effect_size
    (0.5, 0.25, None)
    """

    def sums(metric: Metric) -> list[np.ndarray]:
        """The sums of each seed and speaker, shape (seeds, S, ...), of A and of B."""
        sides = (predicted_a, predicted_b)
        return [np.stack([sums_of(metric, truth, seed, speakers, outputs) for seed in side]) for side in sides]

    tested, *others = metrics
    in_a, in_b = sums(tested)
    return PairedComparison(
        differences={
            tested.name: paired_difference(tested, in_a, in_b),
            **{metric.name: paired_difference(metric, *sums(metric)) for metric in others},
        },
        p_value=_p_value(tested, in_a, in_b),
        effect_size=_effect_size(tested.value(in_a).mean(axis=0) - tested.value(in_b).mean(axis=0)),
        n_speakers=in_a.shape[1],
    )


def paired_difference(metric: Metric, in_a: np.ndarray, in_b: np.ndarray) -> Estimate:
    """The difference of two systems' scores, as `compare_paired` has it, from their sums.

    Args:
        metric: Whose scores.
        in_a: Sums of system A of each seed and speaker, shape (seeds, S, ...).
        in_b: The same of system B, on the same utterances; the numbers of seeds may differ.
    """
    drawn = resamples_for(metric, in_a.shape[1])
    point = _mean_score(metric, in_a) - _mean_score(metric, in_b)
    of_a, of_b = (np.mean([resampled_scores(metric, drawn, seed) for seed in side], axis=0) for side in (in_a, in_b))
    left_a, left_b = (np.mean([left_out_scores(metric, seed) for seed in side], axis=0) for side in (in_a, in_b))
    return Estimate(point, _around(metric, point, of_a - of_b, left_a - left_b))


def part_differences(
    truth: np.ndarray,
    predicted_a: Sequence[np.ndarray],
    predicted_b: Sequence[np.ndarray],
    speakers: np.ndarray,
    metric: Metric,
    outputs: int,
) -> dict[int, Estimate]:
    """Differences of two systems' values for each output, such as the recalls of a class, with their intervals.

    Of class numbers, those of the metric over the utterances of each class, whose speakers are drawn. Arguments are
    those of `compare_paired`.

    Returns:
        Output to the value of A minus that of B; outputs that have no value are missing.

    A is right about the three anger utterances, B about one of them; both are right about joy:

    >>> from ser_tune.metrics import METRICS
    >>> truth, theirs = np.array([0, 1] * 3), np.array([0, 1, 1, 1, 1, 1])
    >>> found = part_differences(truth, [truth], [theirs], np.array([0, 0, 1, 1, 2, 2]), METRICS.get("uar"), 2)
    >>> [(output, round(difference.value, 3)) for output, difference in found.items()]
    [(0, 0.667), (1, 0.0)]
    """

    def sums(seeds: Sequence[np.ndarray], own: np.ndarray) -> np.ndarray:
        return np.stack([sums_of(metric, truth[own], seed[own], speakers[own], outputs) for seed in seeds])

    parts, every = metric.parts, np.arange(len(truth))
    if truth.ndim == 1:
        rows = {int(label): np.flatnonzero(truth == label) for label in np.unique(truth)}
        return {
            label: paired_difference(metric, sums(predicted_a, own), sums(predicted_b, own))
            for label, own in rows.items()
        }
    if parts is None:
        return {}
    in_a, in_b = sums(predicted_a, every), sums(predicted_b, every)

    def difference_of(output: int) -> Estimate:
        value = lambda summed: parts(summed)[..., output]  # noqa: E731
        return paired_difference(replace(metric, value=value, condensed=None), in_a, in_b)

    found = {output: difference_of(output) for output in range(parts(in_a[0].sum(axis=0)).shape[-1])}
    return {output: difference for output, difference in found.items() if not np.isnan(difference.value)}


def choice_p_value(metric: Metric, ours: np.ndarray, theirs: np.ndarray) -> float:
    """The p-value of two results that were chosen for their scores on the speakers that are compared.

    The best of many configurations is better than another result by chance. Where A and B are swapped speaker by
    speaker, all configurations are: the p-value is the fraction of swaps in which any of A's configurations differs
    from B as much as the chosen ones do, or any of B's from A.

    Args:
        metric: What is compared.
        ours: Sums by speaker, shape (A, S, ...): of the chosen result, then of those that it was chosen among. Of
            several seeds their mean.
        theirs: The same of the other result, shape (B, S, ...).

    Returns:
        1 where either result has no score: nothing was seen that swaps could explain.

    A is better for two of three speakers: half of the swaps are as far apart. A configuration that A was chosen among
    is better for one of these and worse for the third, and as far apart in half of the other swaps:

    >>> from ser_tune.metrics import METRICS
    >>> r, w = np.diag([1, 1]), np.array([[1, 0], [1, 0]])  # all right, and half of it wrong
    >>> best, other, theirs = np.array([[r, r, r], [w, r, w], [w, w, r]])
    >>> uar = METRICS.get("uar")
    >>> choice_p_value(uar, best[None], theirs[None]), choice_p_value(uar, np.stack([best, other]), theirs[None])
    (0.5, 0.75)
    """
    seen = abs(float(metric.value(ours[0].sum(axis=0)) - metric.value(theirs[0].sum(axis=0))))
    if Ranking.is_missing(seen):
        return 1.0
    swapped, every = _swaps(ours.shape[1])
    pairs = [*((rival, theirs[0]) for rival in ours), *((ours[0], rival) for rival in theirs[1:])]
    largest = np.zeros(len(swapped))
    for a, b in pairs:
        largest = np.fmax(largest, np.abs(_apart(metric, a, b, swapped)))
    return _fraction(largest, seen, every=every)


def _p_value(metric: Metric, in_a: np.ndarray, in_b: np.ndarray) -> float:
    """The fraction of swaps that differ as much as the seen scores; all seeds of a speaker are swapped together.

    Both arguments are sums, shape (seeds, S, ...).
    """
    seen = abs(_mean_score(metric, in_a) - _mean_score(metric, in_b))
    if Ranking.is_missing(seen):
        return 1.0
    swapped, every = _swaps(in_a.shape[1])
    apart = np.mean([_apart(metric, a, b, swapped) for a in in_a for b in in_b], axis=0)
    return _fraction(np.abs(apart), seen, every=every)


def _mean_score(metric: Metric, sums: np.ndarray) -> float:
    """The mean over seeds of pooled scores, from sums of shape (seeds, S, ...)."""
    return float(metric.value(sums.sum(axis=1)).mean())


def _apart(metric: Metric, a: np.ndarray, b: np.ndarray, swapped: np.ndarray) -> np.ndarray:
    """The difference of two scores in every swap, shape (swaps,); sums are (S, ...), `swapped` is (swaps, S)."""
    both, kept = np.concatenate([a, b]), 1.0 - swapped
    first, second = (np.concatenate(sides, axis=1) for sides in ((kept, swapped), (swapped, kept)))
    apart: np.ndarray = resampled_scores(metric, first, both) - resampled_scores(metric, second, both)
    return apart


def mean_interval(metric: Metric, differences: np.ndarray) -> Interval:
    """The 95 % interval of the mean of the speakers' differences, by bootstrap over speakers.

    Args:
        metric: Whose scores differ.
        differences: One for each speaker, shape (S,).

    >>> from ser_tune.metrics import METRICS
    >>> str(mean_interval(METRICS.get("uar"), np.array([0.1, 0.0, 0.2])))
    '[-0.148, 0.348]'
    """
    resampled = resamples(len(differences)) @ differences / len(differences)
    return _around(metric, float(differences.mean()), resampled, np.zeros(len(differences)))


def _around(metric: Metric, point: float, resampled: np.ndarray, left_out: np.ndarray) -> Interval:
    """The t interval of a difference, from those of resamples (R,) and without each speaker (S,)."""
    n_speakers = len(left_out)
    if n_speakers < 2:
        return UNKNOWN
    half = max(margin(resampled[np.isfinite(resampled)], n_speakers), jackknife_margin(left_out))
    return difference_interval(metric, point, half)


def _swaps(n_speakers: int) -> tuple[np.ndarray, bool]:
    """Speakers whose A and B are swapped, 0 or 1, shape (swaps, S); and whether these are all swaps."""
    if n_speakers <= ENUMERATED_SPEAKERS:
        return (np.arange(2**n_speakers)[:, np.newaxis] >> np.arange(n_speakers)) & 1, True
    return np.random.default_rng(SEED).integers(2, size=(DRAWN_SWAPS, n_speakers)), False


def _fraction(of_swaps: np.ndarray, seen: float, *, every: bool) -> float:
    """The fraction of the swaps that differ at least as much as the seen difference."""
    as_far = int((of_swaps >= seen - _SAME).sum())
    return as_far / len(of_swaps) if every else (as_far + 1) / (len(of_swaps) + 1)


def _effect_size(differences: np.ndarray) -> float | None:
    """Cohen's d_z of the speakers' differences, shape (S,); NaN is left out."""
    differences = differences[~np.isnan(differences)]
    if not len(differences):
        return None
    if np.abs(differences).max() < _SAME:
        return 0.0
    if np.ptp(differences) < _SAME:
        return None
    return float(differences.mean() / differences.std(ddof=1))
