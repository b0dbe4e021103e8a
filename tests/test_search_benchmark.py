"""The simulation of `tests.benchmarks search`: its rules prune where the real ones do."""

import warnings

import numpy as np
import optuna
import pytest
from optuna.pruners import MedianPruner, WilcoxonPruner
from optuna.trial import TrialState, create_trial

from ser_tune.config import SearchSettings
from ser_tune.study.pruning import CURVES, race_of

from .benchmarks.rules import Racing, Today, running_scores

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
        assert (judge is None) == (race_of(settings, trials, FOLDS) is None)
