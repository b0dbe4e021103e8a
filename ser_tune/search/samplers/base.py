"""The object every sampler defines."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ...config import SearchSettings

if TYPE_CHECKING:
    from optuna.samplers import BaseSampler

__all__ = ["Sampler"]


@dataclass(frozen=True, slots=True)
class Sampler:
    """How a search proposes values; every module of this room defines one as `SAMPLER`."""

    name: str
    build: "Callable[[SearchSettings, int], BaseSampler]"
    """From the study's search settings and a seed to Optuna's sampler. It is called for every trial, and again for
    every parameter that is drawn independently, each time with a seed of its own: what a trial is proposed depends on
    the trials before it, not on what the process did before."""
    citation: str
