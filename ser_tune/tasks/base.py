"""The object every task defines, and the targets that it makes of utterances."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

import numpy as np

from ..config import TaskSettings
from ..corpora import Need, Utterance
from ..metrics import METRICS, Metric

if TYPE_CHECKING:
    from torch import Tensor

__all__ = ["Goal", "Targets", "Task", "Traceable", "View"]

View: TypeAlias = Callable[[np.ndarray, np.ndarray, int], tuple[np.ndarray, np.ndarray]]
"""From truth and predictions of a task, and the number of its outputs, to those of another kind, such as from shares of
votes to classes."""


@dataclass(frozen=True, slots=True)
class Targets:
    """The targets of a corpus's utterances."""

    names: tuple[str, ...]
    """The name of each of a network's K outputs, such as a class."""
    values: np.ndarray
    """Shape (U, ...): class numbers (U,), int64, or whatever the task's metrics take for the truth."""
    strata: np.ndarray
    """The stratum of each utterance, such as its class, shape (U,), int64. Oversampling and balanced weights let strata
    count alike."""
    stratum_names: tuple[str, ...]
    required: bool = True
    """Whether no training side may lack a stratum."""
    scales: tuple[tuple[float, float], ...] = ()
    """Lowest and highest value of each output, where the corpus has them."""


@dataclass(frozen=True, slots=True)
class Goal:
    """Task, aggregation and metrics: the part of the protocol that training needs."""

    task: str
    aggregation: str
    """One of the task's aggregations."""
    metrics: tuple[str, ...]
    """The names of the metrics; the first is the primary objective, which ranks, races and selects epochs."""


@dataclass(frozen=True, slots=True)
class Traceable:
    """A task's last steps as operations of torch: a graph, such as ONNX's, contains them, and runs without ser-tune."""

    show: "Callable[[Tensor, str], Tensor]"
    """From the outputs of an utterance's segments (S, K) and the way to combine them to the numbers that `Task.show`
    makes of the utterance's outputs (K,), float64. Those of several networks are averaged."""
    decide: "Callable[[Tensor], Tensor] | None" = None
    """From shown numbers (K,) to the number of the output that is the answer, int64, as `Task.decide` finds it; None
    where the largest one's is."""


@dataclass(frozen=True, slots=True)
class Task:
    """A recognition task; every module of this room defines its task as `TASK`.

    A network's raw outputs (B, K) become *outputs* by `activate`: log probabilities, for example. Everything after it,
    segments or utterances, of one network or several, is in this form until it is shown or decided.
    """

    name: str
    settings: type[TaskSettings]
    title: str
    """In words, such as `one emotion of several`."""
    answer: str
    """The noun for an answer, in tables and JSON, such as `emotion`."""
    needs: Need
    """The label that utterances must have; others are left out."""
    targets: Callable[[Any, Sequence[Utterance]], Targets]
    """From the settings and a corpus's utterances to its targets; raises `CorpusError` where they have none."""
    predictions: str
    """The kind of predictions, such as `classes`, by their numbers: metrics of the same kind fit."""
    views: Mapping[str, View]
    """Other kinds of predictions that metrics can compare, and how they are made."""
    encoding: str
    """The kind of encoded targets, such as `probabilities`: losses of the same kind fit."""
    loss: str
    """The default loss."""
    metrics: tuple[str, ...]
    """The first is the default objective."""
    aggregations: tuple[str, ...]
    """Ways to combine the segments of an utterance; the first is the default."""
    encode: "Callable[[Tensor, int], Tensor]"
    """From values (B, ...) and K to the targets of a loss, shape (B, K), float32."""
    activate: "Callable[[Tensor], Tensor]"
    """From raw outputs (B, K), float32, to outputs (B, K)."""
    members: "Callable[[Tensor], Tensor]"
    """From the raw outputs of several networks (M, B, K), float32, to those of their mean (B, K), of which `activate`
    makes the mean's outputs."""
    divergence: "Callable[[Tensor, Tensor], Tensor]"
    """From raw outputs of clean segments and of their copies, each (B, K), to a scalar: how much they differ."""
    error: Callable[[np.ndarray, np.ndarray], float]
    """From outputs (N, K) and values (N, ...) to a validation loss."""
    aggregate: Callable[[np.ndarray, np.ndarray, str], np.ndarray]
    """From outputs of segments (S, K), the number of each segment's utterance (S,), counted from 0 without gaps, and
    the way to outputs of utterances (U, K), float32."""
    average: Callable[[Sequence[np.ndarray]], np.ndarray]
    """From the outputs (N, K) of several networks to those of their mean."""
    decide: Callable[[np.ndarray], np.ndarray]
    """From outputs (N, K) to predictions (N, ...), which metrics compare with values."""
    show: Callable[[np.ndarray], np.ndarray]
    """From outputs to the numbers that a person reads, of the same shape: probabilities, for example."""
    unshow: Callable[[np.ndarray], np.ndarray]
    """Undoes `show`."""
    write: Callable[[Any, tuple[str, ...]], str]
    """From a value and the outputs' names to its exact text in tables and JSON."""
    read: Callable[[Sequence[str], tuple[str, ...]], np.ndarray]
    """Undoes `write`: from texts to values (N, ...)."""
    traceable: Traceable | None = None
    """For `ser-tune export` as ONNX and TorchScript; None where a model of this task cannot be a graph."""
    decision: str = "decision"
    """A word for `decide`, such as `argmax`."""
    citation: str = ""
    plural: str = ""
    """The noun for several answers; empty where it is the answer's and an s."""
    number: str = "probability"
    """The noun for a number that `show` makes."""
    named: bool = True
    """Whether an answer is a name or names; otherwise it is the shown numbers themselves."""
    champion: str = "champion"
    """The alias of the best registered version, unless a label of the corpus chose the task: then it is that label."""
    error_metric: str = ""
    """The metric whose parts are the error of each shown number, in its units; empty where numbers have none."""
    label: Callable[[Any, tuple[str, ...]], str] | None = None
    """From a prediction and the outputs' names to what a person reads; None is `write`."""
    stored: Literal["text", "shown"] = "text"
    """The form from which stored predictions are read back: the text that `write` made of them, or shown numbers."""
    encode_arrays: Callable[[np.ndarray, int], np.ndarray] | None = None
    """The same as `encode` of arrays, without torch, which takes long to import; None computes with `encode`."""
    output_scale: Callable[[np.ndarray], tuple[np.ndarray, np.ndarray]] | None = None
    """From the values of a fold's training utterances (R, ...) to the shift and spread, each (K,), by which a network's
    last layer becomes raw outputs in the units of the targets; None where raw outputs have no units."""
    thresholds: Callable[[np.ndarray, np.ndarray], np.ndarray] | None = None
    """From outputs (V, K) and values (V, ...) of validation speakers to the outputs (K,) that are subtracted from every
    output, so that 0 decides; None where no decision has a threshold."""

    @property
    def answers(self) -> str:
        """The noun for answers, such as `emotions`."""
        return self.plural or f"{self.answer}s"

    @property
    def outputs(self) -> str:
        """The noun for what an answer is chosen among, or has: `classes`, or the answers' own."""
        return "classes" if self.predictions == "classes" else self.answers

    @property
    def numbers(self) -> str:
        """The noun for shown numbers, such as `probabilities`."""
        return f"{self.number.removesuffix('y')}ies" if self.number.endswith("y") else f"{self.number}s"

    @property
    def has_probabilities(self) -> bool:
        """Whether shown numbers are probabilities."""
        return self.number == "probability"

    @property
    def decides_from(self) -> float | None:
        """The shown number from which on an output is part of the answer; None where no decision has a threshold."""
        return None if self.thresholds is None else float(self.show(np.zeros(1))[0])

    @property
    def scales_outputs(self) -> bool:
        """Whether networks carry a scale of their outputs."""
        return self.output_scale is not None or self.thresholds is not None

    @property
    def kinds(self) -> tuple[str, ...]:
        """Every kind of predictions that metrics can compare, the task's own first."""
        return (self.predictions, *self.views)

    def encoded(self, values: np.ndarray, outputs: int) -> np.ndarray:
        """Encode values (N, ...) as numbers that can be averaged, shape (N, K), float64."""
        if self.encode_arrays is not None:
            return self.encode_arrays(values, outputs).astype(np.float64)
        import torch

        return self.encode(torch.from_numpy(values), outputs).numpy().astype(np.float64)

    def metric(self, name: str) -> Metric:
        """A metric of this task's values and predictions.

        Raises:
            UnknownNameError: There is no such metric.
            KeyError: It compares predictions of another kind.
        """
        metric = METRICS.get(name)
        if metric.predictions == self.predictions:
            return metric
        return replace(metric, sums=_SumsOfView(metric.sums, self.views[metric.predictions]))

    def errors(self, truth: np.ndarray, predicted: np.ndarray, outputs: int) -> tuple[float, ...]:
        """The error of each of K shown numbers over some utterances, in its units; empty where numbers have none."""
        if not self.error_metric:
            return ()
        metric = self.metric(self.error_metric)
        assert metric.parts is not None
        sums = metric.sums(truth, predicted, np.zeros(len(truth), dtype=np.int64), 1, outputs)
        return tuple(float(error) for error in metric.parts(sums[0]))

    def described(self, prediction: Any, names: tuple[str, ...]) -> str:  # noqa: ANN401 - a number, or shape (K,)
        """The text of a prediction that a person reads."""
        return (self.label or self.write)(prediction, names)

    def labels(self, shown: np.ndarray, names: tuple[str, ...]) -> list[str]:
        """Decide on shown outputs (N, K), such as probabilities or means of them, and write the answers as text."""
        # In float64, where numbers that differ at all still differ after `unshow`
        return [self.described(value, names) for value in self.decide(self.unshow(shown.astype(np.float64)))]


@dataclass(frozen=True, slots=True)
class _SumsOfView:
    """A metric's sums of predictions that a view makes; equal where both are."""

    sums: Callable[[np.ndarray, np.ndarray, np.ndarray, int, int], np.ndarray]
    view: View

    def __call__(
        self, truth: np.ndarray, predicted: np.ndarray, groups: np.ndarray, n_groups: int, outputs: int
    ) -> np.ndarray:
        """Compute the sums of groups; the arguments are those of `Metric.sums`."""
        return self.sums(*self.view(truth, predicted, outputs), groups, n_groups, outputs)
