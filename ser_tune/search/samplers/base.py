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
    """Proposes a search's values; every module of this room defines a `SAMPLER`."""

    name: str
    build: "Callable[[SearchSettings, int], BaseSampler]"
    """From the study's search settings and a seed to Optuna's sampler. It is called for every trial, and again for
    every parameter that is drawn independently, each time with a seed of its own: proposals depend on the trials
    before, not on the process."""
    citation: str
