"""The Pareto front: equal to a brute-force front over the stored trials, whatever their values are."""

import math
from collections.abc import Sequence
from dataclasses import replace

import optuna
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from optuna.trial import FrozenTrial, TrialState, create_trial

from ser_tune.config import SearchSettings
from ser_tune.coordination import CONFIRMS, COSTS, CURVES, trial_as_stored
from ser_tune.definition import Plan
from ser_tune.metrics import METRICS, Ranking
from ser_tune.objectives import objectives_of
from ser_tune.search.confirmation import enqueue_confirmation, gain_of, left_of_plan
from ser_tune.search.front import BEYOND, candidates_first, front_of
from ser_tune.search.objective import Reporting, judge_of
from ser_tune.search.pruners import Unpruned
from ser_tune.tasks import TASKS

UAR = METRICS.get("uar")
SIZE = replace(UAR, name="size_mb", title="MB", higher_is_better=False, high=math.inf)
GAIN = replace(UAR, name="gain", title="gain", low=-math.inf, high=math.inf)
MEASURES = (UAR, SIZE, GAIN)


def _trial(number: int, values: Sequence[float], **attributes: int) -> FrozenTrial:
    made = create_trial(values=[0.0] * len(values), user_attrs=attributes)
    made.number, made._values = number, list(values)  # Optuna itself never stores NaN
    return made


def _brute_force(trials: Sequence[FrozenTrial], count: int) -> list[int]:
    """Numbers of the trials that no other dominates, by the words of the definition."""
    rankings = [Ranking(measure) for measure in MEASURES[:count]]

    def dominates(trial: FrozenTrial, other: FrozenTrial) -> bool:
        pairs = list(zip(rankings, trial.values, other.values, strict=True))
        no_worse = not any(ranking.is_better(theirs, ours) for ranking, ours, theirs in pairs)
        return no_worse and any(ranking.is_better(ours, theirs) for ranking, ours, theirs in pairs)

    known = [trial for trial in trials if not any(map(math.isnan, trial.values))]
    return [trial.number for trial in known if not any(dominates(other, trial) for other in known)]


# Few unlike values, so that ties are frequent
VALUE = st.sampled_from([-3.0, 0.0, 0.25, 0.5, 0.75, 1.0, 7.0]) | st.floats(-10, 10)
POINTS = st.integers(2, 3).flatmap(
    lambda count: st.lists(st.lists(VALUE | st.just(math.nan), min_size=count, max_size=count), max_size=12)
)


@settings(deadline=None)
@given(points=POINTS, again=st.lists(VALUE, max_size=2))
def test_the_front_is_that_of_brute_force(points: list[list[float]], again: list[float]) -> None:
    trials = [_trial(number, values) for number, values in enumerate(points)]
    count = len(points[0]) if points else 2
    confirming = [_trial(len(trials) + n, [value] * count, confirms=0) for n, value in enumerate(again)]
    front = front_of([*trials, *confirming], MEASURES[:count])
    expected = _brute_force(trials, count)
    if not expected:
        assert front is None
        return
    assert front is not None
    assert sorted(trial.number for trial in front.trials) == expected
    assert {trial.number: list(trial.values) for trial in front.trials} == {n: points[n] for n in expected}
    best_first = [(-trial.values[0], trial.number) for trial in front.trials]
    assert best_first == sorted(best_first)
    assert 0.0 <= front.hypervolume <= 1.0
    for place, name in enumerate(front.names):
        best = Ranking(MEASURES[place]).best([points[n][place] for n in expected], lambda value: value)
        assert front.best_by(name).values[place] == best
    # The trials of the front come before all others, whose order is by the primary objective alone
    order = [trial.number for trial in candidates_first([*trials, *confirming], MEASURES[:count])]
    assert order[: len(expected)] == [trial.number for trial in front.trials]
    assert sorted(order) == [trial.number for trial in trials]


@settings(deadline=None)
@given(st.lists(st.tuples(st.floats(0, 1), st.floats(0, 9)), min_size=1, max_size=8), st.randoms())
def test_the_front_and_its_hypervolume_do_not_depend_on_the_order_of_trials(
    points: list[tuple[float, float]], random: st.DrawFn
) -> None:
    trials = [_trial(number, values) for number, values in enumerate(points)]
    front = front_of(trials, MEASURES[:2])
    random.shuffle(trials)  # type: ignore[attr-defined]
    assert front_of(trials, MEASURES[:2]) == front


def test_the_hypervolume_is_the_dominated_share_of_the_box_from_the_reference_to_the_ideal_point() -> None:
    trials = [_trial(n, values) for n, values in enumerate([(0.5, 4.0), (0.9, 10.0), (0.4, 5.0), (0.2, 1.0)])]
    front = front_of(trials, (UAR, SIZE))
    assert front is not None
    assert [trial.number for trial in front.trials] == [1, 0, 3]
    worst = 10.0 * (1 + BEYOND)
    assert front.reference == pytest.approx((0.0, worst))
    area = 0.9 * (worst - 10) + 0.5 * (10 - 4) + 0.2 * (4 - 1)
    assert front.hypervolume == pytest.approx(area / worst)
    assert front.sentence == (
        f"Pareto front: 3 of 4 complete trials, hypervolume {area / worst:.4f} (reference point uar 0, size_mb 11)"
    )


@pytest.mark.parametrize(("values", "share"), [([(0.5, 2.0)], 0.5 * (1 - 2 / 2.2)), ([(0.5, 0.0)], 0.5)])
def test_a_single_trial_dominates_a_share_too(values: list[tuple[float, float]], share: float) -> None:
    front = front_of([_trial(0, values[0])], (UAR, SIZE))
    assert front is not None
    assert front.hypervolume == pytest.approx(share)


def test_a_study_with_one_objective_has_no_front_and_its_candidates_are_the_best_first() -> None:
    trials = [_trial(number, [value]) for number, value in enumerate([0.2, 0.7, 0.7, 0.4])]
    assert front_of(trials, (UAR,)) is None
    assert [trial.number for trial in candidates_first(trials, (UAR,))] == [1, 2, 3, 0]
    pruned = create_trial(state=TrialState.PRUNED)
    assert front_of([pruned], (UAR, SIZE)) is None


def _stored(points: Sequence[tuple[float, float]]) -> optuna.Study:
    """A study with these complete trials of five folds, whose sizes are known."""
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    study = optuna.create_study(directions=["maximize", "minimize"])
    for number, (value, size) in enumerate(points):
        curves = [[value + 0.01 * ((number + fold) % 3 - 1)] for fold in range(5)]
        study.add_trial(create_trial(values=[value, size], user_attrs={CURVES: curves, COSTS: {"size_mb": size}}))
    return study


def test_the_front_is_confirmed_before_better_trials_that_are_not_on_it_and_the_best_of_them_wins() -> None:
    points = [(0.5, 5.0), (0.9, 9.0), (0.89, 9.5), (0.88, 9.6), (0.6, 2.0), (0.3, 1.0), (0.2, 3.0)]
    plan, measures = Plan(searched=7, confirmed=6, seeds=1), (UAR, SIZE)
    study = _stored(points)
    assert left_of_plan(study.get_trials(), plan, measures) == 6
    begun = []
    for _ in range(6):
        enqueue_confirmation(study, plan, measures)
        trial = study.ask()
        begun.append(trial.user_attrs[CONFIRMS])
        # On a fresh seed the smaller network of the front is better
        study.tell(trial, [0.7 if begun[-1] == 4 else 0.4, points[begun[-1]][1]])
    # The front, the next best trial, then the first one and the median one to compare with
    assert begun[:4] == [1, 4, 5, 2]
    assert 0 in begun
    assert left_of_plan(study.get_trials(), plan, measures) == 0
    gain = gain_of(study.get_trials(), plan, measures)
    assert gain is not None
    assert (gain.winner.trial, gain.winner.objective) == (4, UAR)
    assert gain.first is not None
    assert gain.first.trial == 0


@pytest.mark.parametrize(
    ("size", "is_given_up"),
    [
        (4.0, True),  # all others are as small, and much better
        (9.0, True),
        (3.9, False),  # smaller than any: a poor score may be the best of its size
        (4.5, True),
    ],
)
def test_a_trial_is_given_up_only_where_trials_as_small_are_much_better(size: float, is_given_up: bool) -> None:
    study = _stored([(0.8, 4.0), (0.82, 4.0), (0.81, 4.0), (0.8, 4.0), (0.79, 4.0), (0.1, 3.0)])
    trial = study.ask()
    trial.set_user_attr(COSTS, {"size_mb": size})
    task = TASKS.get("classification")
    settings = SearchSettings(race_after=5, race_error=0.2)
    further = objectives_of(["uar", "size_mb"], task)[1:]
    judge = Reporting(trial, judge_of(trial, settings, folds=5, metric=UAR, further=further))
    reasons = [judge.after_fold(position, 0.1) for position in judge.order]
    assert any(reasons) == is_given_up
    # A value that is known only after the training ends nothing
    unknown = objectives_of(["uar", "size_mb", "worst_group_uar:speaker"], task)[1:]
    assert isinstance(judge_of(trial, settings, folds=5, metric=UAR, further=unknown), Unpruned)
    assert trial_as_stored(trial).intermediate_values == {}
