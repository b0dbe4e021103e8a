"""Settings of alignment and stability that do not fit an architecture, and of adaptation that do not fit a task."""

from typing import TYPE_CHECKING

from ..architectures import ARCHITECTURES
from ..config import AnyTrial
from ..errors import ConfigError
from ..tasks import Task

if TYPE_CHECKING:
    from .kinds import AnyStudy

__all__ = ["refuse_unfitting_adaptation", "refuse_unfitting_domains"]

CLASSED = ("classes", "distributions")
"""Kinds of predictions whose shown numbers are probabilities of classes that sum to 1."""


def refuse_unfitting_adaptation(config: "AnyStudy | AnyTrial", task: Task) -> None:
    """Refuse an adaptation by probabilities of classes where a task predicts none.

    Raises:
        ConfigError: The adaptation does not fit the task.
    """
    if config.adaptation.needs_classes and task.predictions not in CLASSED:
        raise ConfigError(
            f"adaptation.kind is {config.adaptation.kind}, which takes probabilities of classes; task {task.name} "
            f"predicts {task.predictions}: expected statistics or none"
        )


def refuse_unfitting_domains(config: "AnyStudy | AnyTrial") -> None:
    """Refuse an alignment of another kind of models, and stability where a solver has none.

    Raises:
        ConfigError: A setting does not fit the architecture.
    """
    architecture, kind = ARCHITECTURES.get(config.model.name), config.alignment.kind
    is_solved, stability = architecture.solve is not None, config.perturbation.stability
    if kind != "none" and config.alignment.is_solved != is_solved:
        fits = "none, adversarial or mean_teacher" if config.alignment.is_solved else "none, whitening or coral"
        trained = "solved" if is_solved else "trained by gradient descent"
        raise ConfigError(f"alignment.kind is {kind}, but {architecture.name} is {trained}; expected {fits}")
    if is_solved and not architecture.aligns and (kind != "none" or stability):
        path, value = ("alignment.kind", kind) if kind != "none" else ("perturbation.stability", f"{stability:g}")
        raise ConfigError(f"{path} is {value}, which the solver of {architecture.name} does without; leave it out")
