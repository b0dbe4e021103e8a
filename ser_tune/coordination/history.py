"""The course of stored studies, read from Optuna's database alone: scores after each fold, each epoch and each trial.

Imports no torch.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

import optuna
from optuna.trial import FrozenTrial, TrialState

from ..config import Value
from ..project import Project
from .numbering import shown_trials
from .storage import storage_errors, storage_to_read
from .stored_trials import CURVES, confirms, is_counted, value_of, values_of

__all__ = ["TrialCourse", "read_courses"]


@dataclass(frozen=True, slots=True)
class TrialCourse:
    """A trial that runs or has ended."""

    number: int
    state: str
    """`COMPLETE`, `PRUNED`, `FAIL` or `RUNNING`."""
    score: float | None
    """Pooled validation score of the objective; None unless the trial is complete."""
    ended: datetime | None
    """Local time; None of a running trial."""
    after_folds: Sequence[float]
    """The mean of the folds' scores after each fold that has ended; empty where there are several objectives."""
    after_epochs: Sequence[Sequence[float]]
    """The score that each fold would keep after each epoch, of a complete trial."""
    values: Mapping[str, Value]
    """Dotted path to value of each setting that the study varies."""
    confirms: int | None
    """The searched trial that it trains again; None of a searched trial."""


def read_courses(project: Project, names: Collection[str]) -> dict[str, Sequence[TrialCourse]]:
    """The trials of some studies by study's name, running ones and those that count; changes nothing.

    Raises:
        StorageError: The database cannot be read.
    """
    url, found = project.storage_url, dict[str, Sequence[TrialCourse]]()
    if (storage := storage_to_read(project)) is not None:
        with storage_errors(url, "be read"):
            for name in names:
                trials = shown_trials(optuna.load_study(study_name=name, storage=storage))
                found[name] = [
                    _course(trial) for trial in trials if trial.state == TrialState.RUNNING or is_counted(trial)
                ]
    return found


def _course(trial: FrozenTrial) -> TrialCourse:
    return TrialCourse(
        number=trial.number,
        state=trial.state.name,
        score=value_of(trial) if trial.state == TrialState.COMPLETE else None,
        ended=trial.datetime_complete,
        after_folds=[value for _, value in sorted(trial.intermediate_values.items())],
        after_epochs=trial.user_attrs.get(CURVES, ()),
        values=values_of(trial),
        confirms=confirms(trial),
    )
