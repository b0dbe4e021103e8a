"""Simulated annotators of the demo corpus: seven with known confusions, biases and noise.

They judge the numbers that the synthesiser was given, not its sound, and nobody listened. Their ratings are of the
synthesiser's parameters; they are no arousal, valence or dominance.
"""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

__all__ = ["ANNOTATORS", "CONFUSIONS", "SCALE", "Annotator", "Judgements", "certainty", "judge"]


@dataclass(frozen=True, slots=True)
class Annotator:
    """A simulated annotator."""

    reliability: float
    """Factor of the probability that the annotator recognises what was expressed."""
    bias: float
    """Added to every rating."""
    noise: float
    """Standard deviation of a rating, before it is rounded."""


@dataclass(frozen=True, slots=True)
class Judgements:
    """The judgements of all annotators on an utterance."""

    votes: Mapping[str, int]
    """Choice to the number of annotators who made it."""
    secondary: Mapping[str, int]
    """The same of second choices, which an annotator may make beside the first."""
    ratings: np.ndarray
    """Whole numbers on the scale, shape (annotators, parameters)."""


ANNOTATORS = (
    Annotator(1.10, 0.0, 0.4),
    Annotator(1.05, 0.3, 0.5),
    Annotator(1.00, -0.3, 0.5),
    Annotator(1.00, 0.0, 0.6),
    Annotator(0.95, 0.4, 0.6),
    Annotator(0.90, -0.4, 0.7),
    Annotator(0.75, 0.0, 0.9),
)
SCALE = (1.0, 5.0)
"""Lowest and highest rating."""
SECOND_CHOICE = 0.25
"""Probability that an annotator makes a second choice."""
CONFUSIONS: Mapping[str, Mapping[str, float]] = {
    "anger": {"anger": 0.10, "happiness": 0.70, "neutral": 0.15, "sadness": 0.05},
    "happiness": {"anger": 0.45, "happiness": 0.10, "neutral": 0.40, "sadness": 0.05},
    "neutral": {"anger": 0.05, "happiness": 0.20, "neutral": 0.10, "sadness": 0.65},
    "sadness": {"anger": 0.00, "happiness": 0.05, "neutral": 0.85, "sadness": 0.10},
}
"""Expressed emotion to the probability of each choice of an annotator who does not recognise it."""


def certainty(strength: float) -> float:
    """The probability that an annotator of reliability 1 recognises what was expressed.

    >>> [round(certainty(strength), 2) for strength in (0.4, 0.8, 1.2)]
    [0.4, 0.6, 0.8]
    """
    return 0.2 + 0.5 * strength


def judge(expressed: str, strength: float, parameters: np.ndarray, rng: np.random.Generator) -> Judgements:
    """Draw what the annotators choose and rate.

    Args:
        expressed: One of `CONFUSIONS`.
        strength: The strength of the expression, 0.4 to 1.2.
        parameters: Of the synthesiser: -1 is rated lowest and 1 highest, shape (parameters,).
        rng: The source of all draws.
    """
    names, mistaken = list(CONFUSIONS), np.array(list(CONFUSIONS[expressed].values()))
    votes: Counter[str] = Counter()
    secondary: Counter[str] = Counter()
    ratings = np.empty((len(ANNOTATORS), len(parameters)))
    middle, half = sum(SCALE) / 2, (SCALE[1] - SCALE[0]) / 2
    for number, annotator in enumerate(ANNOTATORS):
        right = certainty(strength) * annotator.reliability
        chances = (1 - right) * mistaken
        chances[names.index(expressed)] += right
        order = rng.choice(len(names), size=2, replace=False, p=chances)
        votes[names[order[0]]] += 1
        if rng.random() < SECOND_CHOICE:
            secondary[names[order[1]]] += 1
        heard = middle + half * parameters + annotator.bias + annotator.noise * rng.normal(size=len(parameters))
        ratings[number] = np.clip(np.round(heard), *SCALE)
    return Judgements(votes, secondary, ratings)
