"""The object every metric defines."""

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import numpy as np

__all__ = ["Metric"]


@dataclass(frozen=True, slots=True)
class Metric:
    """A measure of predictions; every metric's module of this room defines its metric as `METRIC`.

    A metric is computed from sums over utterances. Resampling speakers, leaving a speaker out and swapping two systems
    add up the sums of speakers, without the predictions.
    """

    name: str
    """As users type it; MLflow's metrics put the side before it, such as `validation_uar`."""
    title: str
    """As tables and sentences have it, such as `UAR`."""
    description: str
    """A sentence without its title; `{answer}` is the task's noun for an answer."""
    sums: Callable[[np.ndarray, np.ndarray, np.ndarray, int, int], np.ndarray]
    """From truth (N, ...), predictions (N, ...), the number of each utterance's group (N,), the number of groups G and
    the number of the task's outputs K to the sums over each group's utterances, shape (G, ...). Sums of groups, also of
    other calls, add up, and a weighted mean of systems' sums is their score together. Metrics with the same function
    share its result."""
    value: Callable[[np.ndarray], np.ndarray]
    """From sums, shape (..., *sums), to scores, shape (...); NaN where it is not defined."""
    predictions: str = "classes"
    """The kind of predictions, as tasks name it; `classes` are class numbers."""
    higher_is_better: bool = True
    low: float = 0.0
    """The lowest possible value; minus infinity where the range is open."""
    high: float = 1.0
    """The highest possible value; infinity where the range is open."""
    scale: Literal["logit", "linear"] = "logit"
    """The scale on which its confidence interval is symmetric: logit, of the place between `low` and `high`, which for
    a range of -1 to 1 is Fisher's z; linear where the range is open."""
    jackknife: bool = False
    """Whether an interval is at least as wide as the jackknife's: for scores of variances, for which the bootstrap over
    few speakers is too narrow."""
    part: str = ""
    """The noun for the value of a single output, such as `recall`; empty where there is none."""
    parts: Callable[[np.ndarray], np.ndarray] | None = None
    """From sums, shape (..., *sums), to the value of every output, shape (..., K); NaN where an output has none."""
    condensed: Callable[[np.ndarray], np.ndarray] | None = None
    """From the sums of some groups, shape (G, ...), to fewer numbers, shape (G, ...), from which `value` makes the same
    scores of any of these groups together; None where sums are small. Condensed sums of other groups don't add up."""
    chance: Callable[[int], float] | None = None
    """From K to the score of guessing; None where it depends on the corpus."""
    hub: str = ""
    """Its name on the Hugging Face hub, such as `recall`; empty where it has none."""
    citation: str = ""

    @property
    def limits(self) -> tuple[float | None, float | None]:
        """The lowest and the highest value, as axes of pictures take them: None where there is none."""
        return self.low if math.isfinite(self.low) else None, self.high if math.isfinite(self.high) else None

    def in_words(self, answer: str) -> str:
        """The description, for a task with this noun for an answer.

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
