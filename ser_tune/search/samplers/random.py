"""`random`: independent draws from the ranges."""

from optuna.samplers import RandomSampler

from ...config import SearchSettings
from .base import Sampler

__all__ = ["SAMPLER"]


def build(settings: SearchSettings, seed: int) -> RandomSampler:
    """Make the sampler of a trial."""
    return RandomSampler(seed=seed)


SAMPLER = Sampler(
    name="random",
    build=build,
    citation="J. Bergstra, Y. Bengio: Random Search for Hyper-Parameter Optimization, JMLR 13, 2012",
)
