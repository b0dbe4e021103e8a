"""A model against the crowd of annotators: the guess of a left-out annotator's judgement, and the entropy of votes.

A range of human agreement has two ends: another annotator, who guesses the left-out annotator's vote or rating by the
own one, and all other annotators together, who guess by their plurality or mean.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from ..corpora import Annotation
from ..metrics import METRICS, Metric
from ..resampling import Estimate, paired_difference, speaker_interval, sums_of, with_interval
from .coefficients import entropies

__all__ = ["AgainstCrowd", "Crowd", "EntropyFit", "guessed_ratings", "guessed_votes", "model_against_crowd"]

Verdict = Literal["below", "inside", "above"]


@dataclass(frozen=True, slots=True)
class AgainstCrowd:
    """Guesses of the vote, or of the rating of a dimension, that a left-out annotator gives."""

    what: str
    """`vote`, or the dimension's name."""
    metric: Metric
    """The share of votes that are guessed, or the CCC of ratings."""
    utterances: int
    """Those with two annotators or more."""
    annotator: Estimate
    """The score of another annotator."""
    model: Estimate
    others: Estimate
    """The score of the plurality or the mean of all other annotators."""
    over_annotator: Estimate
    """The model's gain over another annotator."""
    over_others: Estimate
    """The model's gain over all others together; mostly negative."""

    @property
    def verdict(self) -> Verdict:
        """The model's place, beyond the intervals: below another annotator, above all others together, or inside.

        It is inside also where speakers are too few for intervals.
        """
        if self.over_annotator.interval.high < 0:
            return "below"
        return "above" if self.over_others.interval.low > 0 else "inside"

    @property
    def guessed(self) -> str:
        """The guessed judgement and its score, in words."""
        return "vote, share right" if self.metric is GUESSED else f"rating of {self.what}, {self.metric.title}"

    @property
    def place(self) -> str:
        """The verdict in words."""
        return f"{self.verdict} the range of human agreement"

    @property
    def sentence(self) -> str:
        """In words."""
        model, annotator, others = (
            with_interval(found.value, found.interval) for found in (self.model, self.annotator, self.others)
        )
        gain = with_interval(self.over_annotator.value, self.over_annotator.interval, "+")
        return (
            f"guesses of a left-out annotator's {self.guessed}: model {model}, another annotator {annotator}, all "
            f"others together {others}; the model is {self.place}, {gain} over another annotator"
        )


@dataclass(frozen=True, slots=True)
class EntropyFit:
    """Predicted entropy against that of the votes."""

    utterances: int
    correlation: Estimate
    """Spearman's rank correlation; the interval resamples speakers, whose utterances keep their ranks."""
    annotators: float
    """Mean entropy of the votes, in bits."""
    model: float
    """Mean entropy of the predictions, in bits."""

    @property
    def sentence(self) -> str:
        """In words."""
        value, interval = self.correlation.value, self.correlation.interval
        shown = "undefined, because all are equal" if math.isnan(value) else with_interval(value, interval)
        return (
            f"predicted entropy against the entropy of the votes: rank correlation {shown}; means {self.model:.3f} and "
            f"{self.annotators:.3f} bits"
        )


@dataclass(frozen=True, slots=True)
class Crowd:
    """A model against the crowd."""

    guesses: tuple[AgainstCrowd, ...]
    """Guesses of votes, or of the ratings of every dimension."""
    entropy: EntropyFit | None
    """None where no distribution is predicted."""

    @property
    def sentences(self) -> tuple[str, ...]:
        """In words."""
        of_entropy = () if self.entropy is None else (self.entropy.sentence,)
        return (*(guess.sentence for guess in self.guesses), *of_entropy)


def model_against_crowd(
    encoding: str, names: Sequence[str], shown: np.ndarray, speakers: np.ndarray, annotations: Sequence[Annotation]
) -> Crowd | None:
    """Compare predictions with the judgements of annotators.

    Args:
        encoding: The kind of encoded targets of the task: `probabilities` of classes, or `values` of dimensions.
        names: The names of the task's outputs.
        shown: Probabilities or values, shape (N, K).
        speakers: The number of each utterance's speaker, shape (N,).
        annotations: Of the N utterances.

    Returns:
        None where the task has other outputs, or no utterance has two annotators.
    """
    if encoding == "probabilities":
        votes = np.array([_row(dict(annotation.votes), names, 0) for annotation in annotations], dtype=np.float64)
        guessed = guessed_votes(votes, shown, speakers)
        return None if guessed is None else Crowd((guessed,), _entropy_fit(votes, shown, speakers))
    if encoding != "values":
        return None
    found = []
    for column, name in enumerate(names):
        guessed = guessed_ratings(name, _ratings(annotations, name), shown[:, column], speakers)
        found += [] if guessed is None else [guessed]
    return Crowd(tuple(found), None) if found else None


def guessed_votes(votes: np.ndarray, probabilities: np.ndarray, speakers: np.ndarray) -> AgainstCrowd | None:
    """Guess the vote of each annotator by another annotator, by the model, and by the plurality of the others.

    Where several classes have most of the others' votes, each is guessed equally often. An utterance counts once.

    Args:
        votes: Counts, shape (N, K); of classes that the model does not have, there are none.
        probabilities: The model's, shape (N, K): the guess is the most probable class.
        speakers: The number of each utterance's speaker, shape (N,).

    Returns:
        None where no utterance has two votes.

    Of votes 2 : 1, a pair agrees once in three; the model is right twice in three; the others of either of the two are
    undecided, and those of the third are wrong:

    >>> found = guessed_votes(np.array([[2, 1]]), np.array([[0.9, 0.1]]), np.array([0]))
    >>> [round(score.value, 3) for score in (found.annotator, found.model, found.others)]
    [0.333, 0.667, 0.333]
    """
    voted = votes.sum(axis=1) >= 2
    if not voted.any():
        return None
    own, who = votes[voted].astype(np.float64), speakers[voted]
    total = own.sum(axis=1)
    by_annotator = (own * (own - 1)).sum(axis=1) / (total * (total - 1))
    by_model = own[np.arange(len(own)), probabilities[voted].argmax(axis=1)] / total
    by_others = np.zeros(len(own))
    for chosen in range(own.shape[1]):
        rest = own.copy()
        rest[:, chosen] -= 1
        most = rest == rest.max(axis=1, keepdims=True)
        by_others += own[:, chosen] / total * most[:, chosen] / most.sum(axis=1)
    who = np.unique(who, return_inverse=True)[1]
    return _compared("vote", GUESSED, by_model, (by_annotator, by_model, by_others), who, utterances=len(own))


def guessed_ratings(
    dimension: str, ratings: np.ndarray, predicted: np.ndarray, speakers: np.ndarray
) -> AgainstCrowd | None:
    """Guess the rating of each annotator by another annotator, by the model, and by the mean of the others.

    The score is the CCC over all pairs of annotators.

    Args:
        dimension: Its name.
        ratings: Shape (N, R); NaN where an annotator has none.
        predicted: The model's, shape (N,).
        speakers: The number of each utterance's speaker, shape (N,).

    Returns:
        None where no utterance has two ratings.

    >>> ratings = np.array([[1.0, 3.0], [3.0, 5.0]])
    >>> found = guessed_ratings("arousal", ratings, np.array([2.0, 4.0]), np.array([0, 1]))
    >>> [round(score.value, 3) for score in (found.annotator, found.model, found.others)]
    [0.0, 0.667, 0.0]
    """
    given = ~np.isnan(ratings)
    pairs = given[:, :, np.newaxis] & given[:, np.newaxis, :] & ~np.eye(ratings.shape[1], dtype=bool)
    number, left_out, other = np.nonzero(pairs)
    if not len(number):
        return None
    truth = ratings[number, left_out]
    others = (np.nansum(ratings, axis=1)[number] - truth) / (given.sum(axis=1)[number] - 1)
    sides = (ratings[number, other], predicted[number], others)
    paired = given.sum(axis=1) > 1
    who = np.zeros(len(ratings), dtype=np.int64)  # numbered by utterance: of these there are fewer than of pairs
    who[paired] = np.unique(speakers[paired], return_inverse=True)[1]
    return _compared(dimension, METRICS.get("ccc"), truth, sides, who[number], utterances=int(paired.sum()))


def _compared(
    what: str,
    metric: Metric,
    truth: np.ndarray,
    guesses: tuple[np.ndarray, np.ndarray, np.ndarray],
    speakers: np.ndarray,
    *,
    utterances: int,
) -> AgainstCrowd:
    """Score guesses by another annotator, the model and all others, each (P,), and compare them.

    Speakers (P,) are counted from 0 without gaps.
    """
    n_speakers = int(speakers.max()) + 1
    annotator, model, others = (
        metric.sums(truth[:, np.newaxis], guess[:, np.newaxis], speakers, n_speakers, 1) for guess in guesses
    )

    def scored(sums: np.ndarray) -> Estimate:
        return Estimate(float(metric.value(sums.sum(axis=0))), speaker_interval(metric, sums))

    def gain(other: np.ndarray) -> Estimate:
        return paired_difference(metric, model[np.newaxis], other[np.newaxis])

    return AgainstCrowd(
        what=what,
        metric=metric,
        utterances=utterances,
        annotator=scored(annotator),
        model=scored(model),
        others=scored(others),
        over_annotator=gain(annotator),
        over_others=gain(others),
    )


def _entropy_fit(votes: np.ndarray, probabilities: np.ndarray, speakers: np.ndarray) -> EntropyFit:
    """Compare entropies of utterances with two votes or more."""
    from scipy.stats import rankdata

    voted = votes.sum(axis=1) >= 2
    pair = [entropies(votes[voted]), entropies(probabilities[voted])]
    ranks = [rankdata(side.round(9))[:, np.newaxis] for side in pair]
    metric = METRICS.get("pcc")
    sums = sums_of(metric, ranks[0], ranks[1], speakers[voted], 1)
    return EntropyFit(
        utterances=int(voted.sum()),
        correlation=Estimate(float(metric.value(sums.sum(axis=0))), speaker_interval(metric, sums)),
        annotators=float(pair[0].mean()),
        model=float(pair[1].mean()),
    )


def _row(found: Mapping[str, float], names: Sequence[str], missing: float) -> list[float]:
    return [found.get(name, missing) for name in names]


def _ratings(annotations: Sequence[Annotation], name: str) -> np.ndarray:
    """The ratings of a dimension, shape (N, R), NaN where an annotator has none."""
    raters = max((len(annotation.ratings) for annotation in annotations), default=0)
    ratings = np.full((len(annotations), raters), np.nan)
    for row, annotation in zip(ratings, annotations, strict=True):
        named = [own for own, _ in annotation.dimensions]
        if annotation.ratings and name in named:
            row[: len(annotation.ratings)] = [given[named.index(name)] for given in annotation.ratings]
    return ratings


def hit_sums(_: np.ndarray, hits: np.ndarray, groups: np.ndarray, n_groups: int, _outputs: int) -> np.ndarray:
    """Utterances and their shares of guessed votes for each group, shape (G, 2)."""
    counts = np.bincount(groups, minlength=n_groups)
    return np.stack([counts, np.bincount(groups, hits[:, 0], minlength=n_groups)], axis=1)


def mean_hits(sums: np.ndarray) -> np.ndarray:
    """The mean share of guessed votes, shape (...), from `hit_sums` (..., 2)."""
    with np.errstate(invalid="ignore", divide="ignore"):
        mean: np.ndarray = sums[..., 1] / sums[..., 0]
    return mean


GUESSED = Metric(
    name="guessed",
    title="guessed votes",
    description="the share of annotators' votes that are guessed",
    sums=hit_sums,
    value=mean_hits,
)
