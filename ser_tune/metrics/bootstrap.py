"""How far pooled scores may be from those of all speakers: 95 % intervals, by bootstrap over speakers.

Utterances of one speaker are alike, so speakers are what is drawn with replacement, each with all utterances
(C. Field, A. Welsh: Bootstrapping clustered data, JRSS B 69(3), 2007). A UAR or WA p whose standard deviation over
the resamples is s has the interval

    expit(logit(p) ± t(0.975; S - 1) · sqrt(S / (S - 1)) · s / (p (1 - p)))

for S speakers: Student's t with the bootstrap's standard error, corrected for the bootstrap's being too narrow in small
samples (T. Hesterberg: What Teachers Should Know About the Bootstrap, The American Statistician 69(4), 2015), on the
logit scale, which keeps it within 0 to 1 (L. Brown, T. Cai, A. DasGupta: Interval Estimation for a Binomial
Proportion, Statistical Science 16(2), 2001).

Corpora come with few speakers, where percentiles of the resamples cover too little, also with Hesterberg's expansion,
as four speakers have no resample further out. How many of 4000 intervals of each kind held the population's UAR, 0.671
(seven classes, about 60 utterances a speaker; `coverage` in `tests/metrics/test_bootstrap.py` simulates them):

| speakers | this | percentiles | BCa | expanded percentiles |
|---|---|---|---|---|
| 4 | 0.948 | 0.791 | 0.788 | 0.882 |
| 6 | 0.936 | 0.842 | 0.832 | 0.927 |
| 10 | 0.947 | 0.900 | 0.887 | 0.947 |
| 24 | 0.934 | 0.918 | 0.913 | 0.938 |

Bootstrap-t covers as well, with intervals nearly twice as wide where speakers are four. Where hardly anything is wrong
no interval helps: of a population UAR of 0.99, four speakers are often right throughout, and this covers about 0.65.
"""

import math
from dataclasses import dataclass
from functools import lru_cache

import numpy as np

__all__ = ["Interval", "fold_interval", "seed_intervals", "speaker_confusions", "speaker_intervals"]

CONFIDENCE = 0.95
RESAMPLES = 10_000
SEED = 0
"""Of the resamples: the same predictions have the same interval."""


@dataclass(frozen=True, slots=True)
class Interval:
    """A confidence interval, of 95 % unless told otherwise; both ends are NaN where the speakers cannot tell."""

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


def speaker_confusions(truth: np.ndarray, predicted: np.ndarray, speakers: np.ndarray, n_classes: int) -> np.ndarray:
    """A confusion matrix for each speaker, in the order of their numbers.

    Args:
        truth: Class numbers, shape (N,).
        predicted: Class numbers, shape (N,).
        speakers: A number for each utterance's speaker, shape (N,).
        n_classes: K.

    Returns:
        Counts, shape (S, K, K): rows are the truth, columns the prediction.

    >>> speaker_confusions(np.array([0, 1, 1]), np.array([0, 0, 1]), np.array([7, 7, 3]), 2).tolist()
    [[[0, 0], [0, 1]], [[1, 0], [1, 0]]]
    """
    known, which = np.unique(speakers, return_inverse=True)
    counts = np.zeros((len(known), n_classes, n_classes), dtype=np.int64)
    np.add.at(counts, (which, truth, predicted), 1)
    return counts


def pooled_scores(hits: np.ndarray, totals: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """UAR and WA, each of shape (...), from the utterances that are right and all utterances of each class, (..., K).

    A class that does not occur is left out:

    >>> uar, wa = pooled_scores(np.array([1, 0, 3]), np.array([2, 0, 3]))
    >>> float(uar), float(wa)
    (0.75, 0.8)
    """
    uar = (hits / np.maximum(totals, 1)).sum(axis=-1) / (totals > 0).sum(axis=-1)
    return uar, hits.sum(axis=-1) / totals.sum(axis=-1)


@lru_cache(maxsize=2)  # of thousands of speakers, each takes 100 MB and more
def resamples(n: int, stream: int = 0) -> np.ndarray:
    """How often each of n is drawn in every resample, shape (`RESAMPLES`, n); another stream draws independently."""
    rng = np.random.default_rng([SEED, stream])
    drawn: np.ndarray = rng.multinomial(n, np.full(n, 1 / n), size=RESAMPLES).astype(np.float64)
    drawn.flags.writeable = False  # the cache hands the same one to everybody
    return drawn


def margin(resampled: np.ndarray, n_speakers: int, confidence: float = CONFIDENCE) -> float:
    """Half the width of the t interval with the bootstrap's standard error.

    Args:
        resampled: The statistic of every resample, shape (R,).
        n_speakers: S, at least 2.
        confidence: Of the interval, as a fraction.
    """
    return reach_of(n_speakers, confidence) * float(resampled.std())


def reach_of(n_speakers: int, confidence: float = CONFIDENCE) -> float:
    """Half the width of the t interval, in standard errors of the bootstrap over S speakers, at least 2."""
    from scipy.special import stdtrit  # half a second, and listing scores needs none of it

    return float(stdtrit(n_speakers - 1, (1 + confidence) / 2)) * math.sqrt(n_speakers / (n_speakers - 1))


def speaker_intervals(confusions: np.ndarray) -> tuple[Interval, Interval]:
    """The intervals of pooled UAR and of WA.

    Args:
        confusions: Of each speaker, shape (S, K, K): rows are the truth.

    Returns:
        Unknown where there is one speaker, and where no resample differs: all speakers right throughout, or a network
        that names one class whatever it hears.

    Two speakers of ten utterances, one half right and one all right, leave nearly everything open:

    >>> uar, _ = speaker_intervals(np.array([[[3, 2], [3, 2]], [[5, 0], [0, 5]]]))
    >>> round(uar.low, 2), round(uar.high, 2)
    (0.0, 1.0)
    """
    return seed_intervals(confusions[np.newaxis])


def seed_intervals(confusions: np.ndarray, confidence: float = CONFIDENCE) -> tuple[Interval, Interval]:
    """The intervals of pooled UAR and of WA, each a mean over several seeds that judged the same utterances.

    Speakers, the same for all seeds, and seeds are drawn independently (A. Owen: The pigeonhole bootstrap, Annals of
    Applied Statistics 1(2), 2007). Measured coverage with 2 or 5 seeds and 4 to 24 speakers: 0.92 to 0.99.

    Args:
        confusions: Of each seed and speaker, shape (seeds, S, K, K): rows are the truth.
        confidence: As a fraction.

    Returns:
        As `speaker_intervals`, which it is with one seed.

    >>> one = np.array([[[4, 1], [2, 3]], [[5, 0], [1, 4]], [[3, 2], [1, 4]]])
    >>> seed_intervals(np.stack([one, one])) == speaker_intervals(one)
    True
    """
    n_speakers = confusions.shape[1]
    if n_speakers < 2:
        return UNKNOWN, UNKNOWN
    hits, totals = confusions.diagonal(axis1=2, axis2=3), confusions.sum(axis=3)
    drawn = resamples(n_speakers)
    points = pooled_scores(hits.sum(axis=1), totals.sum(axis=1))
    resampled = pooled_scores(drawn @ hits, drawn @ totals)
    uar, wa = (_of_means(point, one, n_speakers, confidence) for point, one in zip(points, resampled, strict=True))
    return uar, wa


def fold_interval(confusions: np.ndarray, confidence: float = CONFIDENCE) -> Interval:
    """The interval of the mean over folds of the folds' UAR, averaged over seeds.

    As `seed_intervals`, with folds drawn instead of speakers: a fold's UAR is over the classes that the fold has.

    Args:
        confusions: Of each seed and fold, shape (seeds, F, K, K): rows are the truth.
        confidence: As a fraction.

    >>> one = np.array([[[4, 1], [2, 3]], [[5, 0], [1, 4]], [[3, 2], [1, 4]]])
    >>> str(fold_interval(one[np.newaxis]))
    '[0.398, 0.942]'
    """
    n_folds = confusions.shape[1]
    if n_folds < 2:
        return UNKNOWN
    of_folds, _ = pooled_scores(confusions.diagonal(axis1=2, axis2=3), confusions.sum(axis=3))
    return _of_means(of_folds.mean(axis=1), of_folds @ resamples(n_folds).T / n_folds, n_folds, confidence)


def _of_means(points: np.ndarray, resampled: np.ndarray, n_drawn: int, confidence: float) -> Interval:
    """The interval of a mean over seeds, which are drawn as well.

    Args:
        points: The statistic of each seed, shape (seeds,).
        resampled: The same of every resample of speakers or folds, shape (seeds, R).
        n_drawn: How many speakers or folds there are.
        confidence: As a fraction.
    """
    seeds = resamples(len(points), stream=1).T / len(points)
    return fraction_interval(float(points.mean()), margin((seeds * resampled).sum(axis=0), n_drawn, confidence))


def fraction_interval(point: float, half: float) -> Interval:
    """The interval of a fraction, symmetric on the logit scale, from half its width as a fraction."""
    from scipy.special import expit, logit

    if half < 1e-12 or not 0 < point < 1:  # where no resample differs, they say nothing of how much others would
        return UNKNOWN
    centre, reach = logit(point), half / (point * (1 - point))
    return Interval(float(expit(centre - reach)), float(expit(centre + reach)))
