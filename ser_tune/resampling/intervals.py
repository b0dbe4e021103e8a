"""95 % intervals of pooled scores, by bootstrap over speakers.

Utterances of one speaker are alike, so speakers are what is drawn with replacement, each with all utterances
(C. Field, A. Welsh: Bootstrapping clustered data, JRSS B 69(3), 2007). A score between 0 and 1, p, whose standard
deviation over the resamples is s has the interval

    expit(logit(p) ± t(0.975; S - 1) · sqrt(S / (S - 1)) · s / (p (1 - p)))

for S speakers: Student's t with the bootstrap's standard error, corrected for the bootstrap's being too narrow in small
samples (T. Hesterberg: What Teachers Should Know About the Bootstrap, The American Statistician 69(4), 2015), on the
logit scale, which keeps it within 0 to 1 (L. Brown, T. Cai, A. DasGupta: Interval Estimation for a Binomial
Proportion, Statistical Science 16(2), 2001). Of another range, it is that of the place within the range.

Corpora have few speakers. Percentiles of the resamples then cover too little, also with Hesterberg's expansion, as
four speakers have no resample further out. Share of 4000 intervals of each kind that held the population's UAR, 0.671
(seven classes, about 60 utterances a speaker; `coverage` in `tests/resampling/test_intervals.py` simulates them):

| speakers | this | percentiles | BCa | expanded percentiles |
|---|---|---|---|---|
| 4 | 0.948 | 0.791 | 0.788 | 0.882 |
| 6 | 0.936 | 0.842 | 0.832 | 0.927 |
| 10 | 0.947 | 0.900 | 0.887 | 0.947 |
| 24 | 0.934 | 0.918 | 0.913 | 0.938 |

Bootstrap-t covers as well, with intervals nearly twice as wide where speakers are four. Where hardly anything is wrong
no interval helps: of a population UAR of 0.99, four speakers are often right throughout, and this covers about 0.65.

Correlations are quotients of variances, and of few speakers the bootstrap finds too little variance. Their standard
error is the larger of the bootstrap's and the jackknife's, so that

    arctanh(r) ± t(0.975; S - 1) · max(√(S / (S - 1)) · s, √((S - 1) / S · Σ (r_i - mean r_i)²)) / (1 - r²)

is the interval of a correlation r, r_i being that without speaker i (B. Efron, C. Stein: The Jackknife Estimate of
Variance, Annals of Statistics 9(3), 1981). Share of 4000 intervals that held the population's CCC, which is 0.70 and
0.56 (about 40 utterances a speaker; `coverage` in `tests/resampling/test_ccc_intervals.py`); the bootstrap alone had
0.93 to 0.94, with large offsets 0.91 to 0.93:

| speakers | usual | predictions with large offsets of the speakers |
|---|---|---|
| 6 | 0.943 | 0.943 |
| 10 | 0.937 | 0.938 |
| 24 | 0.943 | 0.934 |
"""

import math
from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from ..metrics import Metric

__all__ = [
    "UNKNOWN",
    "Estimate",
    "Interval",
    "condition_interval",
    "corpus_interval",
    "fold_interval",
    "seed_interval",
    "speaker_interval",
]

CONFIDENCE = 0.95
RESAMPLES = 10_000
FEWER_RESAMPLES = 2_000
"""Resamples for metrics with large sums, and for many units: widths of intervals are then known to 2 %."""
MANY = 10_000
"""Units above which there are fewer resamples: memory and time grow with their product."""
DRAWN_AT_ONCE = 500
BLOCK = 1_000_000
"""Numbers of resampled sums that are held at once."""
LARGEST_BLOCK = RESAMPLES * 5_000
"""Counts of resamples that are multiplied at once."""
FEWEST_CORPORA = 5
"""Corpora that are drawn at least."""
SEED = 0
"""Seed of the resamples: the same predictions have the same interval."""


@dataclass(frozen=True, slots=True)
class Interval:
    """A confidence interval, of 95 % by default; both ends are NaN where the speakers do not determine it."""

    low: float
    high: float

    @property
    def known(self) -> bool:
        """Whether there is an interval."""
        return not math.isnan(self.low)

    def __str__(self) -> str:
        """As tables show it."""
        return f"[{self.low:.3f}, {self.high:.3f}]" if self.known else "unknown"


UNKNOWN = Interval(math.nan, math.nan)


@dataclass(frozen=True, slots=True)
class Estimate:
    """A score, or a difference of scores."""

    value: float
    interval: Interval
    """95 %, by bootstrap over speakers; unknown with one speaker."""


@lru_cache(maxsize=2)  # of thousands of speakers, each takes 10 MB and more
def resamples(n: int, stream: int = 0) -> np.ndarray:
    """Counts of each of n units in every resample, shape (R, n), uint8; another stream draws independently.

    R is `RESAMPLES`; of more than `MANY` units, which recordings without speakers can be, `FEWER_RESAMPLES`.
    """
    rng, shares = np.random.default_rng([SEED, stream]), np.full(n, 1 / n)
    drawn = np.empty((FEWER_RESAMPLES if n > MANY else RESAMPLES, n), dtype=np.uint8)  # a unit is drawn a few times
    for begin in range(0, len(drawn), DRAWN_AT_ONCE):  # not all at once: they would take eight times the memory
        block = drawn[begin : begin + DRAWN_AT_ONCE]
        block[:] = rng.multinomial(n, shares, size=len(block))
    drawn.flags.writeable = False  # the cache gives the same array to every caller
    return drawn


def resamples_for(metric: Metric, n: int) -> np.ndarray:
    """Counts of each of n units in the resamples that a metric is computed on, shape (R, n)."""
    return resamples(n) if metric.condensed is None else resamples(n)[:FEWER_RESAMPLES]


def margin(resampled: np.ndarray, n_speakers: int, confidence: float = CONFIDENCE) -> float:
    """Half the width of the t interval with the bootstrap's standard error; NaN where no resample has the statistic.

    Args:
        resampled: The statistic of every resample that has it, shape (R,).
        n_speakers: S, at least 2.
        confidence: Of the interval, as a fraction.
    """
    return reach_of(n_speakers, confidence) * float(resampled.std()) if len(resampled) else math.nan


def reach_of(n_speakers: int, confidence: float = CONFIDENCE) -> float:
    """Half the width of the t interval, in standard errors of the bootstrap over S speakers, at least 2."""
    from scipy.special import stdtrit  # half a second, and listing scores needs none of it

    return float(stdtrit(n_speakers - 1, (1 + confidence) / 2)) * math.sqrt(n_speakers / (n_speakers - 1))


def speaker_interval(metric: Metric, sums: np.ndarray) -> Interval:
    """The interval of a pooled score.

    Args:
        metric: Whose score.
        sums: Of each speaker, shape (S, ...).

    Returns:
        Unknown where there is one speaker, and where no resample differs: all speakers right throughout, or a network
        that always predicts the same class.

    Two speakers of ten utterances, one half right and one all right, leave nearly everything open:

    >>> from ser_tune.metrics import METRICS
    >>> found = speaker_interval(METRICS.get("uar"), np.array([[[3, 2], [3, 2]], [[5, 0], [0, 5]]]))
    >>> round(found.low, 2), round(found.high, 2)
    (0.0, 1.0)
    """
    return seed_interval(metric, sums[np.newaxis])


def seed_interval(metric: Metric, sums: np.ndarray, confidence: float = CONFIDENCE) -> Interval:
    """The interval of a pooled score's mean over several seeds that judged the same utterances.

    Speakers, the same for all seeds, and seeds are drawn independently (A. Owen: The pigeonhole bootstrap, Annals of
    Applied Statistics 1(2), 2007). Measured coverage with 2 or 5 seeds and 4 to 24 speakers: 0.92 to 0.99.

    Args:
        metric: Whose score.
        sums: Of each seed and speaker, shape (seeds, S, ...).
        confidence: As a fraction.

    Returns:
        As `speaker_interval`, which it is with one seed.

    >>> from ser_tune.metrics import METRICS
    >>> uar, sums = METRICS.get("uar"), np.array([[[4, 1], [2, 3]], [[5, 0], [1, 4]], [[3, 2], [1, 4]]])
    >>> seed_interval(uar, np.stack([sums, sums])) == speaker_interval(uar, sums)
    True
    """
    n_speakers = sums.shape[1]
    if n_speakers < 2:
        return UNKNOWN
    resampled = np.stack([resampled_scores(metric, resamples_for(metric, n_speakers), of_seed) for of_seed in sums])
    without = np.mean([left_out_scores(metric, seed) for seed in sums], axis=0)
    half = max(_margin_of_means(resampled, n_speakers, confidence), jackknife_margin(without, confidence))
    return score_interval(metric, float(metric.value(sums.sum(axis=1)).mean()), half)


def condition_interval(metric: Metric, sums: np.ndarray) -> Interval:
    """The 95 % interval of the mean of pooled scores over conditions, in which the same speakers were judged.

    Args:
        metric: Whose scores.
        sums: Of each condition and speaker, shape (conditions, S, ...).

    >>> from ser_tune.metrics import METRICS
    >>> sums = np.array([[[4, 1], [2, 3]], [[5, 0], [1, 4]], [[3, 2], [1, 4]]])
    >>> uar = METRICS.get("uar")
    >>> condition_interval(uar, sums[np.newaxis]) == speaker_interval(uar, sums)
    True
    """
    n_speakers = sums.shape[1]
    if n_speakers < 2:
        return UNKNOWN
    drawn = resamples_for(metric, n_speakers)
    mean = np.mean([resampled_scores(metric, drawn, own) for own in sums], axis=0)
    without = np.mean([left_out_scores(metric, own) for own in sums], axis=0)
    half = max(margin(mean[~np.isnan(mean)], n_speakers), jackknife_margin(without))
    return score_interval(metric, float(metric.value(sums.sum(axis=1)).mean()), half)


def fold_interval(metric: Metric, sums: np.ndarray, confidence: float = CONFIDENCE) -> Interval:
    """The interval of the mean over folds of the folds' scores, averaged over seeds.

    As `seed_interval`, with folds drawn instead of speakers: a fold's score is over the targets that the fold has.

    Args:
        metric: Whose score.
        sums: Of each seed and fold, shape (seeds, F, ...).
        confidence: As a fraction.

    >>> from ser_tune.metrics import METRICS
    >>> sums = np.array([[[4, 1], [2, 3]], [[5, 0], [1, 4]], [[3, 2], [1, 4]]])
    >>> str(fold_interval(METRICS.get("uar"), sums[np.newaxis]))
    '[0.398, 0.942]'
    """
    return UNKNOWN if sums.shape[1] < 2 else _interval_of_means(metric, metric.value(sums), confidence)


def corpus_interval(metric: Metric, scores: np.ndarray) -> Interval:
    """The 95 % interval of the mean over corpora of their scores, shape (P,), by bootstrap over corpora.

    Returns:
        Unknown of fewer than five corpora, whose resamples are too much alike.

    >>> from ser_tune.metrics import METRICS
    >>> uar = METRICS.get("uar")
    >>> str(corpus_interval(uar, np.array([0.5, 0.6, 0.7, 0.4, 0.55])))
    '[0.411, 0.682]'
    >>> corpus_interval(uar, np.array([0.5, 0.6, 0.7])).known
    False
    """
    return UNKNOWN if len(scores) < FEWEST_CORPORA else _interval_of_means(metric, scores[np.newaxis], CONFIDENCE)


def _interval_of_means(metric: Metric, scores: np.ndarray, confidence: float) -> Interval:
    """The interval of the mean score over drawn units, such as folds, and seeds, from scores (seeds, units)."""
    units = scores.shape[1]
    half = _margin_of_means(scores @ resamples(units).T / units, units, confidence)
    return score_interval(metric, float(scores.mean(axis=1).mean()), half)


def resampled_sums(drawn: np.ndarray, sums: np.ndarray) -> np.ndarray:
    """The sums of resamples, shape (R, ...).

    Args:
        drawn: How often each speaker is drawn, shape (R, S).
        sums: Of each speaker, shape (S, ...).
    """
    counts = drawn.astype(np.float64)  # products of integers are ten times slower
    summed: np.ndarray = (counts @ sums.reshape(len(sums), -1)).reshape(-1, *sums.shape[1:])
    return summed


def resampled_scores(metric: Metric, drawn: np.ndarray, sums: np.ndarray) -> np.ndarray:
    """The score of each resample, shape (R, ...).

    Args:
        metric: Whose score.
        drawn: How often each speaker is drawn, shape (R, S).
        sums: Of each speaker, shape (S, ...).
    """
    fewer = sums if metric.condensed is None else metric.condensed(sums)
    at_once = max(1, BLOCK // math.prod(fewer.shape[1:]))
    at_once = min(at_once, max(1, LARGEST_BLOCK // len(fewer)))  # counts are multiplied as float64
    blocks = (drawn[begin : begin + at_once] for begin in range(0, len(drawn), at_once))
    return np.concatenate([metric.value(resampled_sums(block, fewer)) for block in blocks])


def left_out_scores(metric: Metric, sums: np.ndarray) -> np.ndarray:
    """The score without each speaker, shape (S,), from the sums of each speaker, shape (S, ...).

    Of a metric without `jackknife` all are 0, so that `jackknife_margin` is.
    """
    if not metric.jackknife:
        return np.zeros(len(sums))
    with np.errstate(invalid="ignore", divide="ignore"):  # a speaker who is a whole group
        without: np.ndarray = metric.value(sums.sum(axis=0) - sums)
    return without


def jackknife_margin(left_out: np.ndarray, confidence: float = CONFIDENCE) -> float:
    """Half the width of the t interval with the jackknife's standard error; NaN where a score is missing.

    `max(half, jackknife_margin(...))` is then `half`.

    Args:
        left_out: The statistic without each speaker, shape (S,), S at least 2.
        confidence: Of the interval, as a fraction.
    """
    n_speakers = len(left_out)
    return reach_of(n_speakers, confidence) * (n_speakers - 1) / math.sqrt(n_speakers) * float(left_out.std())


def _margin_of_means(resampled: np.ndarray, n_drawn: int, confidence: float) -> float:
    """Half the width of the interval of a mean over seeds, which are drawn as well.

    Args:
        resampled: The score of each seed and resample of speakers or folds, shape (seeds, R).
        n_drawn: How many speakers or folds there are.
        confidence: As a fraction.
    """
    n_seeds, n_resamples = resampled.shape
    seeds = resamples(n_seeds, stream=1)[:n_resamples].T / float(n_seeds)
    means = (seeds * resampled).sum(axis=0)
    return margin(means[np.isfinite(means)], n_drawn, confidence)


def score_interval(metric: Metric, point: float, half: float) -> Interval:
    """The interval of a score, symmetric on its metric's scale, from half its width."""
    if not half >= 1e-12 or math.isnan(point):  # where no resample differs, other speakers still may; NaN is unknown
        return UNKNOWN
    if metric.scale == "linear":
        return Interval(max(metric.low, point - half), min(metric.high, point + half))
    from scipy.special import expit, logit

    width = metric.high - metric.low
    place = (point - metric.low) / width
    if not 0 < place < 1:
        return UNKNOWN
    centre, reach = logit(place), half / width / (place * (1 - place))
    return Interval(*(metric.low + width * float(expit(end)) for end in (centre - reach, centre + reach)))


def difference_interval(metric: Metric, value: float, half: float) -> Interval:
    """The interval of a difference of two scores, within what differences there can be; of NaN it is unknown."""
    if math.isnan(half) or math.isnan(value):
        return UNKNOWN
    width = metric.high - metric.low
    return Interval(max(-width, value - half), min(width, value + half))
