"""The object that every objective of a study is, and the trial that it is a value of."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, TypeAlias

import numpy as np

from ..corpora import Corpus
from ..metrics import Metric
from ..resampling import Scores
from ..tasks import Targets

if TYPE_CHECKING:
    from ..prediction import Recipe
    from ..training import FittedNetwork

__all__ = ["CompleteTrial", "FindMetric", "ObjectiveKind", "StudyObjective", "cost"]

FindMetric: TypeAlias = Callable[[str], Metric | None]
"""Returns a metric of a task's predictions by its name; None where there is no metric of this name."""


@dataclass(frozen=True, slots=True)
class CompleteTrial:
    """A trial whose folds are all trained."""

    recipe: "Recipe"
    corpus: Corpus
    targets: Targets
    networks: "Sequence[FittedNetwork]"
    """The network of each fold."""
    validation: Sequence[np.ndarray]
    """Numbers of each fold's validation utterances, shape (V,)."""
    predicted: Sequence[np.ndarray]
    """Predictions of each fold's network for them, shape (V, ...)."""
    scores: Scores
    """Pooled validation scores, by the metric's name."""
    threads: int | str
    """CPU threads that trained it; `auto` is torch's number."""
    cache: Path
    """The project's cache folder."""
    progressed: Callable[[int, int], None] = lambda done, total: None
    """Called with the number of utterances whose features are extracted for a value, and of all."""

    @property
    def pooled(self) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Numbers, values and predictions of the validation utterances of all folds, one fold after another."""
        numbers = np.concatenate(self.validation)
        return numbers, self.targets.values[numbers], np.concatenate(self.predicted)


@dataclass(frozen=True, slots=True)
class StudyObjective:
    """An objective of a study; it has a value for every complete trial."""

    measure: Metric
    """Name, title, direction and range; for costs and other values that are no metric its sums cannot be computed."""
    of_trial: Callable[[CompleteTrial], float] | None = None
    """From a complete trial to its value, NaN where that is not defined; None where `of_recipe` has it."""
    of_recipe: "Callable[[Recipe], float] | None" = None
    """From a trial's recipe to its value, which is then known before training."""
    check: Callable[[Corpus], None] = lambda corpus: None
    """Raises `ConfigError` where a corpus lacks what it takes."""
    is_metric: bool = False
    """Whether it is a metric of the task's predictions, which can be the first objective."""
    of_device: bool = False
    """Whether its value depends on the machine: values of two machines are not compared."""

    @property
    def name(self) -> str:
        """As users type it."""
        return self.measure.name

    def value(self, trial: CompleteTrial) -> float:
        """The value of a complete trial; NaN where it is not defined."""
        if self.of_recipe is not None:
            return self.of_recipe(trial.recipe)
        assert self.of_trial is not None
        return self.of_trial(trial)


@dataclass(frozen=True, slots=True)
class ObjectiveKind:
    """A kind of objectives; every module of this room defines one as `OBJECTIVE`."""

    form: str
    """The form of its names, such as `stressed_METRIC`."""
    find: Callable[[str, FindMetric], StudyObjective | None]
    """From a name, and a function that finds a metric of the task's predictions by its name, to the objective; None
    where the name has another form."""


def cost(
    name: str,
    title: str,
    *,
    of_recipe: "Callable[[Recipe], float] | None" = None,
    of_trial: Callable[[CompleteTrial], float] | None = None,
    of_device: bool = False,
) -> ObjectiveKind:
    """Make the kind of a cost, which has one name and no highest value, and is better when lower."""
    measure = Metric(name, title, "", _no_sums, _no_sums, higher_is_better=False, high=float("inf"), scale="linear")
    objective = StudyObjective(measure, of_recipe=of_recipe, of_trial=of_trial, of_device=of_device)
    return ObjectiveKind(name, partial(_of_this_name, objective))


def _of_this_name(objective: StudyObjective, name: str, _: FindMetric) -> StudyObjective | None:
    return objective if name == objective.name else None


def _no_sums(*_: object) -> np.ndarray:
    raise NotImplementedError("a cost is no metric of predictions")
