"""A study's trials as records and as a table."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import optuna
from optuna.trial import FrozenTrial

from ..config import Value
from ..coordination import confirms, values_of
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


def trials_of(study: optuna.Study) -> list[StudyTrial]:
    """All trials of a study, by number."""
    return [_record(trial) for trial in study.get_trials(deepcopy=False)]


def trials_table(trials: Sequence[StudyTrial], objective: Metric) -> "pd.DataFrame":
    """A row for each trial, by number: state, validation score, seconds, and a column for each path that varies.

    The column of the score is such as `validation_uar`. Where trials confirm others, `confirms` has their numbers.
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
            **trial.values,
        }
        for trial in trials
    ]
    confirmed = ["confirms"] if any(trial.confirms is not None for trial in trials) else []
    paths = sorted({path for trial in trials for path in trial.values})
    table = pd.DataFrame(rows, columns=[*columns, *confirmed, *paths]).set_index("number")
    return table.astype({"confirms": "Int64"}) if confirmed else table


def _record(trial: FrozenTrial) -> StudyTrial:
    """A trial of Optuna as a record."""
    complete = trial.state.name == "COMPLETE"
    return StudyTrial(
        number=trial.number,
        state=trial.state.name,
        score=trial.value if complete else None,
        seconds=None if trial.duration is None else trial.duration.total_seconds(),
        values=values_of(trial),
        confirms=confirms(trial),
    )
