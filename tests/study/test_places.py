"""Places: which trial is run again, and how often."""

import optuna
from optuna.trial import TrialState

from ser_tune.study.places import DIED, RETRIES, count_failure, enqueue_unfinished, place_of, take_place


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
    count_failure(failed, ValueError("too short"))
    for trial in (failed, interrupted):
        study.tell(trial, state=TrialState.FAIL)
    study.tell(complete, 0.5)
    for _ in range(2):  # once is enough
        enqueue_unfinished(study)
        assert _waiting(study) == [1]


def test_a_trial_that_ends_one_process_after_another_waits_for_the_next_session() -> None:
    study = optuna.create_study()
    for retried in (True, True, False):
        trial = _started(study)
        assert place_of(trial) == 0
        trial.set_user_attr(DIED, True)
        study.tell(trial, state=TrialState.FAIL)
        enqueue_unfinished(study, limit=RETRIES)
        assert _waiting(study) == [0] * retried
    enqueue_unfinished(study)
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
