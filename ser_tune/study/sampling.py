"""How the search proposes values."""

import warnings
from collections.abc import Mapping

import optuna
from optuna.samplers import BaseSampler, GPSampler, QMCSampler, RandomSampler, TPESampler

from ..config import Choice, FloatRange, Range, SearchSettings, Value

__all__ = ["build_sampler", "sample"]


def build_sampler(settings: SearchSettings, trials_before: int) -> BaseSampler:
    """The sampler that a study asks for.

    Args:
        settings: Kind, seed, and trials that are sampled at random first.
        trials_before: Trials the study already has; a resumed study must not draw the same numbers again.
    """
    seed = settings.sampler_seed + trials_before
    with warnings.catch_warnings():
        # QMC and GP are marked experimental in Optuna; the user chose them by name
        warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
        if settings.sampler == "tpe":
            return TPESampler(n_startup_trials=settings.startup_trials, multivariate=True, seed=seed)
        if settings.sampler == "gp":
            return GPSampler(n_startup_trials=settings.startup_trials, seed=seed)
        if settings.sampler == "qmc":
            return QMCSampler(seed=settings.sampler_seed, scramble=True)
        return RandomSampler(seed=seed)


def sample(trial: optuna.Trial, search: Mapping[str, Range]) -> dict[str, Value]:
    """Draw a value for everything that varies.

    Args:
        trial: The trial to draw for.
        search: Dotted path to range.
    """
    return {path: _suggest(trial, path, span) for path, span in search.items()}


def _suggest(trial: optuna.Trial, path: str, span: Range) -> Value:
    if isinstance(span, Choice):
        chosen: Value = trial.suggest_categorical(path, span.choices)
        return chosen
    if isinstance(span, FloatRange):
        return trial.suggest_float(path, span.low, span.high, log=span.log)
    return trial.suggest_int(path, span.low, span.high, step=span.step, log=span.log)
