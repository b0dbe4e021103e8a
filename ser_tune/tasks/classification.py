"""`classification`: one emotion of several. Outputs are log probabilities."""

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Literal

import numpy as np

from ..config import TaskSettings
from ..corpora import Utterance
from .aggregation import AGGREGATIONS, aggregate, probabilities
from .base import Targets, Task, Traceable

if TYPE_CHECKING:
    from torch import Tensor

__all__ = [
    "TASK",
    "activate",
    "as_sets",
    "average",
    "decide",
    "divergence",
    "encode",
    "error",
    "log",
    "members",
    "read",
    "targets_of_labels",
    "write",
]


class ClassificationSettings(TaskSettings):
    """One emotion of several."""

    name: Literal["classification"] = "classification"
    """The task."""


def targets(_: TaskSettings, utterances: Sequence[Utterance]) -> Targets:
    """The emotion of each utterance."""
    return targets_of_labels([utterance.emotion for utterance in utterances])


def targets_of_labels(labels: Sequence[str]) -> Targets:
    """Classes of these names, sorted; each is a stratum.

    >>> found = targets_of_labels(["joy", "anger", "joy"])
    >>> found.names, found.values.tolist()
    (('anger', 'joy'), [1, 0, 1])
    """
    number_of = {name: number for number, name in enumerate(sorted(set(labels)))}
    values = np.array([number_of[label] for label in labels], dtype=np.int64)
    return Targets(names=tuple(number_of), values=values, strata=values, stratum_names=tuple(number_of))


def encode(values: "Tensor", outputs: int) -> "Tensor":
    """Probability 1 for the own class: from class numbers (B,) to (B, K)."""
    from torch import nn

    return nn.functional.one_hot(values, outputs).float()


def encode_arrays(values: np.ndarray, outputs: int) -> np.ndarray:
    """`encode` of class numbers in an array."""
    encoded: np.ndarray = (values[:, np.newaxis] == np.arange(outputs)).astype(np.float32)
    return encoded


def members(raw: "Tensor") -> "Tensor":
    """Log of the mean probabilities of several networks, from logits (M, B, K)."""
    import torch

    return torch.log_softmax(raw, dim=2).logsumexp(dim=0) - math.log(len(raw))


def divergence(clean: "Tensor", copies: "Tensor") -> "Tensor":
    """Mean of KL(clean || copy) = sum p log(p / q) over a batch of logits (B, K), in nats; gradients flow into both."""
    import torch
    from torch import nn

    of_clean, of_copies = torch.log_softmax(clean, dim=1), torch.log_softmax(copies, dim=1)
    return nn.functional.kl_div(of_copies, of_clean, reduction="batchmean", log_target=True)


def error(outputs: np.ndarray, values: np.ndarray) -> float:
    """Mean negative log probability of the true class."""
    return -float(outputs[np.arange(len(values)), values].mean())


def average(outputs: Sequence[np.ndarray]) -> np.ndarray:
    """Log of the mean probabilities of several networks, each (N, K)."""
    together: np.ndarray = np.logaddexp.reduce(outputs) - math.log(len(outputs))
    return together


def decide(outputs: np.ndarray) -> np.ndarray:
    """The most probable class, shape (N,)."""
    decided: np.ndarray = outputs.argmax(axis=1)
    return decided


def log(shown: np.ndarray) -> np.ndarray:
    """Logarithms of probabilities, of the same precision; that of 0 is the lowest finite number."""
    logarithms: np.ndarray = np.log(np.maximum(shown, np.finfo(shown.dtype).tiny))
    return logarithms


def write(value: int, names: tuple[str, ...]) -> str:
    """The name of a class."""
    return names[int(value)]


def read(texts: Sequence[str], names: tuple[str, ...]) -> np.ndarray:
    """The numbers of classes, shape (N,), int64.

    Raises:
        ValueError: There is no such class.
    """
    return np.array([names.index(text) for text in texts], dtype=np.int64)


def as_sets(truth: np.ndarray, predicted: np.ndarray, outputs: int) -> tuple[np.ndarray, np.ndarray]:
    """Sets of a single class, shape (N, K), bool, from class numbers (N,)."""
    classes = np.arange(outputs)
    return truth[:, None] == classes, predicted[:, None] == classes


def activate(raw: "Tensor") -> "Tensor":
    """Log probabilities of logits (B, K)."""
    import torch

    return torch.log_softmax(raw, dim=1)


TASK = Task(
    name="classification",
    settings=ClassificationSettings,
    title="one emotion of several",
    answer="emotion",
    needs="emotion",
    targets=targets,
    predictions="classes",
    views={"label_sets": as_sets},
    encoding="probabilities",
    loss="cross_entropy",
    metrics=("uar", "wa"),
    aggregations=AGGREGATIONS,
    encode=encode,
    encode_arrays=encode_arrays,
    activate=activate,
    members=members,
    divergence=divergence,
    error=error,
    aggregate=aggregate,
    average=average,
    decide=decide,
    show=np.exp,
    unshow=log,
    write=write,
    read=read,
    traceable=Traceable(show=probabilities),
    decision="argmax",
)
