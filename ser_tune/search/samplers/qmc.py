"""`qmc`: a scrambled Sobol' sequence, which fills the ranges evenly."""

from optuna.samplers import QMCSampler, RandomSampler

from ...config import SearchSettings
from .base import Sampler

__all__ = ["SAMPLER"]


def build(settings: SearchSettings, seed: int) -> QMCSampler:
    """Make the sampler of a trial: one sequence for the study, whose points Optuna counts in its database."""
    return QMCSampler(seed=settings.sampler_seed, scramble=True, independent_sampler=RandomSampler(seed=seed))


SAMPLER = Sampler(
    name="qmc",
    build=build,
    citation="J. Bergstra, Y. Bengio: Random Search for Hyper-Parameter Optimization, JMLR 13, 2012",
)
