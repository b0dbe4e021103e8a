"""`gp`: Optuna's Gaussian process, with expected improvement."""

from optuna.samplers import GPSampler

from ...config import SearchSettings
from .base import Sampler

__all__ = ["SAMPLER"]


def build(settings: SearchSettings, seed: int) -> GPSampler:
    """Make the sampler of a trial."""
    return GPSampler(n_startup_trials=settings.startup_trials, seed=seed)


SAMPLER = Sampler(
    name="gp",
    build=build,
    citation="J. Snoek et al.: Practical Bayesian Optimization of Machine Learning Algorithms, NIPS 2012",
)
