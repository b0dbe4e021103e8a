"""What a benchmark says, and what it is told."""

import importlib
import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from ser_tune.config import Project
from ser_tune.definition import StudyDefinition
from ser_tune.search import define_study

__all__ = ["Options", "Row", "definition", "measured", "project"]


@dataclass(frozen=True, slots=True)
class Options:
    """What every benchmark is told."""

    data: Path | None
    """EmoDB's folder; None takes the demo corpus."""
    quick: bool
    """Whether to do as little as shows that the benchmark runs; its numbers mean nothing."""
    scratch: Path
    """An empty folder of its own."""
    checkpoint: Path | None = None
    """Folder of a Whisper encoder; None leaves the benchmarks of encoders out."""

    @property
    def corpus(self) -> dict[str, object]:
        """Settings that choose the corpus."""
        return {"corpus.name": "demo"} if self.data is None else {"corpus.name": "emodb", "corpus.data": self.data}


@dataclass(frozen=True, slots=True)
class Row:
    """One number, and what was hoped for."""

    what: str
    product: float
    unit: str
    plain: float | None = None
    """What it is compared with, from the same run: the straightforward implementation unless `what` names another."""
    ratio: float | None = None
    """How many times faster the product is; of memory, how many times as much."""
    at_least: float | None = None
    """Goal of the ratio, or of the number where there is none."""
    below: float | None = None
    """Goal of the ratio, or of the number where there is none."""

    @property
    def met(self) -> bool | None:
        """Whether the goal is met; None where there is none."""
        judged = self.product if self.ratio is None else self.ratio
        if self.at_least is None and self.below is None:
            return None
        return judged >= (self.at_least or -math.inf) and judged < (math.inf if self.below is None else self.below)


def measured(name: str, options: "Options") -> list["Row"]:
    """What one of the benchmarks says."""
    rows: list[Row] = importlib.import_module(f".{name}", __package__).measure(options)
    return rows


def definition(settings: Mapping[str, object]) -> StudyDefinition:
    """A study of these settings; those of None keep their defaults."""
    return define_study(flags=settings)


def project(root: Path) -> Project:
    """A project of its own below a folder."""
    return Project(
        root=root,
        tracking_uri=f"sqlite:///{root}/mlruns/mlflow.db",
        storage_url=f"sqlite:///{root}/studies/optuna.db",
        cache=root / ".cache",
    )
