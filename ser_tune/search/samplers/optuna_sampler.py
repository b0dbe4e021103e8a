"""Any sampler class of Optuna, by its name."""

from collections.abc import Iterable

from optuna import samplers
from optuna.samplers import BaseSampler

from ...config import SearchSettings
from ..optuna_classes import class_named, names_of, object_of
from .base import Sampler

__all__ = ["names", "sampler_of"]

SEQUENCES = {"QMCSampler"}
"""Their points are those of one sequence, so all trials of a study share a seed."""


def names() -> Iterable[str]:
    """Names of Optuna's sampler classes whose objects need no arguments."""
    return names_of(samplers, BaseSampler)


def sampler_of(name: str) -> Sampler | None:
    """The component that makes objects of one of Optuna's classes; None where there is no such class.

    Args:
        name: Of the class, such as `CmaEsSampler`.

    Raises:
        ConfigError: Its objects need arguments, or a package that is not installed.
    """
    if (cls := class_named(name, samplers, BaseSampler)) is None:
        return None

    def build(settings: SearchSettings, seed: int) -> BaseSampler:
        seed = settings.sampler_seed if name in SEQUENCES else seed
        known = {"seed": seed, "n_startup_trials": settings.startup_trials}
        sampler: BaseSampler = object_of("sampler", cls, known)
        return sampler

    build(SearchSettings(), 0)
    return Sampler(name=name, build=build, citation="T. Akiba et al.: Optuna, KDD 2019, arXiv 1907.10902")
