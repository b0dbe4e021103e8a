"""Samplers, one a file. To add one: a module with a `SAMPLER`, and its line here."""

from collections.abc import Iterable

from ...components import Catalogue, Library
from .base import Sampler

__all__ = ["SAMPLERS", "Sampler"]


def _optuna_names() -> Iterable[str]:
    from .optuna_sampler import names  # imports Optuna, which listing the names of the others does not need

    return names()


def _optuna_sampler(name: str) -> Sampler | None:
    from .optuna_sampler import sampler_of

    return sampler_of(name)


SAMPLERS: Catalogue[Sampler] = Catalogue(
    kind="sampler",
    component=Sampler,
    package=__name__,
    modules={"gp": "gp", "qmc": "qmc", "random": "random", "tpe": "tpe"},
    attribute="SAMPLER",
    group="ser_tune.samplers",
    library=Library(_optuna_names, _optuna_sampler),
)
