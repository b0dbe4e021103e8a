"""Confirmation: which configurations get fresh seeds, which of them wins, and that interruptions change neither."""

import math
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import optuna
import pytest
from hypothesis import given
from hypothesis import strategies as st
from optuna.trial import FrozenTrial, TrialState, create_trial

from ser_tune.coordination import confirms, load_study
from ser_tune.definition import Plan
from ser_tune.errors import StudyError
from ser_tune.metrics import METRICS, Metric
from ser_tune.project import Project
from ser_tune.search import selection_of, stored_sums
from ser_tune.search.confirmation import (
    enqueue_confirmation,
    gain_of,
    left_of_plan,
    refuse_without_randomness,
)

UAR = METRICS.get("uar")
LOSS = replace(UAR, name="loss", low=-math.inf, high=math.inf, higher_is_better=False)
PLAN = Plan(searched=6, confirmed=4, seeds=2)
SEARCHED = (0.5, 0.6, 0.9, 0.7, 0.8, 0.4)


def _trial(number: int, value: float | None, **attributes: int) -> FrozenTrial:
    state = TrialState.COMPLETE if value is not None else TrialState.PRUNED
    made = create_trial(state=state, value=value, user_attrs=attributes)
    made.number = number
    return made


def _searched() -> list[FrozenTrial]:
    return [_trial(number, value) for number, value in enumerate(SEARCHED)]


def _confirmed(scores: dict[int, Sequence[float]], start: int = 6) -> list[FrozenTrial]:
    pairs = [(number, seed, value) for number, own in scores.items() for seed, value in enumerate(own, start=1)]
    return [_trial(start + n, value, confirms=number, seed=seed) for n, (number, seed, value) in enumerate(pairs)]


@pytest.mark.parametrize(
    ("trials", "share", "expected"),
    [
        (50, 0.2, Plan(40, 5, 2)),
        (20, 0.2, Plan(16, 4, 1)),
        (30, 0.2, Plan(24, 6, 1)),
        (100, 0.2, Plan(82, 6, 3)),
        (50, 0.0, Plan(50)),
        (4, 0.2, Plan(4)),
    ],
)
def test_a_fifth_of_the_trials_confirms(trials: int, share: float, expected: Plan, tiny: Callable[..., Any]) -> None:
    assert tiny(**{"study.trials": trials, "study.confirm": share}).plan == expected
    assert expected.searched + expected.confirmed * expected.seeds == trials


def test_a_model_that_is_solved_is_not_confirmed(tiny: Callable[..., Any]) -> None:
    definition = tiny(**{"study.trials": 50})
    config = definition.config
    solved = config.model_copy(update={"model": config.model.model_copy(update={"name": "linear_probe"})})
    assert replace(definition, config=solved).plan == Plan(50)
    with pytest.raises(StudyError, match="'x' cannot be confirmed: linear_probe is solved without random numbers"):
        refuse_without_randomness("linear_probe", "study 'x' cannot be confirmed")
    refuse_without_randomness(config.model.name, "study 'x' cannot be confirmed")


def test_the_best_the_first_and_the_median_trial_get_fresh_seeds() -> None:
    study = optuna.create_study(direction="maximize")
    for one in _searched():
        study.add_trial(one)
    assert left_of_plan(study.get_trials(), PLAN, [UAR]) == 8
    begun = []
    while True:
        enqueue_confirmation(study, PLAN, [UAR])
        waiting = study.get_trials(states=(TrialState.WAITING,))
        if not waiting:
            break
        trial = study.ask()
        begun.append((confirms(trial), trial.user_attrs["seed"]))
        study.tell(trial, 0.5)
        assert left_of_plan(study.get_trials(), PLAN, [UAR]) == 8 - len(begun)
    # Trials 2 and 4 are the best, 1 is the median; seed by seed, so that all of them have about as many
    assert begun == [(2, 1), (4, 1), (0, 1), (1, 1), (2, 2), (4, 2), (0, 2), (1, 2)]


def test_nothing_is_confirmed_before_the_search_is_over() -> None:
    study = optuna.create_study(direction="maximize")
    for one in _searched()[:-1]:
        study.add_trial(one)
    enqueue_confirmation(study, PLAN, [UAR])
    assert study.get_trials(states=(TrialState.WAITING,)) == []
    assert left_of_plan(study.get_trials(), PLAN, [UAR]) == 1 + 8


def test_the_winner_has_the_best_mean_and_gives_the_median_of_its_seeds() -> None:
    fresh = _confirmed({2: (0.5, 0.7), 4: (0.66, 0.64), 0: (0.9, 0.9), 1: (0.3, 0.4)})
    found = gain_of([*_searched(), *fresh], PLAN, [UAR])
    assert found is not None
    # Trial 0 is only compared with: of what the search found, it is not among the best
    assert (found.winner.trial, found.winner.mean, found.winner.middle) == (4, pytest.approx(0.65), 9)
    assert found.first is not None
    assert found.first.scores == [0.9, 0.9]
    assert found.median is not None
    assert found.median.trial == 1


def test_there_is_no_winner_while_seeds_are_missing() -> None:
    assert gain_of(_searched(), PLAN, [UAR]) is None
    found = gain_of([*_searched(), *_confirmed({2: (0.5,), 4: (0.3, 0.4)})], PLAN, [UAR])
    assert found is not None
    assert found.winner.trial == 4


@given(
    searched=st.lists(st.integers(-8, 8), min_size=1, max_size=6),
    fresh=st.lists(st.tuples(st.integers(-8, 8), st.integers(-8, 8)), min_size=6, max_size=6),
)
def test_scores_of_any_sign_and_direction_are_confirmed_alike(
    searched: list[int], fresh: list[tuple[int, int]]
) -> None:
    def trials(sign: float, shift: float) -> list[FrozenTrial]:
        found = [_trial(number, sign * value / 8 + shift) for number, value in enumerate(searched)]
        again = {number: [sign * value / 8 + shift for value in fresh[number]] for number in range(len(searched))}
        return [*found, *_confirmed(again, start=len(searched))]

    def told(sign: float, shift: float, metric: Metric) -> tuple[object, ...]:
        found = gain_of(trials(sign, shift), PLAN, [metric])
        assert found is not None
        seeds = [getattr(found, name) for name in ("winner", "first", "median")]
        return tuple((one.trial, one.middle, sign * (one.mean - shift)) for one in seeds if one is not None)

    expected = told(1.0, 0.0, UAR)
    assert told(1.0, -2.0, UAR) == expected  # all below 0
    assert told(-1.0, 0.0, LOSS) == expected


@pytest.mark.slow
def test_a_study_ends_with_its_confirmation(run: Any, recorder: Any, project: Project) -> None:
    summary = run(10)
    assert (summary.complete + summary.pruned, recorder.started[0].trials_to_run) == (10, 10)
    assert [outcome.confirms for outcome in recorder.outcomes[:8]] == [None] * 8
    assert None not in [outcome.confirms for outcome in recorder.outcomes[8:]]
    seeds = [config.seed for _, config, _ in recorder.trials]
    assert (seeds[:8], set(seeds[8:])) == ([0] * 8, {1})
    by_number = {outcome.number: outcome for outcome in recorder.outcomes}
    for outcome in recorder.outcomes[8:]:
        assert outcome.config.optimizer == by_number[outcome.confirms].config.optimizer
        assert outcome.state == "COMPLETE"
    assert summary.gain is not None
    winner = summary.gain.winner
    assert summary.best == (winner.middle, by_number[winner.middle].scores["uar"].value)
    study, _ = load_study("one", project)
    assert len(study.trials) == 10
    for outcome in recorder.outcomes:  # what the correction of the choice needs is stored with each complete trial
        counts = stored_sums(study.trials[outcome.number])
        if outcome.state == "COMPLETE":
            assert counts is not None
            assert UAR.value(counts.sum(axis=0)) == pytest.approx(outcome.scores["uar"].value)
    corrected = selection_of(study)
    assert corrected is not None
    assert (corrected.winner, corrected.trials) == (winner.trial, summary.complete - 2)
    assert run(10).best == summary.best
    assert recorder.started[-1].trials_to_run == 0
    scores = {trial.number: trial.value for trial in study.trials[:8] if trial.value is not None}
    leader = max(
        scores, key=lambda number: (scores[number], -number)
    )  # progress goes on with it, not with a seed's score
    assert recorder.started[-1].before.leader == (leader, scores[leader])
    assert np.isfinite(winner.mean)

    # With a larger total the search goes on, and what is then best is confirmed
    more = run(15)
    searched = [one for one in load_study("one", project)[0].trials if confirms(one) is None]
    assert len(searched) == 12
    assert more.gain is not None
    assert load_study("one", project)[1].config.study.trials == 15
    best = max((one for one in searched if one.value is not None), key=lambda one: (one.value, -one.number))
    assert best.number in {confirms(one) for one in load_study("one", project)[0].trials}
