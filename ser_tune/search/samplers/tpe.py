"""`tpe`: Optuna's multivariate tree-structured Parzen estimator."""

from optuna.samplers import TPESampler

from ...config import SearchSettings
from .base import Sampler

__all__ = ["SAMPLER"]


def build(settings: SearchSettings, seed: int) -> TPESampler:
    """Make the sampler of a trial."""
    return TPESampler(n_startup_trials=settings.startup_trials, multivariate=True, seed=seed)


SAMPLER = Sampler(
    name="tpe",
    build=build,
    citation="J. Bergstra et al.: Algorithms for Hyper-Parameter Optimization, NIPS 2011",
)
