"""`dimensions`: continuous ratings such as arousal and valence. Outputs are ratings on the corpus's scale."""

import json
from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated, Literal

import numpy as np
from pydantic import Field, field_validator

from ..config import TaskSettings
from ..corpora import Utterance
from ..errors import CorpusError, valid_names
from .base import Targets, Task, Traceable

if TYPE_CHECKING:
    from torch import Tensor

__all__ = ["TASK", "DimensionsSettings", "read", "targets", "write"]


class DimensionsSettings(TaskSettings):
    """Continuous ratings."""

    name: Literal["dimensions"] = "dimensions"
    """The task."""
    names: tuple[str, ...] = ()
    """The dimensions, such as arousal; none means all that the corpus has. The first metric is the mean over them."""
    scale: tuple[Annotated[float, Field(allow_inf_nan=False)], Annotated[float, Field(allow_inf_nan=False)]] | None = (
        None
    )
    """Lowest and highest rating; none means those of the corpus, where it gives them."""

    @field_validator("names")
    @classmethod
    def _each_once(cls, names: tuple[str, ...]) -> tuple[str, ...]:
        if double := [name for name in names if names.count(name) > 1]:
            raise ValueError(f"task.names has {double[0]} twice: {', '.join(names)}")
        return names

    @field_validator("scale")
    @classmethod
    def _lowest_first(cls, scale: tuple[float, float] | None) -> tuple[float, float] | None:
        if scale is not None and scale[0] >= scale[1]:
            low, high = scale
            raise ValueError(f"task.scale is {low:g} to {high:g}; expected the lowest rating, then the highest")
        return scale


def targets(settings: DimensionsSettings, utterances: Sequence[Utterance]) -> Targets:
    """The ratings of each utterance, on the corpus's scale.

    Raises:
        CorpusError: An utterance lacks a dimension, or no utterance has one of `names`.
    """
    known = {name for utterance in utterances for name, _ in utterance.annotation.dimensions}
    names = settings.names or tuple(sorted(known))
    for name in settings.names:
        if known and name not in known:
            raise CorpusError(
                f"task.names has '{name}', which no utterance has; choose from {valid_names(name, sorted(known))}"
            )
    rows = []
    for utterance in utterances:
        rated = dict(utterance.annotation.dimensions)
        if missing := [name for name in names if name not in rated]:
            have = ", ".join(rated) or "none"
            raise CorpusError(
                f"utterance '{utterance.id}' has no rating of {missing[0]}, but {have}; expected {', '.join(names)}: "
                "choose dimensions that every utterance has by task.names"
            )
        rows.append([rated[name] for name in names])
    values = np.array(rows, dtype=np.float64)
    strata, scale = np.zeros(len(values), dtype=np.int64), settings.scale
    return Targets(
        names=names,
        values=values,
        strata=strata,
        stratum_names=("any",),
        required=False,
        scales=() if scale is None else (scale,) * len(names),
    )


def encode(values: "Tensor", _: int) -> "Tensor":
    """The ratings (B, D) as they are."""
    return values.float()


def encode_arrays(values: np.ndarray, _: int) -> np.ndarray:
    """The ratings (N, D) of an array as they are."""
    return values.astype(np.float32)


def activate(raw: "Tensor") -> "Tensor":
    """Raw outputs (B, D): they are ratings already."""
    return raw


def members(raw: "Tensor") -> "Tensor":
    """The mean of several networks' ratings (M, B, D)."""
    return raw.mean(dim=0)


def divergence(clean: "Tensor", copies: "Tensor") -> "Tensor":
    """Mean squared difference of ratings (B, D), in variances of the clean ones over the batch, which get no gradient.

    A batch of one segment, or of equal ratings, counts plain squares.
    """
    import torch

    variance = clean.detach().var(dim=0, correction=0)
    return ((clean - copies).square() / torch.where(variance > 0, variance, 1)).mean()


def error(outputs: np.ndarray, values: np.ndarray) -> float:
    """Mean squared error, in variances of the truth, mean over dimensions; of a constant truth, plain squares."""
    variance = values.var(axis=0)
    return float((np.square(outputs - values).mean(axis=0) / np.where(variance > 0, variance, 1)).mean())


def aggregate(outputs: np.ndarray, utterance: np.ndarray, how: str) -> np.ndarray:
    """Combine the ratings of every utterance's segments.

    Args:
        outputs: Of segments, shape (S, D).
        utterance: The number of each segment's utterance, shape (S,), counted from 0 without gaps.
        how: `mean` or `median`.

    Returns:
        Shape (U, D), float32.

    >>> aggregate(np.array([[1.0], [2.0], [6.0], [4.0]]), np.array([0, 0, 0, 1]), "median").tolist()
    [[2.0], [4.0]]
    """
    order = np.argsort(utterance, kind="stable")
    parts = np.split(outputs[order].astype(np.float64), np.flatnonzero(np.diff(utterance[order])) + 1)
    return np.stack([(np.mean if how == "mean" else np.median)(part, axis=0) for part in parts]).astype(np.float32)


def combine_in_graph(raw: "Tensor", how: str) -> "Tensor":
    """Combine the ratings of a single utterance's segments (S, D), shape (D,), float64."""
    import torch

    wide = raw.double()
    if how == "mean":
        return wide.mean(dim=0)
    last = torch.arange(wide.shape[0])[
        -1:
    ]  # a tensor, so that a graph takes any number of segments; ONNX has no median
    middle = torch.cat([last // 2, (last + 1) // 2])
    return wide.sort(dim=0).values[middle].mean(dim=0)


def average(outputs: Sequence[np.ndarray]) -> np.ndarray:
    """The mean of several networks' ratings, each (N, D)."""
    mean: np.ndarray = np.mean(outputs, axis=0)
    return mean


def same(ratings: np.ndarray) -> np.ndarray:
    """Ratings unchanged: metrics compare the networks' outputs, and tables show them."""
    return ratings


def write(rated: np.ndarray, names: tuple[str, ...]) -> str:
    """Ratings by dimension, as JSON."""
    return json.dumps(dict(zip(names, np.asarray(rated).tolist(), strict=True)), ensure_ascii=False)


def read(texts: Sequence[str], names: tuple[str, ...]) -> np.ndarray:
    """Ratings, shape (N, D), float64.

    Raises:
        KeyError: A text lacks a dimension.
        ValueError: A text is not JSON.
    """
    return np.array([[json.loads(text)[name] for name in names] for text in texts], dtype=np.float64)


def label(rated: np.ndarray, names: tuple[str, ...]) -> str:
    """Ratings with two decimals.

    >>> label(np.array([3.412, 2.1]), ("arousal", "valence"))
    'arousal 3.41, valence 2.10'
    """
    return ", ".join(f"{name} {rating:.2f}" for name, rating in zip(names, rated, strict=True))


def output_scale(values: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Mean and population standard deviation of training ratings (R, D), each (D,); a constant's deviation is 1."""
    spread = values.std(axis=0)
    return values.mean(axis=0), np.where(spread > 0, spread, 1.0)


TASK = Task(
    name="dimensions",
    settings=DimensionsSettings,
    title="continuous ratings",
    answer="dimension",
    needs="dimensions",
    targets=targets,
    predictions="dimensions",
    views={},
    encoding="values",
    loss="ccc",
    metrics=("ccc", "pcc", "mae", "rmse"),
    aggregations=("mean", "median"),
    encode=encode,
    encode_arrays=encode_arrays,
    activate=activate,
    members=members,
    divergence=divergence,
    error=error,
    aggregate=aggregate,
    average=average,
    decide=same,
    show=same,
    unshow=same,
    write=write,
    read=read,
    label=label,
    champion="dimensions",
    number="rating",
    named=False,
    error_metric="rmse",
    stored="shown",
    output_scale=output_scale,
    traceable=Traceable(show=combine_in_graph),
    decision="ratings",
)
