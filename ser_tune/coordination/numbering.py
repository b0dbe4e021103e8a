"""Numbers of trials, as users see them: places in the study, which an interruption does not change.

Optuna gives a trial that is run again a new number, so its numbers have holes after an interruption. Users see only
the last attempt of each place, and the place as its number. A study of an earlier version that has such holes keeps
Optuna's numbers, which its runs in MLflow have.
"""

import copy
from collections.abc import Iterable, Sequence

import optuna
from optuna.trial import FrozenTrial

from .optuna_internals import lookalike
from .stored_trials import place_of

__all__ = ["as_uninterrupted", "number_by_place", "number_of", "shown_trials"]

BY_PLACE = "numbered_by_place"
"""User attribute of a study whose trials are numbered by place."""


def number_by_place(study: optuna.Study) -> None:
    """Number a study's trials by place, unless some of them are known by other numbers; the caller holds its lock."""
    if BY_PLACE not in study.user_attrs:
        known = study.get_trials(deepcopy=False)
        study.set_user_attr(BY_PLACE, all(place_of(trial) == trial.number for trial in known))


def shown_trials(study: optuna.Study, known: Sequence[FrozenTrial] | None = None) -> list[FrozenTrial]:
    """A study's trials as users see them: the last attempt of each place, sorted by the number that users see.

    Args:
        study: The study.
        known: All its trials, as Optuna has them; None reads them.
    """
    trials = study.get_trials(deepcopy=False) if known is None else known
    return _attempts_as_trials(trials) if study.user_attrs.get(BY_PLACE) else list(trials)


def number_of(trial: optuna.Trial) -> int:
    """The number of a trial that begins, as users see it."""
    return place_of(trial) if trial.study.user_attrs.get(BY_PLACE) else trial.number


def as_uninterrupted(study: optuna.Study, trial: FrozenTrial) -> tuple[optuna.Study, FrozenTrial]:
    """A study and its trial for Optuna's samplers and pruners, as they would be without interruptions before the trial.

    Samplers read the order of trials from their numbers, and some draw by them.
    """
    place = place_of(trial)
    if trial.number == place:  # no earlier trial was run again
        return study, trial
    return lookalike(study, _attempts_as_trials), _numbered(trial, place)


def _attempts_as_trials(attempts: Iterable[FrozenTrial]) -> list[FrozenTrial]:
    """The last attempt of each place, as a trial whose number is the place, sorted by it."""
    last = {place_of(trial): trial for trial in sorted(attempts, key=lambda trial: trial.number)}
    return [_numbered(trial, place) for place, trial in sorted(last.items())]


def _numbered(trial: FrozenTrial, number: int) -> FrozenTrial:
    """The trial under another number; its values are shared, not copied."""
    if trial.number == number:
        return trial
    numbered = copy.copy(trial)
    numbered.number = number
    return numbered
