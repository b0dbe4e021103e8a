"""`multilabel`: several emotions of an utterance, or none. Outputs are logits; 0 is the threshold of a decision."""

import json
from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated, Literal

import numpy as np
from pydantic import Field

from ..config import TaskSettings
from ..corpora import Utterance
from .base import Targets, Task, Traceable

if TYPE_CHECKING:
    from torch import Tensor

__all__ = ["TASK", "MultilabelSettings", "best_thresholds", "read", "targets", "write"]


CANDIDATES = 201
"""Thresholds that are tried beside 0, at most: quantiles of the validation utterances' logits."""


class MultilabelSettings(TaskSettings):
    """Several emotions of an utterance, or none."""

    name: Literal["multilabel"] = "multilabel"
    """The task."""
    share: Annotated[float, Field(gt=0, le=1)] = 0.3
    """Where the corpus has votes and no lists of emotions: an emotion counts where at least this share of the
    annotators chose it, or heard it beside the emotion that they chose."""


def targets(settings: MultilabelSettings, utterances: Sequence[Utterance]) -> Targets:
    """Whether each utterance has each emotion, shape (U, K), bool."""
    sets = [_emotions(utterance, settings.share) for utterance in utterances]
    names = tuple(sorted(set[str]().union(*sets)))
    values = np.array([[name in found for name in names] for found in sets])
    strata = np.zeros(len(sets), dtype=np.int64)
    return Targets(names=names, values=values, strata=strata, stratum_names=("any",), required=False)


def _emotions(utterance: Utterance, share: float) -> set[str]:
    annotation = utterance.annotation
    if annotation.emotions:
        return set(annotation.emotions)
    total: dict[str, int] = {}
    for name, count in (*annotation.votes, *annotation.secondary):
        total[name] = total.get(name, 0) + count
    annotators = annotation.annotators or sum(count for _, count in annotation.votes)
    return {name for name, count in total.items() if count >= share * annotators - 1e-9}


def encode(values: "Tensor", _: int) -> "Tensor":
    """1 for the emotions of an utterance, 0 for others, shape (B, K)."""
    return values.float()


def encode_arrays(values: np.ndarray, _: int) -> np.ndarray:
    """`encode` of an array."""
    return values.astype(np.float32)


def activate(raw: "Tensor") -> "Tensor":
    """Logits (B, K): raw outputs are logits already."""
    return raw


def members(raw: "Tensor") -> "Tensor":
    """Logits of the mean probabilities of several networks (M, B, K)."""
    import torch

    return torch.logit(torch.sigmoid(raw.double()).mean(dim=0)).to(raw.dtype)


def divergence(clean: "Tensor", copies: "Tensor") -> "Tensor":
    """Mean of the emotions' KL(clean || copy), in nats, of logits (B, K); gradients flow into both."""
    import torch
    from torch.nn.functional import logsigmoid

    having = torch.sigmoid(clean) * (logsigmoid(clean) - logsigmoid(copies))
    lacking = torch.sigmoid(-clean) * (logsigmoid(-clean) - logsigmoid(-copies))
    return (having + lacking).mean()


def error(outputs: np.ndarray, values: np.ndarray) -> float:
    """Mean binary cross-entropy over utterances and emotions, in nats."""
    return float(np.logaddexp(0, np.where(values, -outputs, outputs)).mean())


def aggregate(outputs: np.ndarray, utterance: np.ndarray, how: str) -> np.ndarray:
    """Combine the logits of every utterance's segments.

    Args:
        outputs: Of segments, shape (S, K).
        utterance: The number of each segment's utterance, shape (S,), counted from 0 without gaps.
        how: `mean` of logits, or `maximum`: an emotion that a single segment has.

    Returns:
        Shape (U, K), float32.
    """
    shape = (int(utterance.max()) + 1, outputs.shape[1])
    if how == "maximum":
        combined = np.full(shape, -np.inf)
        np.maximum.at(combined, utterance, outputs)
    else:
        combined = np.zeros(shape)
        np.add.at(combined, utterance, outputs)
        combined /= np.bincount(utterance)[:, None]
    return combined.astype(np.float32)


def in_graph(raw: "Tensor", how: str) -> "Tensor":
    """Probabilities (K,), float64, of a single utterance, from the logits of its segments (S, K)."""
    import torch

    wide = raw.double()
    return torch.sigmoid(wide.amax(dim=0) if how == "maximum" else wide.mean(dim=0))


def average(outputs: Sequence[np.ndarray]) -> np.ndarray:
    """Logits of the mean probabilities of several networks, each (N, K)."""
    return unshow(np.mean([show(found) for found in outputs], axis=0))


def show(outputs: np.ndarray) -> np.ndarray:
    """Probabilities of logits."""
    from scipy.special import expit

    probabilities: np.ndarray = expit(outputs)
    return probabilities


def unshow(shown: np.ndarray) -> np.ndarray:
    """Logits of probabilities; those of 0 and 1 are finite."""
    from scipy.special import logit

    room = np.finfo(shown.dtype).eps
    logits: np.ndarray = logit(np.clip(shown, room, 1 - room))
    return logits


def as_sets(truth: np.ndarray, predicted: np.ndarray, _: int) -> tuple[np.ndarray, np.ndarray]:
    """The emotions of probability 0.5 or more, shape (N, K), bool; the truth as it is."""
    return truth, predicted >= 0.5


def best_thresholds(outputs: np.ndarray, values: np.ndarray) -> np.ndarray:
    """The threshold of each emotion, as a logit, shape (K,).

    It is the nearest to 0 of those whose F1 is no more than a standard error below the best one (L. Breiman et al.:
    Classification and Regression Trees, 1984, the rule for pruning): the best of few utterances is chance, and networks
    of unlike thresholds have unlike outputs. 0 where no utterance has the emotion.

    Of three utterances the last two have the emotion; from -2 on they alone are named:

    >>> best_thresholds(np.array([[-3.0], [-1.0], [1.0]]), np.array([[False], [True], [True]])).tolist()
    [-2.0]
    """
    return np.array([_threshold(outputs[:, column], values[:, column]) for column in range(outputs.shape[1])])


def _threshold(logits: np.ndarray, own: np.ndarray) -> float:
    if not own.any():
        return 0.0
    steps = np.linspace(0, 1, CANDIDATES)
    levels = np.unique(np.quantile(logits, steps, method="nearest"))
    between = (levels[1:] + levels[:-1]) / 2  # no utterance is on a threshold, where its last digit would decide
    candidates = np.append(between, [levels[0] - 1, 0.0])
    named = logits >= candidates[:, None]
    f1 = 2 * (named & own).sum(axis=1) / (named.sum(axis=1) + own.sum())
    best = f1.max()
    near = candidates[f1 >= best - np.sqrt(best * (1 - best) / own.sum())]
    return float(near[np.abs(near).argmin()])


def write(having: np.ndarray, names: tuple[str, ...]) -> str:
    """The emotions, as a list in JSON; of probabilities, those of 0.5 or more."""
    return json.dumps(_named(having, names), ensure_ascii=False)


def read(texts: Sequence[str], names: tuple[str, ...]) -> np.ndarray:
    """Whether each text has each emotion, shape (N, K), bool.

    Raises:
        ValueError: A text is not JSON.
    """
    return np.array([[name in json.loads(text) for name in names] for text in texts])


def label(having: np.ndarray, names: tuple[str, ...]) -> str:
    """The emotions with signs between them.

    >>> label(np.array([0.7, 0.1, 0.5]), ("anger", "joy", "surprise")), label(np.array([0.2]), ("anger",))
    ('anger|surprise', 'none')
    """
    return "|".join(_named(having, names)) or "none"


def _named(having: np.ndarray, names: tuple[str, ...]) -> list[str]:
    return [name for name, found in zip(names, having, strict=True) if found >= 0.5]


TASK = Task(
    name="multilabel",
    settings=MultilabelSettings,
    title="several emotions, or none",
    answer="emotions",
    plural="emotions",
    needs="emotions",
    targets=targets,
    predictions="label_scores",
    views={"label_sets": as_sets},
    encoding="labels",
    loss="bce",
    metrics=("macro_f1", "map"),
    aggregations=("mean", "maximum"),
    encode=encode,
    encode_arrays=encode_arrays,
    activate=activate,
    members=members,
    divergence=divergence,
    error=error,
    aggregate=aggregate,
    average=average,
    decide=show,
    show=show,
    unshow=unshow,
    write=write,
    read=read,
    label=label,
    champion="multilabel",
    number="score",
    stored="shown",
    thresholds=best_thresholds,
    traceable=Traceable(show=in_graph),
    decision="thresholds",
)
