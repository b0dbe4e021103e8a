"""Pruners, one a file. To add one: a module with a `PRUNER`, and its line here."""

from collections.abc import Iterable

from ...components import Catalogue, Library
from .base import JudgedTrial, Pruner, Unpruned

__all__ = ["PRUNERS", "JudgedTrial", "Pruner", "Unpruned"]


def _optuna_names() -> Iterable[str]:
    from .optuna_pruner import names  # imports Optuna, which listing the names of the others does not need

    return names()


def _optuna_pruner(name: str) -> Pruner | None:
    from .optuna_pruner import pruner_of

    return pruner_of(name)


PRUNERS: Catalogue[Pruner] = Catalogue(
    kind="pruner",
    component=Pruner,
    package=__name__,
    modules={"none": "none", "racing": "racing"},
    attribute="PRUNER",
    group="ser_tune.pruners",
    library=Library(_optuna_names, _optuna_pruner),
)
