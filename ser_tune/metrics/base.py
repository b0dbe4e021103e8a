"""The object every metric defines."""

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import numpy as np

__all__ = ["Metric"]


@dataclass(frozen=True, slots=True)
class Metric:
    """A number for how good predictions are; every metric's module of this room defines one as `METRIC`.

    A metric is computed from sums over utterances. Whoever draws speakers again, leaves one out or swaps two systems
    adds up the sums of speakers, and needs no predictions.
    """

    name: str
    """As users type it, and as MLflow's metrics have it behind their side, such as `validation_uar`."""
    title: str
    """As tables and sentences have it, such as `UAR`."""
    description: str
    """A sentence on what it is, without its title; `{answer}` is what the task calls an answer."""
    sums: Callable[[np.ndarray, np.ndarray, np.ndarray, int, int], np.ndarray]
    """From truth (N, ...), predictions (N, ...), the number of each utterance's group (N,), the number of groups G and
    the number of the task's outputs K to the sums over each group's utterances, shape (G, ...). Metrics with the same
    function share its result."""
    value: Callable[[np.ndarray], np.ndarray]
    """From sums, shape (..., *sums), to scores, shape (...); NaN where it is not defined."""
    predictions: str = "classes"
    """What it is of, one of the kinds of predictions that tasks make: class numbers, unless told otherwise."""
    higher_is_better: bool = True
    low: float = 0.0
    """The lowest value there can be; minus infinity where there is none."""
    high: float = 1.0
    """The highest value; infinity where there is none."""
    scale: Literal["logit", "linear"] = "logit"
    """On which its confidence interval is symmetric: logit, of the place between `low` and `high`, which for a range of
    -1 to 1 is Fisher's z; linear where the range is open."""
    part: str = ""
    """What the values of single outputs are called, such as `recall`; empty where there are none."""
    parts: Callable[[np.ndarray], np.ndarray] | None = None
    """From sums, shape (..., *sums), to the value of every output, shape (..., K); NaN where an output has none."""
    chance: Callable[[int], float] | None = None
    """From K to the score of guessing; None where it depends on the corpus."""
    hub: str = ""
    """What the Hugging Face hub calls it, such as `recall`; empty where it has no name of its own for it."""
    citation: str = ""

    @property
    def limits(self) -> tuple[float | None, float | None]:
        """The lowest and the highest value, as axes of pictures take them: None where there is none."""
        return self.low if math.isfinite(self.low) else None, self.high if math.isfinite(self.high) else None

    def in_words(self, answer: str) -> str:
        """What it is, for a task whose answers are called so.

        >>> Metric("hits", "hits", "right {answer}s", None, None).in_words("emotion")
        'right emotions'
        """
        return self.description.replace("{answer}", answer)

    def score(self, truth: np.ndarray, predicted: np.ndarray, outputs: int) -> float:
        """The score of some utterances.

        Args:
            truth: Targets, shape (N, ...), N ≥ 1.
            predicted: Predictions, shape (N, ...).
            outputs: K.
        """
        return float(self.value(self.sums(truth, predicted, np.zeros(len(truth), dtype=np.int64), 1, outputs)[0]))
