"""`distribution`: the shares of annotators' votes. Outputs are log probabilities, as of `classification`."""

import json
from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Annotated, Literal

import numpy as np
from pydantic import Field

from ..config import TaskSettings
from ..corpora import Utterance
from . import classification
from .base import Targets

if TYPE_CHECKING:
    from torch import Tensor

__all__ = ["TASK", "DistributionSettings", "as_classes", "as_sets", "read", "shares", "targets", "write"]


class DistributionSettings(TaskSettings):
    """Shares of annotators' votes."""

    name: Literal["distribution"] = "distribution"
    """The task."""
    smoothing: Annotated[float, Field(ge=0, le=10)] = 0.0
    """Votes that are added to every emotion before votes become shares."""
    secondary: Annotated[float, Field(ge=0, le=1)] = 0.0
    """Weight of an emotion that an annotator heard beside the chosen one, against a vote's weight of 1."""


def shares(annotated: Utterance, names: Sequence[str], settings: DistributionSettings) -> np.ndarray:
    """The distribution of an utterance's votes over `names`, shape (K,), float64."""
    weights = dict.fromkeys(names, settings.smoothing)
    for votes, weight in ((annotated.annotation.votes, 1.0), (annotated.annotation.secondary, settings.secondary)):
        for name, count in votes:
            if name in weights:  # an emotion that is only secondary, without weight, is no output
                weights[name] += weight * count
    found = np.array(list(weights.values()), dtype=np.float64)
    shared: np.ndarray = found / found.sum()
    return shared


def targets(settings: DistributionSettings, utterances: Sequence[Utterance]) -> Targets:
    """The distribution of each utterance's votes, over all emotions that have a weight; strata are their pluralities.

    Args:
        settings: Smoothing, and the weight of secondary emotions.
        utterances: Each with votes.
    """
    names = {name for utterance in utterances for name, _ in utterance.annotation.votes}
    if settings.secondary:
        names |= {name for utterance in utterances for name, _ in utterance.annotation.secondary}
    outputs = tuple(sorted(names))
    values = np.stack([shares(utterance, outputs, settings) for utterance in utterances])
    strata = values.argmax(axis=1).astype(np.int64)
    return Targets(names=outputs, values=values, strata=strata, stratum_names=outputs, required=False)


def encode(values: "Tensor", _: int) -> "Tensor":
    """The shares (B, K) as they are."""
    return values.float()


def encode_arrays(values: np.ndarray, _: int) -> np.ndarray:
    """The shares (N, K) of an array as they are."""
    return values.astype(np.float32)


def error(outputs: np.ndarray, values: np.ndarray) -> float:
    """Mean cross-entropy of shares and probabilities, in nats."""
    return -float((values * outputs).sum(axis=1).mean())


def as_classes(truth: np.ndarray, predicted: np.ndarray, _: int) -> tuple[np.ndarray, np.ndarray]:
    """The emotion of most votes and the most probable emotion, each (N,), int64.

    Where several emotions have most votes, each of them counts as right: the truth is the predicted one of them, or the
    first where none is predicted.

    >>> as_classes(np.array([[0.5, 0.5, 0.0], [0.5, 0.5, 0.0]]), np.array([[0.1, 0.8, 0.1], [0.0, 0.4, 0.6]]), 3)
    (array([1, 0]), array([1, 2]))
    """
    named = predicted.argmax(axis=1)
    most = truth >= truth.max(axis=1, keepdims=True) - 1e-9  # sums of weights differ in their last digits
    return np.where(most[np.arange(len(named)), named], named, most.argmax(axis=1)), named


def as_sets(truth: np.ndarray, predicted: np.ndarray, outputs: int) -> tuple[np.ndarray, np.ndarray]:
    """Sets of the classes of `as_classes`, shape (N, K), bool."""
    return classification.as_sets(*as_classes(truth, predicted, outputs), outputs)


def write(shared: np.ndarray, names: tuple[str, ...]) -> str:
    """Shares above 0 by emotion, as JSON."""
    known = zip(names, np.asarray(shared).tolist(), strict=True)
    return json.dumps({name: share for name, share in known if share}, ensure_ascii=False)


def read(texts: Sequence[str], names: tuple[str, ...]) -> np.ndarray:
    """Shares, shape (N, K), float64.

    Raises:
        ValueError: A text is not JSON.
    """
    return np.array([[json.loads(text).get(name, 0.0) for name in names] for text in texts], dtype=np.float64)


def label(shared: np.ndarray, names: tuple[str, ...]) -> str:
    """The most probable emotion."""
    return names[int(shared.argmax())]


TASK = replace(
    classification.TASK,
    name="distribution",
    settings=DistributionSettings,
    title="shares of annotators' votes",
    needs="votes",
    targets=targets,
    predictions="distributions",
    views={"classes": as_classes, "label_sets": as_sets},
    loss="cross_entropy",
    metrics=("jsd", "kl", "total_variation", "uar", "macro_f1"),
    encode=encode,
    encode_arrays=encode_arrays,
    error=error,
    decide=np.exp,
    write=write,
    read=read,
    label=label,
    champion="distribution",
    stored="shown",
    decision="probabilities",
)
