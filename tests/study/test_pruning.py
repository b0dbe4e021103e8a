"""Wilcoxon's test judges between folds, the median rule between epochs, in real Optuna studies."""

import warnings
from collections.abc import Sequence

import optuna
import pytest

from ser_tune.config import SearchSettings
from ser_tune.study.pruning import RUNNING_DIGITS, RUNNING_SCORES, build_pruner, fold_end, median_rule

EPOCHS = (0.2, 0.3, 0.4)


@pytest.fixture(autouse=True)
def _quiet() -> None:
    optuna.logging.set_verbosity(optuna.logging.ERROR)


def _settings(kind: str, **settings: int) -> SearchSettings:
    return SearchSettings.model_validate({"pruner": kind, "median_trials": 2, **settings})


def _study(kind: str, **settings: int) -> tuple[optuna.Study, SearchSettings]:
    chosen = _settings(kind, **settings)
    return optuna.create_study(direction="maximize", pruner=build_pruner(chosen)), chosen


def _run(
    study: optuna.Study, settings: SearchSettings, folds: Sequence[float], epochs: Sequence[float] = EPOCHS
) -> tuple[int, int | None] | None:
    """Run a trial as the objective does; returns the fold and epoch where it was given up, with None after a fold."""
    trial = study.ask()
    gives_up = median_rule(settings, study.get_trials(deepcopy=False))
    for fold, end in enumerate(folds):
        for epoch, running in enumerate(epochs, start=1):
            if gives_up(fold, epoch, running):
                study.tell(trial, state=optuna.trial.TrialState.PRUNED)
                return fold, epoch
        trial.report(end, fold_end(fold))
        if fold < len(folds) - 1 and trial.should_prune():
            study.tell(trial, state=optuna.trial.TrialState.PRUNED)
            return fold, None
    trial.set_user_attr(RUNNING_SCORES, [list(epochs)] * len(folds))
    study.tell(trial, sum(folds) / len(folds))
    return None


@pytest.mark.parametrize("kind", ["wilcoxon", "median", "none"])
def test_every_pruner_can_be_built_without_a_warning(kind: str) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        study, settings = _study(kind)
        assert _run(study, settings, [0.5, 0.6]) is None


def test_wilcoxon_prunes_a_trial_that_is_worse_in_every_fold() -> None:
    study = _study("wilcoxon")
    assert _run(*study, [0.80, 0.82, 0.84, 0.86, 0.88, 0.90]) is None
    # At four folds the test reaches p < 0.1, no earlier
    assert _run(*study, [0.60, 0.61, 0.62, 0.63, 0.64, 0.65]) == (3, None)


def test_folds_are_paired_with_those_of_an_old_trial_and_not_with_its_epochs() -> None:
    # Before, trials reported the running score of every epoch too. This one's first fold was its best by far
    study, settings = _study("wilcoxon")
    old, ends = study.ask(), [0.9, 0.5, 0.5, 0.5, 0.5, 0.5]
    for fold in range(len(ends)):
        for epoch in range(1, 6):
            old.report(sum(ends[: fold + 1]) / (fold + 1), fold * 1002 + epoch)
        old.report(ends[fold], fold * 1002 + 1001)
    study.tell(old, sum(ends) / len(ends))
    assert _run(study, settings, [0.30, 0.31, 0.32, 0.33, 0.34, 0.35]) == (3, None)
    assert _run(study, settings, [0.64] * 6) is None


def test_wilcoxon_lets_a_better_trial_run() -> None:
    study = _study("wilcoxon")
    assert _run(*study, [0.60, 0.61, 0.62, 0.63, 0.64, 0.65]) is None
    assert _run(*study, [0.80, 0.82, 0.84, 0.86, 0.88, 0.90]) is None


@pytest.mark.parametrize("kind", ["wilcoxon", "median"])
def test_the_median_rule_waits_for_complete_trials_and_the_first_fold(kind: str) -> None:
    study = _study(kind, warmup_folds=1)
    assert _run(*study, [0.9, 0.9], epochs=(0.7, 0.8, 0.9)) is None
    assert _run(*study, [0.1, 0.1], epochs=(0.1, 0.1, 0.1)) is None  # the second of two trials that it waits for
    assert _run(*study, [0.1], epochs=(0.0, 0.0, 0.0)) is None  # bad, but in its first fold only
    assert _run(*study, [0.1, 0.1], epochs=(0.0, 0.0, 0.0)) == (1, 1)


def test_trials_are_compared_at_the_same_fold_and_epoch() -> None:
    study = _study("median", warmup_folds=0)
    for _ in range(3):
        assert _run(*study, [0.9, 0.9], epochs=(0.5, 0.6, 0.7)) is None
    assert _run(*study, [0.9, 0.9], epochs=(0.5, 0.6, 0.69)) == (0, 3)
    assert _run(*study, [0.9, 0.9], epochs=(0.5, 0.6, 0.7, 0.1)) is None  # nobody else went as far as its last


def test_a_trial_that_is_as_good_as_those_stored_with_more_digits_goes_on() -> None:
    study, settings = _study("median", warmup_folds=0)
    for _ in range(2):
        assert _run(study, settings, [1 / 3], epochs=(1 / 3,)) is None
    assert _run(study, settings, [1 / 3], epochs=(round(1 / 3, RUNNING_DIGITS),)) is None


def test_an_early_lucky_epoch_does_not_shield_a_trial() -> None:
    study = _study("median", warmup_folds=0)
    for _ in range(2):
        assert _run(*study, [0.9], epochs=(0.5, 0.6, 0.7)) is None
    assert _run(*study, [0.9], epochs=(0.99, 0.1, 0.1)) == (0, 2)


def test_trials_without_running_scores_are_not_compared_with() -> None:
    study, settings = _study("median", warmup_folds=0)
    for _ in range(3):
        trial = study.ask()
        trial.report(0.9, 0)
        study.tell(trial, 0.9)
    assert _run(study, settings, [0.1], epochs=(0.0,)) is None


def test_without_a_pruner_nothing_is_given_up() -> None:
    study = _study("none")
    for score in (0.9, 0.8, 0.1, 0.0):
        assert _run(*study, [score] * 6, epochs=(score,) * 3) is None
