"""A study's trials as records and as a table."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import optuna
from optuna.trial import FrozenTrial

from ..config import Value
from ..coordination import confirms, seconds_of, shown_trials, stored_definition, value_of, values_of
from ..metrics import Metric

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["StudyTrial", "trials_of", "trials_table"]


@dataclass(frozen=True, slots=True)
class StudyTrial:
    """One trial of a study."""

    number: int
    state: str
    """`COMPLETE`, `PRUNED`, `FAIL`, `RUNNING` or `WAITING`."""
    score: float | None
    """Pooled validation score of the objective; None unless the trial is complete."""
    seconds: float | None
    """None until it has ended."""
    values: Mapping[str, Value]
    """Dotted path to value of each setting that the study varies, or that trial 0 has otherwise than other trials."""
    confirms: int | None = None
    """The searched trial whose configuration it trains again on a fresh seed; None of a searched trial."""
    further: Mapping[str, float] = field(default_factory=dict)
    """Values by the objectives after the first, by name, of a complete trial."""


def trials_of(study: optuna.Study) -> list[StudyTrial]:
    """All trials of a study, by number."""
    several = len(study.directions) > 1
    further = [measure.name for measure in stored_definition(study).measures[1:]] if several else []
    return [_record(trial, further) for trial in shown_trials(study)]


def trials_table(trials: Sequence[StudyTrial], objective: Metric) -> "pd.DataFrame":
    """A row for each trial, by number: state, validation score, seconds, and a column for each path that varies.

    The column of the score is such as `validation_uar`. Where trials confirm others, `confirms` has their numbers.
    Objectives after the first have columns of their names.
    """
    import pandas as pd

    score = f"validation_{objective.name}"
    columns = ["number", "state", score, "seconds"]
    rows = [
        {
            "number": trial.number,
            "state": trial.state,
            score: trial.score,
            "seconds": trial.seconds,
            "confirms": trial.confirms,
            **trial.further,
            **trial.values,
        }
        for trial in trials
    ]
    confirmed = ["confirms"] if any(trial.confirms is not None for trial in trials) else []
    further = list(dict.fromkeys(name for trial in trials for name in trial.further))
    paths = sorted({path for trial in trials for path in trial.values})
    table = pd.DataFrame(rows, columns=[*columns, *further, *confirmed, *paths]).set_index("number")
    return table.astype({"confirms": "Int64"}) if confirmed else table


def _record(trial: FrozenTrial, further: Sequence[str]) -> StudyTrial:
    """A trial of Optuna as a record; `further` are the names of the objectives after the first."""
    complete = trial.state.name == "COMPLETE"
    return StudyTrial(
        number=trial.number,
        state=trial.state.name,
        score=value_of(trial) if complete else None,
        seconds=seconds_of(trial),
        values=values_of(trial),
        confirms=confirms(trial),
        further=dict(zip(further, trial.values[1:], strict=True)) if complete else {},
    )
