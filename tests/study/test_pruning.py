"""Fold ends go to one pruner and epochs to another, in real Optuna studies."""

import warnings
from collections.abc import Sequence

import optuna
import pytest
from optuna.pruners import BasePruner, NopPruner
from optuna.trial import FrozenTrial

from ser_tune.config import SearchSettings
from ser_tune.study.pruning import FoldAndEpochPruner, build_pruner, step_of

EPOCHS = 3


class Spy(BasePruner):
    """Says yes, and keeps the steps that it was shown."""

    def __init__(self, answer: bool) -> None:
        self.answer = answer
        self.shown: list[list[int]] = []

    def prune(self, study: optuna.Study, trial: FrozenTrial) -> bool:
        self.shown.append(sorted(trial.intermediate_values))
        return self.answer


@pytest.fixture(autouse=True)
def _quiet() -> None:
    optuna.logging.set_verbosity(optuna.logging.ERROR)


def _run(study: optuna.Study, folds: Sequence[float], epochs: Sequence[float] = (0.2, 0.3, 0.4)) -> bool:
    """Report a trial as the objective does; returns whether it was pruned."""
    trial = study.ask()
    for fold, end in enumerate(folds):
        for epoch, value in enumerate(epochs, start=1):
            trial.report(value, step_of(fold, epoch))
            if trial.should_prune():
                study.tell(trial, state=optuna.trial.TrialState.PRUNED)
                return True
        trial.report(end, step_of(fold, None))
        if fold < len(folds) - 1 and trial.should_prune():
            study.tell(trial, state=optuna.trial.TrialState.PRUNED)
            return True
    study.tell(trial, sum(folds) / len(folds))
    return False


def test_steps_of_all_folds_and_epochs_are_in_order_and_distinct() -> None:
    steps = [step_of(fold, epoch) for fold in range(3) for epoch in [*range(1, 1001), None]]
    assert steps == sorted(set(steps))


def test_epochs_are_judged_by_their_own_pruner_and_alone() -> None:
    folds, epochs = Spy(answer=False), Spy(answer=False)
    study = optuna.create_study(
        direction="maximize", pruner=FoldAndEpochPruner(between_folds=folds, between_epochs=epochs)
    )
    _run(study, [0.5, 0.6, 0.7])
    assert epochs.shown == [[step_of(fold, epoch)] for fold in range(3) for epoch in range(1, EPOCHS + 1)]


def test_fold_ends_are_judged_by_their_own_pruner_without_the_epochs() -> None:
    folds, epochs = Spy(answer=False), Spy(answer=False)
    study = optuna.create_study(
        direction="maximize", pruner=FoldAndEpochPruner(between_folds=folds, between_epochs=epochs)
    )
    _run(study, [0.5, 0.6, 0.7])
    ends = [step_of(fold, None) for fold in range(3)]
    assert folds.shown == [ends[:1], ends[:2]]


@pytest.mark.parametrize(("folds", "epochs"), [(True, False), (False, True)])
def test_either_pruner_can_end_a_trial(folds: bool, epochs: bool) -> None:
    pruner = FoldAndEpochPruner(between_folds=Spy(answer=folds), between_epochs=Spy(answer=epochs))
    assert _run(optuna.create_study(direction="maximize", pruner=pruner), [0.5, 0.6])


def test_a_trial_that_reported_nothing_goes_on() -> None:
    pruner = FoldAndEpochPruner(between_folds=Spy(answer=True), between_epochs=Spy(answer=True))
    study = optuna.create_study(direction="maximize", pruner=pruner)
    assert not study.ask().should_prune()


def _build(kind: str, **settings: int) -> BasePruner:
    return build_pruner(SearchSettings.model_validate({"pruner": kind, "median_trials": 2, **settings}))


@pytest.mark.parametrize("kind", ["wilcoxon", "median", "none"])
def test_every_pruner_can_be_built_without_a_warning(kind: str) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert isinstance(_build(kind), NopPruner if kind == "none" else FoldAndEpochPruner)


def test_wilcoxon_prunes_a_trial_that_is_worse_in_every_fold() -> None:
    study = optuna.create_study(direction="maximize", pruner=_build("wilcoxon"))
    assert not _run(study, [0.80, 0.82, 0.84, 0.86, 0.88, 0.90])
    assert _run(study, [0.60, 0.61, 0.62, 0.63, 0.64, 0.65])
    last = study.trials[-1].last_step
    assert last is not None
    # At four folds the test reaches p < 0.1, no earlier
    assert last == step_of(3, None)


def test_low_epochs_of_the_best_trial_do_not_shield_a_worse_one() -> None:
    # The best trial's mean over all that it reported is 0.35, below the fold ends of the worse one
    study = optuna.create_study(direction="maximize", pruner=_build("wilcoxon"))
    assert not _run(study, [0.80, 0.82, 0.84, 0.86, 0.88, 0.90], epochs=(0.1, 0.2, 0.3))
    assert _run(study, [0.60, 0.61, 0.62, 0.63, 0.64, 0.65], epochs=(0.1, 0.2, 0.3))


def test_wilcoxon_lets_a_better_trial_run() -> None:
    study = optuna.create_study(direction="maximize", pruner=_build("wilcoxon"))
    assert not _run(study, [0.60, 0.61, 0.62, 0.63, 0.64, 0.65])
    assert not _run(study, [0.80, 0.82, 0.84, 0.86, 0.88, 0.90])


def test_the_median_rule_waits_for_complete_trials_and_the_first_fold() -> None:
    study = optuna.create_study(direction="maximize", pruner=_build("median", warmup_folds=1))
    assert not _run(study, [0.9, 0.9], epochs=(0.7, 0.8, 0.9))
    assert not _run(study, [0.1, 0.1], epochs=(0.1, 0.1, 0.1))  # the second of two trials that it waits for
    assert not _run(study, [0.1], epochs=(0.0, 0.0, 0.0))  # bad, but in its first fold only
    assert _run(study, [0.1, 0.1], epochs=(0.0, 0.0, 0.0))
    assert study.trials[-1].last_step == step_of(1, 1)


def test_an_early_lucky_epoch_does_not_shield_a_trial() -> None:
    study = optuna.create_study(direction="maximize", pruner=_build("median", warmup_folds=0))
    for _ in range(2):
        assert not _run(study, [0.9], epochs=(0.5, 0.6, 0.7))
    assert _run(study, [0.9], epochs=(0.99, 0.1, 0.1))


def test_without_a_pruner_nothing_is_given_up() -> None:
    study = optuna.create_study(direction="maximize", pruner=_build("none"))
    for score in (0.9, 0.8, 0.1, 0.0):
        assert not _run(study, [score] * 6, epochs=(score,) * EPOCHS)
