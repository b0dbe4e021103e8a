"""The sampler of a study, whose random numbers depend on the trial's place."""

import warnings
import zlib
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import numpy as np
import optuna
from optuna.distributions import BaseDistribution
from optuna.samplers import BaseSampler
from optuna.trial import FrozenTrial, TrialState

from ..config import Choice, FloatRange, Range, SearchSettings, Value
from ..coordination import as_uninterrupted, place_of
from ..errors import StudyError
from .samplers import SAMPLERS

__all__ = ["PlaceSampler", "sample"]


class PlaceSampler(BaseSampler):
    """The sampler of a study's settings, with random numbers that depend on the trial's place alone.

    So an interrupted study, when it goes on, proposes what it would have proposed without the interruption.
    """

    def __init__(self, settings: SearchSettings) -> None:
        """Make the sampler of a search's settings.

        Raises:
            UnknownNameError: There is no such sampler.
        """
        self._settings, self._sampler = settings, SAMPLERS.get(settings.sampler)
        self._made: dict[tuple[int, int], BaseSampler] = {}

    def _of(self, trial: FrozenTrial) -> BaseSampler:
        # A repeated trial draws again from the start; the place of a new trial is not known when it begins
        attempt = (trial.number, place_of(trial))
        if attempt not in self._made:
            self._made = {attempt: self._build(place_of(trial))}
        return self._made[attempt]

    def before_trial(self, study: optuna.Study, trial: FrozenTrial) -> None:
        """As Optuna's sampler does."""
        with self._named_in_errors():
            self._of(trial).before_trial(*as_uninterrupted(study, trial))

    def infer_relative_search_space(self, study: optuna.Study, trial: FrozenTrial) -> dict[str, BaseDistribution]:
        """As Optuna's sampler does."""
        with self._named_in_errors():
            return self._of(trial).infer_relative_search_space(*as_uninterrupted(study, trial))

    def sample_relative(
        self, study: optuna.Study, trial: FrozenTrial, search_space: dict[str, BaseDistribution]
    ) -> dict[str, Any]:
        """As Optuna's sampler does."""
        with self._named_in_errors():
            return self._of(trial).sample_relative(*as_uninterrupted(study, trial), search_space)

    def sample_independent(
        self, study: optuna.Study, trial: FrozenTrial, param_name: str, param_distribution: BaseDistribution
    ) -> Any:  # noqa: ANN401 - so typed by Optuna
        """As Optuna's sampler does, with random numbers that depend on the parameter as well."""
        # The other values of a trial that was ended while they were drawn are not drawn again
        sampler = self._build(place_of(trial), zlib.crc32(param_name.encode()))
        with self._named_in_errors():
            return sampler.sample_independent(*as_uninterrupted(study, trial), param_name, param_distribution)

    def after_trial(
        self, study: optuna.Study, trial: FrozenTrial, state: TrialState, values: Sequence[float] | None
    ) -> None:
        """As Optuna's sampler does."""
        with self._named_in_errors():
            self._of(trial).after_trial(*as_uninterrupted(study, trial), state, values)

    @contextmanager
    def _named_in_errors(self) -> Iterator[None]:
        """Raise `StudyError`, which names the sampler, where a sampler that is not built in refuses the ranges."""
        try:
            yield
        except (ImportError, NotImplementedError, ValueError) as error:
            if self._sampler.name in SAMPLERS.modules:
                raise
            problem = str(error).rstrip(".")
            raise StudyError(f"sampler '{self._sampler.name}' cannot search these ranges: {problem}") from error

    def _build(self, *numbers: int) -> BaseSampler:
        """Optuna's sampler with random numbers that depend on these numbers."""
        seed = int(np.random.SeedSequence([self._settings.sampler_seed, *numbers]).generate_state(1)[0])
        with warnings.catch_warnings():
            # Optuna marks some as experimental, such as QMC and GP; the user chose them by name
            warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
            return self._sampler.build(self._settings, seed)


def sample(trial: optuna.Trial, search: Mapping[str, Range]) -> dict[str, Value]:
    """Draw a trial's value for every range, by dotted path."""
    return {path: _suggest(trial, path, span) for path, span in search.items()}


def _suggest(trial: optuna.Trial, path: str, span: Range) -> Value:
    if isinstance(span, Choice):
        chosen: Value = trial.suggest_categorical(path, span.choices)
        return chosen
    if isinstance(span, FloatRange):
        return trial.suggest_float(path, span.low, span.high, log=span.log)
    return trial.suggest_int(path, span.low, span.high, step=span.step, log=span.log)
