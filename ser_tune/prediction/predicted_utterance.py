"""`Prediction`, the answer for an utterance, and `SegmentPrediction`."""

from collections.abc import Mapping
from dataclasses import dataclass, field

__all__ = ["Prediction", "SegmentPrediction"]


@dataclass(frozen=True, slots=True)
class SegmentPrediction:
    """The numbers of a segment of an utterance."""

    start_s: float
    end_s: float
    numbers: Mapping[str, float]
    """As of `Prediction`."""


@dataclass(frozen=True, slots=True)
class Prediction:
    """The answer for an utterance, and the number of each output."""

    source: str
    """The path, or `waveform 0` and so on."""
    label: str
    """The answer in words."""
    numbers: Mapping[str, float]
    """The shown number of each output by its name: its probability, or a dimension's rating on the corpus's scale."""
    segments: tuple[SegmentPrediction, ...]
    number: str = "probability"
    """The noun for a number, of the task."""
    members: tuple[str, ...] | None = None
    """The classes in the prediction set, the most probable first; None where no error rate was stated."""
    ranges: Mapping[str, tuple[float, float]] = field(default_factory=dict)
    """The range of each rating at the stated error rate."""
    basis: str = ""
    """`transductive` where other recordings of the same call adapted the model to their speaker, `causal` where only
    earlier ones did, `alone` where none did; empty where the speaker was not named."""

    @property
    def probabilities(self) -> Mapping[str, float]:
        """The numbers of a task whose numbers are probabilities."""
        if self.number != "probability":
            raise AttributeError(f"a prediction of {self.number}s has no probabilities; read `numbers`")
        return self.numbers
