"""Numbers of trials: those of a study that was interrupted and killed are those of a study that nobody disturbed."""

from collections.abc import Callable, Sequence
from typing import Any

import optuna
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from optuna.trial import FrozenTrial, TrialState

from ser_tune.coordination import Watch, confirms, enqueue_unfinished, number_by_place, number_of, shown_trials
from ser_tune.coordination.locking import StorageLock
from ser_tune.coordination.processes import PROCESS
from ser_tune.search.place_sampler import PlaceSampler
from ser_tune.search.worker import OpenStudy, _claim

GONE = 2**22 + 1
"""No process has this number."""
Table = list[tuple[Any, ...]]
ENDS = ("killed", "interrupted")


@pytest.fixture(scope="module")
def opened_of(tiny: Callable[..., Any]) -> Callable[..., tuple[OpenStudy, Any]]:
    """An empty study in memory, and its definition, by sampler and share of confirmed trials."""

    def _opened_of(sampler: str, confirm: float, *, by_place: bool = True) -> tuple[OpenStudy, Any]:
        definition = tiny(
            **{
                "study.trials": 14,
                "study.confirm": confirm,
                "study.sampler": sampler,
                "study.startup_trials": 4,
            }
        )
        study = optuna.create_study(direction="maximize", sampler=PlaceSampler(definition.config.study))
        if by_place:
            number_by_place(study)
        return OpenStudy(study, StorageLock("sqlite:///none", ""), None), definition

    return _opened_of


def _drawn(trial: optuna.Trial, how_many: int) -> float:
    return sum(trial.suggest_float(name, 0.0, 1.0) * weight for name, weight in [("a", 3), ("b", 2)][:how_many])


def _disturbed(study: optuna.Study, trial: optuna.Trial, end: str) -> None:
    if end == "interrupted":
        study.tell(trial, state=TrialState.FAIL)
        enqueue_unfinished(study)
    else:
        host, _, *rest = trial.user_attrs[PROCESS]
        trial.set_user_attr(PROCESS, [host, GONE, *rest])


def _searched(opened: tuple[OpenStudy, Any], disturbances: Sequence[tuple[int, str, int]] = ()) -> Table:
    """Run a study; after so many attempts, one ends so, with so many values drawn. Return its trials, as shown."""
    (study, definition), told = (opened[0], opened[1]), list[int]()
    at = {attempt: (end, drawn) for attempt, end, drawn in disturbances}
    for attempt in range(1000):
        trial = _claim(study, definition, Watch(60))
        if trial == "none":
            break
        assert isinstance(trial, optuna.Trial)
        if attempt in at:
            end, drawn = at[attempt]
            _drawn(trial, drawn)
            _disturbed(study.study, trial, end)
            continue
        told.append(number_of(trial))
        value = _drawn(trial, 2)
        pruned = value < 1.5 and confirms(trial) is None
        study.study.tell(trial, None if pruned else value, state=TrialState.PRUNED if pruned else TrialState.COMPLETE)
    assert told == sorted(told)
    return [_row(trial) for trial in shown_trials(study.study)]


def _row(trial: FrozenTrial) -> tuple[Any, ...]:
    return trial.number, trial.state.name, trial.params, trial.values, confirms(trial)


@pytest.mark.parametrize("sampler", ["tpe", "random", "qmc", "NSGAIISampler"])
@given(
    disturbances=st.lists(
        st.tuples(st.integers(0, 20), st.sampled_from(ENDS), st.integers(0, 2)), min_size=1, max_size=4
    ),
    confirm=st.sampled_from([0.0, 0.4]),
)
@settings(max_examples=6, deadline=None)
def test_disturbances_change_no_number_and_no_value(
    sampler: str,
    disturbances: list[tuple[int, str, int]],
    confirm: float,
    opened_of: Callable[..., tuple[OpenStudy, Any]],
) -> None:
    if sampler == "qmc":  # its next point is counted by Optuna, in the commit that stores the values
        disturbances = [(attempt, end, drawn * 2 % 4) for attempt, end, drawn in disturbances]
    quiet = _searched(opened_of(sampler, confirm))
    assert [number for number, *_ in quiet] == list(range(14))
    assert _searched(opened_of(sampler, confirm), disturbances) == quiet


def test_a_study_whose_trials_are_known_by_other_numbers_keeps_them(
    opened_of: Callable[..., tuple[OpenStudy, Any]],
) -> None:
    """As one of an earlier version, in which a trial was run again: its runs in MLflow have Optuna's numbers."""
    opened, definition = opened_of("random", 0.0, by_place=False)
    for end in ("interrupted", ""):
        trial = _claim(opened, definition, Watch(60))
        assert isinstance(trial, optuna.Trial)
        if end:
            _disturbed(opened.study, trial, end)
        else:
            opened.study.tell(trial, 0.5)
    number_by_place(opened.study)
    later = _claim(opened, definition, Watch(60))
    assert isinstance(later, optuna.Trial)
    assert number_of(later) == later.number == 2
    assert [trial.number for trial in shown_trials(opened.study)] == [0, 1, 2]


def test_a_study_of_an_earlier_version_that_nobody_disturbed_is_numbered_by_place_from_now_on(
    opened_of: Callable[..., tuple[OpenStudy, Any]],
) -> None:
    opened, definition = opened_of("random", 0.0, by_place=False)
    trial = _claim(opened, definition, Watch(60))
    assert isinstance(trial, optuna.Trial)
    number_by_place(opened.study)
    _disturbed(opened.study, trial, "interrupted")
    again = _claim(opened, definition, Watch(60))
    assert isinstance(again, optuna.Trial)
    assert (again.number, number_of(again)) == (1, 0)
    assert [(trial.number, trial.state) for trial in shown_trials(opened.study)] == [(0, TrialState.RUNNING)]
