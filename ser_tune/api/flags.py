"""Keyword arguments that define a study: short names of settings, the same as the command line's options."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TypedDict

from ..definition import StudyDefinition
from ..search import define_study

__all__ = ["ConfigurationFlags", "StudyFlags", "define"]


class ConfigurationFlags(TypedDict, total=False):
    """What a configuration is trained on, and how it is called; None is as if it were not given."""

    model: str | None
    """The architecture."""
    corpus: str | None
    data: str | Path | None
    """The corpus's folder, or a manifest."""
    task: str | None
    features: str | None
    """The feature set."""
    holdout: Sequence[str] | None
    """Speakers that the search never sees."""
    folds: str | Path | None
    """A CSV path,fold,split of folds to use."""
    text_independent: bool
    """Whether folds share no spoken texts either."""
    name: str | None
    """The study's."""
    rule: str | None
    """When the best trial becomes champion: better, confident, robust, always, or a package's rule."""
    workers: int | None
    """Processes on this machine that train."""
    parallel: str | None
    """What the workers train at once: trials or folds."""
    executor: str | None
    """Where folds are trained: local, ray, or a package's executor."""
    ray_address: str | None


class StudyFlags(ConfigurationFlags, total=False):
    """The same, and how long and in what way to search."""

    trials: int | None
    per_gpu: int | None
    """Workers that share a GPU."""
    max_failures: int | str | None
    """Trials in a row that may fail before the study ends, or `none`."""
    stop_when_converged: bool
    """Whether the search ends where little is left to gain."""
    timeout: float | None
    """Seconds after which no trial is started."""
    sampler: str | None
    """How values are proposed: tpe, random, qmc, gp, a package's, or a class of optuna.samplers."""
    pruner: str | None
    """When trials are given up: racing, none, a package's, or a class of optuna.pruners."""
    warm_start: Sequence[str] | None
    """Studies of the same protocol whose five best trials are trained first."""
    keep_models: int | str | None
    """Trials whose models are kept: the best so many, or `all`."""


PATHS = {
    "model": "model.name",
    "corpus": "corpus.name",
    "data": "corpus.data",
    "task": "corpus.task",
    "features": "features.name",
    "holdout": "protocol.holdout",
    "folds": "protocol.folds_file",
    "text_independent": "protocol.text_independent",
    "name": "name",
    "rule": "study.promotion",
    "workers": "study.workers",
    "parallel": "study.parallel",
    "executor": "study.executor",
    "ray_address": "study.ray_address",
    "trials": "study.trials",
    "per_gpu": "study.per_gpu",
    "timeout": "study.timeout_s",
    "max_failures": "study.max_failures",
    "stop_when_converged": "study.stop_when_converged",
    "sampler": "study.sampler",
    "pruner": "study.pruner",
    "warm_start": "study.warm_start",
    "keep_models": "study.keep_models",
}
"""The setting of each flag."""


def define(
    file: str | Path | None,
    flags: ConfigurationFlags,
    settings: Mapping[str, object] | None,
    *,
    option: str = "--set",
) -> StudyDefinition:
    """Resolve a study.

    Args:
        file: A study file; flags win over it.
        flags: By name.
        settings: By dotted path; they win over both.
        option: Where the settings were written, as messages name it.

    Raises:
        TypeError: There is no such flag.
        ConfigError: A file cannot be read, a key is unknown, a value or range is invalid.
    """
    if unknown := flags.keys() - PATHS.keys():
        raise TypeError(f"unknown argument '{min(unknown)}'; choose from: {', '.join(sorted(PATHS))}")
    given = {PATHS[name]: value for name, value in flags.items()}
    for switch in ("text_independent", "stop_when_converged"):  # one that is off leaves the study file's value
        given[PATHS[switch]] = flags.get(switch) or None
    return define_study(None if file is None else Path(file), flags=given, settings=settings or {}, option=option)
