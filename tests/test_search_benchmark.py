"""The simulation of `tests.ser_tune_benchmarks search`: its rules prune where the real ones do."""

import warnings

import numpy as np
import optuna
import pytest
from optuna.pruners import MedianPruner, WilcoxonPruner
from optuna.trial import TrialState, create_trial

from ser_tune.config import SearchSettings
from ser_tune.coordination import CURVES
from ser_tune.definition import Plan
from ser_tune.metrics import METRICS
from ser_tune.search.pruners.racing import race_of

from .ser_tune_benchmarks.rules import Racing, Today, Unpruned, running_scores
from .ser_tune_benchmarks.search import at_random, confirmed, nearest_to_tpe, saved, selected, simulate
from .ser_tune_benchmarks.table import RECORDED, Table, Truth

pytestmark = pytest.mark.slow

FOLDS, EPOCHS = 10, 4
STEPS = 1002


@pytest.fixture
def curves() -> np.ndarray:
    """Trials (30, F, E), in steps that scores of real speakers have: some are equal."""
    rng = np.random.default_rng(0)
    means, rise = rng.uniform(0.3, 0.6, (30, 1, 1)), np.linspace(-0.2, 0, EPOCHS)
    noise = rng.normal(0, 0.08, (30, FOLDS, 1)) + rng.normal(0, 0.03, (30, FOLDS, EPOCHS))
    rounded: np.ndarray = np.round(means + rise + noise, 2)
    return rounded


def _optuna_gives_up(trial: np.ndarray, complete: np.ndarray) -> int | None:
    """Epochs after which version 0.1 gave a trial up, by Optuna's own pruners."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        wilcoxon = WilcoxonPruner(p_threshold=0.1)
        median = MedianPruner(n_startup_trials=5, n_warmup_steps=STEPS)
        between_folds, between_epochs = (optuna.create_study(direction="maximize") for _ in range(2))
        for one in complete:
            ends = {fold: float(uar) for fold, uar in enumerate(one[:, -1])}
            between_folds.add_trial(create_trial(value=float(one[:, -1].mean()), intermediate_values=ends))
            running = {
                fold * STEPS + epoch: float(running_scores(one[None])[0, fold, epoch])
                for fold in range(FOLDS)
                for epoch in range(EPOCHS)
            }
            between_epochs.add_trial(create_trial(value=float(one[:, -1].mean()), intermediate_values=running))
        for fold in range(FOLDS):
            for epoch in range(EPOCHS):
                now = {fold * STEPS + epoch: float(running_scores(trial[None])[0, fold, epoch])}
                state = create_trial(state=TrialState.RUNNING, intermediate_values=now)
                if median.prune(between_epochs, state):
                    return fold * EPOCHS + epoch + 1
            ends = {number: float(uar) for number, uar in enumerate(trial[: fold + 1, -1])}
            state = create_trial(state=TrialState.RUNNING, intermediate_values=ends)
            if fold < FOLDS - 1 and wilcoxon.prune(between_folds, state):
                return (fold + 1) * EPOCHS
    return None


@pytest.mark.parametrize("known", [1, 4, 12])
def test_the_simulated_rules_of_version_0_1_prune_where_optunas_pruners_do(curves: np.ndarray, known: int) -> None:
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    complete, others = curves[:known], curves[known:]
    judge = Today().judge(complete, complete[:, :, -1].mean(axis=1), known)
    assert judge is not None
    ours = [judge(one) for one in others]
    assert ours == [_optuna_gives_up(one, complete) for one in others]
    assert len({*ours}) > 2


def test_a_simulated_race_waits_as_long_as_a_real_one(curves: np.ndarray) -> None:
    for after, share, pruned in ((5, 0.2, 0), (5, 0.2, 19), (5, 0.2, 20), (6, 0.2, 0), (2, 0.0, 50)):
        settings = SearchSettings(race_after=after, complete_share=share)
        trials = [
            create_trial(value=float(one[:, -1].mean()), user_attrs={CURVES: one.tolist()}) for one in curves[:5]
        ] + [create_trial(state=TrialState.PRUNED)] * pruned
        judge = Racing(settings).judge(curves[:5], curves[:5, :, -1].mean(axis=1), 5 + pruned)
        assert (judge is None) == (race_of(settings, trials, FOLDS, METRICS.get("uar")) is None)


@pytest.fixture(scope="module")
def table() -> Table:
    return Table.read()


def test_the_recorded_file_is_small_and_holds_two_seeds_of_ten_folds(table: Table) -> None:
    assert RECORDED.stat().st_size < 2_000_000
    configurations, seeds, folds, epochs = table.curves.shape
    assert configurations == len(table.configurations) >= 120
    assert (seeds, folds, epochs) == (2, 10, table.about["study"]["config"]["training"]["epochs"])
    assert {*table.about} >= {"command", "commits", "versions"}
    assert all(table.search[path].contains(value) for one in table.configurations for path, value in one.items())
    # Each utterance of EmoDB is validated once, and no more of them are right than there are
    assert table.counts.sum() == 535
    assert (table.correct <= table.counts[:, None]).all()


def test_chance_decides_which_seed_a_study_sees(table: Table) -> None:
    seen = table.seen(np.random.default_rng(0))
    assert sorted([*seen.values, *seen.other_values]) == sorted(table.values.ravel())
    first = seen.values == table.values[:, 0]
    assert 0.2 < first.mean() < 0.8
    np.testing.assert_array_equal(seen.other_curves[first], table.curves[first, 1])


def test_an_unpruned_study_trains_as_many_trials_as_its_budget_has(table: Table) -> None:
    seen = table.seen(np.random.default_rng(0))
    study = simulate(seen, Unpruned(), at_random(seen, np.random.default_rng(0)), budget=7)
    assert study.complete == [True] * 7
    assert saved(seen, study) == 0
    assert selected(seen, study, 3 * seen.full) == max(study.tried[:3], key=lambda one: seen.values[one])
    assert selected(seen, study, seen.full - 1) is None


def test_a_pruned_study_spends_no_more_than_its_budget_and_a_trial(table: Table) -> None:
    seen = table.seen(np.random.default_rng(1))
    study = simulate(seen, Racing(), at_random(seen, np.random.default_rng(1)), budget=20)
    assert 20 * seen.full <= study.spent[-1] < 21 * seen.full
    assert len(study.tried) > 20
    assert not all(study.complete)
    assert 0 < saved(seen, study) < 1


def test_tpe_tries_no_configuration_twice(table: Table) -> None:
    seen = table.seen(np.random.default_rng(2))
    study = simulate(seen, Unpruned(), nearest_to_tpe(table, seen, np.random.default_rng(2)), budget=15)
    assert len({*study.tried}) == 15


def test_a_confirmed_study_takes_the_best_on_fresh_seeds_of_its_best_trials(table: Table) -> None:
    seen = table.seen(np.random.default_rng(3))
    study = simulate(seen, Unpruned(), at_random(seen, np.random.default_rng(3)), budget=20)
    best_first = sorted(study.tried[:16], key=lambda one: -seen.values[one])
    expected = np.zeros(len(table.values))
    expected[best_first[1]], expected[best_first[2]] = 0.5, 1.0  # the third is no candidate: two configurations compare
    plan, rng = Plan(searched=16, confirmed=4, seeds=1), np.random.default_rng(0)
    assert confirmed(seen, study, plan, Truth(expected, 0.0), rng) == best_first[1]
    assert confirmed(seen, study, Plan(searched=0), Truth(expected, 0.0), rng) is None


def test_what_is_expected_of_a_configuration_is_drawn_around_its_two_seeds(table: Table) -> None:
    drawn = [table.truth(np.random.default_rng(draw)) for draw in range(200)]
    assert drawn[0].deviation == pytest.approx(np.sqrt(table.values.var(axis=1, ddof=1).mean()))
    expected = np.array([one.expected for one in drawn])
    assert np.abs(expected.mean(axis=0) - table.values.mean(axis=1)).max() < 0.02
    assert expected.std(axis=0).mean() == pytest.approx(drawn[0].deviation / np.sqrt(2), rel=0.1)
