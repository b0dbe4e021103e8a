"""A trial races against the best complete trials: it is given up where it cannot win, and nowhere else."""

import math
from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import optuna
import pytest
from optuna.trial import FrozenTrial, TrialState, create_trial

from ser_tune.config import SearchSettings
from ser_tune.coordination import CURVES
from ser_tune.coordination.stored_trials import CONFIRMS, OVERRIDES
from ser_tune.errors import ConfigError
from ser_tune.metrics import METRICS, Metric, Ranking
from ser_tune.search.objective import Reporting, judge_of
from ser_tune.search.pruners import PRUNERS, Unpruned
from ser_tune.search.pruners.racing import RIVALS, Race, race_of
from ser_tune.training import EpochReport

UAR = METRICS.get("uar")
FOLDS, EPOCHS = 10, 4
RISE = np.array([-0.3, -0.1, 0.05, 0.0])
"""What each epoch's UAR is above the last one's."""


def _curves(mean: float, *, noise: float = 0.05, seed: int = 0) -> np.ndarray:
    """Curves (F, E) of a trial: speakers differ, trials differ from speaker to speaker, and training helps."""
    speakers = np.random.default_rng(99).normal(0, 0.1, FOLDS)
    ends = np.random.default_rng(seed).normal(0, noise, FOLDS)
    ends += mean - ends.mean()
    curves: np.ndarray = (ends + speakers - speakers.mean())[:, None] + RISE
    return curves


def _complete(*means: float) -> np.ndarray:
    return np.stack([_curves(mean, seed=number) for number, mean in enumerate(means)])


COMPLETE = _complete(0.60, 0.60, 0.60, 0.55, 0.50)


def _given_up(curves: np.ndarray, complete: np.ndarray = COMPLETE, error: float = 0.2) -> tuple[int, int | None] | None:
    """Folds that ended before a trial is given up, and the epoch, which is None after a fold; None where it wins."""
    race = Race(complete, error=error)
    for number, fold in enumerate(race.order):
        for epoch in range(1, curves.shape[1]):
            if race.epoch_ended(fold, epoch, curves[fold, epoch - 1]):
                return number, epoch
        if race.fold_ended(fold, curves[fold, -1]) and number < len(curves) - 1:
            return number + 1, None
    return None


def test_a_trial_much_worse_than_the_best_is_given_up_early() -> None:
    given_up = _given_up(_curves(0.35, seed=7))
    assert given_up is not None
    assert given_up[0] <= 1


def test_a_better_trial_runs_to_the_end() -> None:
    assert _given_up(_curves(0.64, seed=7)) is None


def test_trials_as_good_as_the_best_are_given_up_as_seldom_as_the_error_allows() -> None:
    lost = [_given_up(_curves(0.6, seed=seed)) is not None for seed in range(100, 500)]
    assert np.mean(lost) <= 0.2


def test_a_larger_error_gives_trials_up_earlier() -> None:
    def folds(error: float) -> int:
        given_up = [_given_up(_curves(0.57, seed=seed), error=error) for seed in range(50)]
        return sum(FOLDS if one is None else one[0] for one in given_up)

    assert folds(0.4) < folds(0.01)


def test_a_trial_that_starts_slowly_is_not_given_up_where_others_did() -> None:
    slow = _curves(0.60, seed=9)
    slow[:, :2] = 0.0
    assert _given_up(slow) == (0, 1)
    assert _given_up(slow, np.concatenate([COMPLETE, slow[None]])) is None


def test_one_lucky_trial_is_not_what_all_others_are_measured_by() -> None:
    lucky = _curves(0.66, seed=3)[None]
    assert _given_up(_curves(0.62, seed=7), np.concatenate([lucky, COMPLETE])) is None
    assert RIVALS > 1


def test_folds_come_first_that_tell_most_about_the_mean_of_all() -> None:
    rng = np.random.default_rng(0)
    means, noise = np.linspace(0.4, 0.6, 8), rng.normal(0, 0.1, (8, FOLDS))
    noise[:, 6] = 0  # this speaker's UAR is the trial's own mean
    ends = means[:, None] + noise
    ends[:, 6] = ends.mean(axis=1)
    order = Race(np.repeat(ends[:, :, None], EPOCHS, axis=2), error=0.2).order
    assert order[0] == 6
    assert sorted(order) == list(range(FOLDS))


def _trial(mean: float, state: TrialState = TrialState.COMPLETE, seed: int = 0) -> FrozenTrial:
    curves = {CURVES: _curves(mean, seed=seed).tolist()} if state == TrialState.COMPLETE else {}
    return create_trial(state=state, value=mean if state == TrialState.COMPLETE else None, user_attrs=curves)


def _settings(**settings: object) -> SearchSettings:
    return SearchSettings.model_validate(settings)


def test_the_first_trials_run_to_the_end() -> None:
    trials = [_trial(0.6, seed=seed) for seed in range(4)]
    assert race_of(_settings(race_after=5), trials, FOLDS, UAR) is None
    assert race_of(_settings(race_after=4), trials, FOLDS, UAR) is not None


def test_a_share_of_the_trials_runs_to_the_end() -> None:
    trials = [_trial(0.6, seed=seed) for seed in range(5)] + [_trial(0.1, TrialState.PRUNED)] * 20
    assert race_of(_settings(complete_share=0.2), trials, FOLDS, UAR) is None
    assert race_of(_settings(complete_share=0.19), trials, FOLDS, UAR) is not None


@pytest.mark.parametrize("number", [1, 2])
def test_a_single_fold_is_no_race(number: int) -> None:
    attributes = {CURVES: [[0.5]] * number}
    trials = [create_trial(state=TrialState.COMPLETE, value=0.5, user_attrs=attributes) for _ in range(6)]
    assert (race_of(_settings(), trials, number, UAR) is None) == (number == 1)


GOOD = [0.6, 0.7, 0.65, 0.62, 0.68]
POOR = [0.2] * 5


def _ended(
    pruner: str, trials: Sequence[Sequence[float]], by: str = "judge", metric: Metric = UAR
) -> list[tuple[str, int]]:
    """For each trial of a study, why it was given up, and how many folds it had then.

    Args:
        pruner: Its name.
        trials: Scores of each trial's folds.
        by: Who decides: the `judge` that the name stands for, or `optuna`, by its own `should_prune`.
        metric: What the scores are.
    """
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    theirs = getattr(optuna.pruners, pruner)() if by == "optuna" else optuna.pruners.NopPruner()
    study = optuna.create_study(study_name="one", direction=Ranking(metric).direction, pruner=theirs)
    settings, ended = _settings(pruner="none" if by == "optuna" else pruner), []
    for scores in trials:
        trial, so_far, reason = study.ask(), list[float](), ""
        judge = Reporting(trial, judge_of(trial, settings, folds=len(scores), metric=metric))
        for position in judge.order:
            so_far.append(scores[position])
            reason = judge.after_fold(position, so_far[-1])
            if by == "optuna":
                reason = "pruned" if trial.should_prune() else ""
            if reason and len(so_far) < len(scores):
                break
        ended.append((reason, len(so_far)))
        trial.set_user_attr(CURVES, [[score] for score in scores])
        study.tell(trial, state=TrialState.PRUNED) if reason else study.tell(trial, float(np.mean(scores)))
    return ended


def test_none_lets_every_trial_run_to_the_end() -> None:
    assert _ended("none", [*[GOOD] * 6, POOR]) == [("", 5)] * 7


def test_racing_gives_a_poor_trial_up() -> None:
    *good, (reason, folds) = _ended("racing", [*[GOOD] * 6, POOR])
    assert good == [("", 5)] * 6
    assert folds < 5
    assert reason == f"racing: behind the best trials in {folds} paired folds"


@pytest.mark.parametrize("name", ["MedianPruner", "SuccessiveHalvingPruner", "HyperbandPruner", "NopPruner"])
def test_a_pruner_of_optuna_decides_after_each_fold_by_the_mean_of_the_folds_so_far(name: str) -> None:
    means = np.random.default_rng(4).uniform(0.3, 0.7, 24)
    trials = [_curves(mean, seed=number)[:, -1].tolist() for number, mean in enumerate(means)]
    ours, theirs = _ended(name, trials), _ended(name, trials, by="optuna")
    assert [(bool(reason), folds) for reason, folds in ours] == [(bool(reason), folds) for reason, folds in theirs]
    assert any(reason for reason, _ in ours) == (name != "NopPruner")
    for reason, folds in ours:
        assert reason in ("", f"{name}: hopeless by the mean of {folds} fold{'s' * (folds > 1)}")


@pytest.mark.parametrize("name", ["racing", "MedianPruner", "SuccessiveHalvingPruner"])
def test_trials_are_judged_alike_where_less_is_better(name: str) -> None:
    error = replace(UAR, name="error", title="error", low=-1.0, high=0.0, higher_is_better=False)
    means = np.random.default_rng(4).uniform(0.3, 0.7, 24)
    trials = [_curves(mean, seed=number)[:, -1] for number, mean in enumerate(means)]
    gained = _ended(name, [one.tolist() for one in trials])
    assert gained == _ended(name, [(-one).tolist() for one in trials], metric=error)
    assert any(reason for reason, _ in gained)


@pytest.mark.parametrize(("low", "high"), [(0.0, 1.0), (-math.inf, math.inf), (0.0, math.inf)])
@pytest.mark.parametrize("unit", [64.0, 1 / 64])
def test_trials_race_alike_in_any_unit(low: float, high: float, unit: float) -> None:
    ours, theirs = (replace(UAR, low=one * low, high=one * high) for one in (1.0, unit))
    means = np.random.default_rng(5).uniform(0.3, 0.7, 24)
    trials = [_curves(mean, seed=number)[:, -1] for number, mean in enumerate(means)]
    raced = _ended("racing", [one.tolist() for one in trials], metric=ours)
    assert raced == _ended("racing", [(unit * one).tolist() for one in trials], metric=theirs)
    assert any(reason for reason, _ in raced)


def test_trials_with_folds_without_a_score_are_no_rivals_and_what_has_no_score_ends_nothing() -> None:
    without = _curves(0.9, seed=9)
    without[0, -1] = math.nan
    trials = [_trial(0.6, seed=seed) for seed in range(4)]
    undefined = create_trial(state=TrialState.COMPLETE, value=0.9, user_attrs={CURVES: without.tolist()})
    assert race_of(_settings(race_after=5), [*trials, undefined], FOLDS, UAR) is None
    study = optuna.create_study(direction="maximize")
    for one in [*trials, _trial(0.6, seed=4), undefined]:
        study.add_trial(one)
    judge = judge_of(study.ask(), _settings(), folds=FOLDS, metric=UAR)
    report = EpochReport(epoch=1, train_loss=1.0, learning_rate=0.1, seconds=1.0)
    assert judge.after_epoch(judge.order[0], report) == ""
    assert judge.after_epoch(judge.order[0], replace(report, kept=0.0)) != ""
    assert judge.after_fold(judge.order[0], math.nan) == ""
    assert judge.after_fold(judge.order[1], 0.0) != ""


def test_a_confirming_trial_is_never_given_up() -> None:
    study = optuna.create_study(direction="maximize")
    for mean in (0.9, 0.9, 0.9, 0.9, 0.9, 0.9):
        study.add_trial(_trial(mean))
    study.enqueue_trial({}, user_attrs={CONFIRMS: 0})
    assert isinstance(judge_of(study.ask(), _settings(), folds=FOLDS, metric=UAR), Unpruned)


@pytest.mark.parametrize(
    ("name", "message"),
    [
        (
            "halving",
            "unknown pruner 'halving'; choose from: HyperbandPruner, MedianPruner, NopPruner, Successive.*, none",
        ),
        ("MedianPruned", "did you mean 'MedianPruner'"),
        ("BasePruner", "unknown pruner 'BasePruner'"),
        ("PercentilePruner", "pruner 'PercentilePruner' of Optuna needs percentile, which no setting gives; choose an"),
        ("PatientPruner", "pruner 'PatientPruner' of Optuna needs wrapped_pruner and patience, which no setting gives"),
        ("ThresholdPruner", "cannot be made with its defaults: Either lower or upper must be specified; choose anot"),
        ("WilcoxonPruner", "tests the scores of single folds, .* choose racing, which compares fold by fold"),
    ],
)
def test_a_pruner_that_cannot_be_used_is_refused(name: str, message: str) -> None:
    for ask in (PRUNERS.check, PRUNERS.get):
        with pytest.raises(ConfigError, match=message):
            ask(name)


def test_every_pruner_that_is_offered_can_be_had() -> None:
    assert PRUNERS.library is not None
    offered = [*PRUNERS.names(), *PRUNERS.library.names()]
    assert [PRUNERS.get(name).name for name in offered] == offered


def test_trials_without_curves_are_no_rivals() -> None:
    # Those that version 0.1 stored
    trials = [create_trial(state=TrialState.COMPLETE, value=0.9) for _ in range(9)]
    assert race_of(_settings(), trials, FOLDS, UAR) is None


def test_trials_of_other_numbers_of_epochs_race_against_each_other() -> None:
    trials = [_trial(0.6, seed=seed) for seed in range(5)]
    short = [fold[-2:] for fold in _curves(0.7, seed=5).tolist()]
    other = create_trial(state=TrialState.COMPLETE, value=0.7, user_attrs={CURVES: short})
    race = race_of(_settings(), [*trials, other], FOLDS, UAR)
    assert race is not None
    assert not race.epoch_ended(0, EPOCHS + 3, 0.7)
    assert not race.fold_ended(0, 0.7)


def test_a_rival_of_another_schedule_says_nothing_of_what_epochs_gain() -> None:
    trials = [_trial(0.6, seed=seed) for seed in range(5)]
    late = np.zeros((FOLDS, EPOCHS))
    late[:, -1] = 0.7

    def _race(**attributes: object) -> Race | None:
        attributes |= {CURVES: late.tolist()}
        other = create_trial(state=TrialState.COMPLETE, value=0.7, user_attrs=attributes)
        return race_of(_settings(), [*trials, other], FOLDS, UAR)

    same, published = _race(), _race(**{OVERRIDES: {"training.schedule": "constant"}})
    assert same is not None
    assert published is not None
    first = published.order[0]
    assert not same.epoch_ended(first, 1, 0.1)
    assert published.epoch_ended(first, 1, 0.1)


def test_the_best_trials_are_the_rivals_whenever_they_came() -> None:
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    trials = [_trial(mean, seed=seed) for seed, mean in enumerate((0.3, 0.6, 0.31, 0.6, 0.32, 0.6))]
    for order in (trials, trials[::-1]):
        race = race_of(_settings(), order, FOLDS, UAR)
        assert race is not None
        assert any(race.fold_ended(fold, _curves(0.32, seed=8)[fold, -1]) for fold in race.order[:3])


def test_a_search_without_a_pruner_reads_no_other_trials(monkeypatch: pytest.MonkeyPatch) -> None:
    study = optuna.create_study()
    trial = study.ask()
    monkeypatch.setattr(optuna.Study, "get_trials", lambda *_, **__: pytest.fail("other trials are read"))
    judge = judge_of(trial, SearchSettings(pruner="none"), folds=3, metric=METRICS.get("uar"))
    assert list(judge.order) == [0, 1, 2]
