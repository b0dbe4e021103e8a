"""The classes of a network's training utterances, and how far its features tell speakers apart."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Self

import numpy as np

from ..features import Moments, Scaling
from ..row_groups import rows_by

__all__ = ["Prototypes", "scaled_means", "speaker_ratios"]

LARGEST = 1000.0
"""The largest ratio: a feature whose speakers do not differ follows a speaker hardly at all."""


@dataclass(frozen=True, slots=True)
class Prototypes:
    """The classes of a network's training utterances."""

    means: np.ndarray
    """Mean scaled features of the utterances of each class, shape (K, C, F), float32."""
    shares: np.ndarray
    """Share of the utterances of each class, shape (K,), float32."""
    ratios: np.ndarray | None = None
    """Return value of `speaker_ratios`; None where every feature has the same weight."""

    @classmethod
    def of(
        cls,
        moments: Moments,
        utterances: np.ndarray,
        classes: np.ndarray,
        scaling: tuple[Sequence[Scaling], np.ndarray],
    ) -> Self:
        """The classes of training utterances.

        Args:
            moments: Of all utterances.
            utterances: Numbers of the training utterances, shape (R,).
            classes: Probabilities of their classes, shape (R, K): 1 for the own.
            scaling: The scalings, and the number of each utterance's, shape (U,).
        """
        scalings, number = scaling
        total = np.zeros((classes.shape[1], *moments.minimum.shape[1:]))
        for place in np.unique(number[utterances]):
            own = number[utterances] == place
            total += np.tensordot(classes[own].T, scaled_means(moments, utterances[own], scalings[place]), axes=1)
        counts = classes.sum(axis=0)
        means = total / np.maximum(counts, 1)[:, np.newaxis, np.newaxis]
        return cls(means.astype(np.float32), (counts / counts.sum()).astype(np.float32))

    @classmethod
    def read(cls, arrays: Mapping[str, np.ndarray]) -> Self | None:
        """Undo `arrays`; None where there are none."""
        if "means" not in arrays or "shares" not in arrays:
            return None
        return cls(arrays["means"], arrays["shares"], arrays.get("ratios"))

    @property
    def arrays(self) -> dict[str, np.ndarray]:
        """The arrays by name, as files have them."""
        known = {} if self.ratios is None else {"ratios": self.ratios}
        return {"means": self.means, "shares": self.shares, **known}


def speaker_ratios(
    moments: Moments,
    utterances: np.ndarray,
    classes: np.ndarray,
    means: np.ndarray,
    scaling: Scaling,
    speakers: np.ndarray,
) -> np.ndarray:
    """Variance within training speakers over that between them, of each feature's distance from the class means.

    With so many utterances as prior weight, a speaker's mean is the empirical Bayes estimate (B. Efron, C. Morris:
    Stein's Estimation Rule and its Competitors, JASA 68(341), 1973): of a feature that differs between speakers few
    utterances tell the speaker, of another they tell the emotion.

    Args:
        moments: Of all utterances.
        utterances: Numbers of the training utterances, shape (R,).
        classes: Probabilities of their classes, shape (R, K).
        means: Of the classes, shape (K, C, F).
        scaling: The training speakers'.
        speakers: A number for each utterance's speaker, shape (U,).

    Returns:
        Shape (C, F), float32, at most `LARGEST`; 1 where the training cannot tell: of one speaker, or of one
        utterance each.
    """
    centres, counts, squares = [], [], np.zeros(means.shape[1:])
    for rows in rows_by(speakers[utterances]).values():
        away = scaled_means(moments, utterances[rows], scaling) - np.tensordot(classes[rows], means, axes=1)
        centres.append(away.mean(axis=0))
        counts.append(len(rows))
        squares += np.square(away - centres[-1]).sum(axis=0)
    freedom = sum(counts) - len(counts)
    if len(counts) < 2 or freedom < 1:
        return np.ones(means.shape[1:], dtype=np.float32)
    within = squares / freedom
    # Means of few utterances differ by chance too
    between = np.var(centres, axis=0, ddof=1) - within * np.mean(1 / np.array(counts))
    ratios: np.ndarray = within / np.maximum(between, np.maximum(within, 1e-12) / LARGEST)
    return ratios.astype(np.float32, copy=False)


def scaled_means(moments: Moments, utterances: np.ndarray, scaling: Scaling) -> np.ndarray:
    """The mean scaled features of some utterances, shape (R, C, F), float64."""
    means = moments.total[utterances].astype(np.float64) / moments.count[utterances, np.newaxis, np.newaxis]
    scaled: np.ndarray = (means - scaling.shift) / scaling.spread
    return scaled
