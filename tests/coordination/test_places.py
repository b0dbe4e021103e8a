"""Places: which trial is run again, and how often."""

from collections.abc import Callable
from typing import Any

import optuna
import pytest
from optuna.trial import TrialState

from ser_tune.coordination.locking import StorageLock
from ser_tune.coordination.processes import PROCESS, RETRIES, Watch, note_process, requeue_dead
from ser_tune.coordination.stored_trials import FAILURE, FOLDS_ENDED, is_counted, place_of
from ser_tune.coordination.trial_queue import enqueue_unfinished, take_place
from ser_tune.search.worker import OpenStudy, _claim


def _started(study: optuna.Study) -> optuna.Trial:
    trial = study.ask()
    take_place(trial)
    return trial


def _waiting(study: optuna.Study) -> list[int]:
    return [place_of(one) for one in study.get_trials(states=(TrialState.WAITING,))]


def test_trials_that_are_run_again_leave_no_place_out() -> None:
    study = optuna.create_study()
    places = []
    for _ in range(3):
        first = _started(study)
        study.tell(first, state=TrialState.FAIL)
        enqueue_unfinished(study)
        again = _started(study)
        study.tell(again, 0.5)
        places += [place_of(first), place_of(again)]
    assert places == [0, 0, 1, 1, 2, 2]


def test_what_failed_by_its_own_values_is_not_run_again() -> None:
    study = optuna.create_study()
    failed, interrupted, complete = (_started(study) for _ in range(3))
    failed.set_user_attr(FAILURE, "ValueError: too short")
    for trial in (failed, interrupted):
        study.tell(trial, state=TrialState.FAIL)
    study.tell(complete, 0.5)
    for _ in range(2):  # once is enough
        enqueue_unfinished(study)
        assert _waiting(study) == [1]


def _died(study: optuna.Study, *, folds: int) -> None:
    """Begin the next trial, and leave it with so many folds to a process that is gone."""
    trial = _started(study)
    assert place_of(trial) == 0
    note_process(trial)
    host, _, *rest = study.get_trials()[-1].user_attrs[PROCESS]
    trial.set_user_attr(PROCESS, [host, 2**22 + 1, *rest])  # no process has this number
    for fold in range(folds):
        trial.set_user_attr(FOLDS_ENDED, fold + 1)
    requeue_dead(study, Watch(60), limit=RETRIES)


def test_a_trial_that_ends_one_process_after_another_in_the_same_fold_has_failed() -> None:
    study = optuna.create_study()
    for _ in range(RETRIES):
        _died(study, folds=1)
        assert _waiting(study) == [0]
    _died(study, folds=0)  # while it read its stored fold
    assert _waiting(study) == []
    assert [is_counted(one) for one in study.get_trials()] == [False] * RETRIES + [True]
    assert study.get_trials()[-1].user_attrs[FAILURE] == "5 processes were killed, or died, in the same fold of it"


def test_a_trial_that_comes_further_is_run_again_however_often_its_process_died() -> None:
    study = optuna.create_study()
    for number in range(3 * RETRIES):
        _died(study, folds=number // RETRIES)
        assert _waiting(study) == [0]


def test_values_that_were_not_drawn_yet_are_not_lost() -> None:
    study = optuna.create_study()
    study.enqueue_trial({"a": 0.25, "b": 0.75})
    trial = _started(study)
    trial.suggest_float("a", 0, 1)
    study.tell(trial, state=TrialState.FAIL)
    enqueue_unfinished(study)
    again = _started(study)
    assert (again.suggest_float("a", 0, 1), again.suggest_float("b", 0, 1)) == (0.25, 0.75)


def test_a_claim_reads_the_trials_twice(monkeypatch: pytest.MonkeyPatch, tiny: Callable[..., Any]) -> None:
    """With a thousand workers a read takes a second, and all others wait for the lock."""
    study = optuna.create_study(direction="maximize")
    opened, reads = OpenStudy(study, StorageLock("sqlite:///none", ""), None), list[None]()
    read = study._storage.get_all_trials

    def counted(*arguments: Any, **keywords: Any) -> list[optuna.trial.FrozenTrial]:
        reads.append(None)
        return read(*arguments, **keywords)

    monkeypatch.setattr(study._storage, "get_all_trials", counted)
    first, second = (_claim(opened, tiny(**{"study.trials": 5, "study.confirm": 0}), Watch(60)) for _ in range(2))
    assert len(reads) == 4
    assert [place_of(one) for one in (first, second) if not isinstance(one, str)] == [0, 1]
