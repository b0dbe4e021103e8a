"""The rows that benchmarks return, and their options."""

import importlib
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:  # imported where needed: processes that compare other programs need none of it
    from ser_tune.definition import StudyDefinition
    from ser_tune.project import Project

__all__ = ["Options", "Row", "definition", "measured", "project", "slope"]


@dataclass(frozen=True, slots=True)
class Options:
    """Options of every benchmark."""

    data: Path | None
    """EmoDB's folder; None takes the demo corpus."""
    quick: bool
    """Whether to do as little as shows that the benchmark runs; its numbers mean nothing."""
    scratch: Path
    """An empty folder of its own."""
    checkpoint: Path | None = None
    """Folder of a Whisper encoder; None leaves the benchmarks of encoders out."""
    turns: int = 5
    """Turns of each of the ways that `ways.compared` compares; the result is their median."""

    @property
    def corpus(self) -> dict[str, object]:
        """Settings that choose the corpus."""
        return {"corpus.name": "demo"} if self.data is None else {"corpus.name": "emodb", "corpus.data": self.data}


@dataclass(frozen=True, slots=True)
class Row:
    """A number with its rivals and its goal; `ways.compared` makes rows of ways that take turns."""

    what: str
    product: float
    unit: str
    plain: float | None = None
    """The same of the plain way: what a tutorial has; of other rows, the number that `what` names as comparison."""
    skilled: float | None = None
    """The same of what a good engineer would write in fifty lines."""
    limit: float | None = None
    """The same of a program that reaches the measured speed of matrix products, or of memory, all the time."""
    ratio: float | None = None
    """How many times faster the product is than the good engineer, or without such a rival than the plain way, by the
    clock; of memory, how many times as much."""
    processor_ratio: float | None = None
    """The same of processor seconds."""
    share: float | None = None
    """Limit over product, in seconds: the share of the peak that the product reaches."""
    processor_s: Mapping[str, float] = field(default_factory=dict)
    """Processor seconds of product, plain, skilled and limit for the same work, where measured."""
    others: float = 0.0
    """Cores that other processes used before the turns; a goal is judged by processor seconds where it is above 0.2."""
    at_least: float | None = None
    """Goal of the ratio, or of the number where there is none."""
    below: float | None = None
    """Goal of the ratio, or of the number where there is none."""

    @property
    def judged(self) -> float:
        """The number that the goal is about."""
        if self.processor_ratio is not None and self.others > 0.2:
            return self.processor_ratio
        return self.product if self.ratio is None else self.ratio

    @property
    def met(self) -> bool | None:
        """Whether the goal is met; None where there is none."""
        if self.at_least is None and self.below is None:
            return None
        low, high = self.at_least or -math.inf, math.inf if self.below is None else self.below
        return low <= self.judged < high


def slope(sizes: Sequence[float], values: Sequence[float]) -> float:
    """The slope of a straight line through log values over log sizes: 1 is linear, 2 quadratic.

    >>> round(slope([10, 20, 40], [3, 6, 12]), 6)
    1.0
    """
    return float(np.polyfit(np.log(sizes), np.log(values), 1)[0])


def measured(name: str, options: "Options") -> list["Row"]:
    """The rows of a benchmark."""
    rows: list[Row] = importlib.import_module(f".{name}", __package__).measure(options)
    return rows


def definition(settings: Mapping[str, object]) -> "StudyDefinition":
    """A study of these settings; those of None keep their defaults."""
    from ser_tune.search import define_study

    return define_study(flags=settings)


def project(root: Path) -> "Project":
    """A project of its own below a folder."""
    from ser_tune.project import Project

    return Project(
        root=root,
        tracking_uri=f"sqlite:///{root}/mlruns/mlflow.db",
        storage_url=f"sqlite:///{root}/studies/optuna.db",
        cache=root / ".cache",
    )
