"""The learning-rate range test: on curves made up, and on a toy corpus."""

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
import torch

from ser_tune.errors import ConfigError
from ser_tune.training import AnyTrial, EpochReport, TrainingData, run_range_test
from ser_tune.training.descent import Probe, descend
from ser_tune.training.fitting import prepare_fold
from ser_tune.training.range_test import HIGHEST_RATE, LEAST_STEPS, LOWEST_RATE, rates_of, smooth, suggested_rate
from tests.goals import GOAL

TRAIN = np.arange(12)
STEPS = 120
QUICK = {"model__width": 0.03, "training__batch_size": 8}


def _curve(least_at: float, seed: int = 0) -> np.ndarray:
    """A loss that stays at 2, falls to 1 from a hundredth of a rate to that rate, and rises steeply; with noise."""
    decades = np.log10(rates_of(STEPS) / least_at)
    loss = np.interp(decades, [-2.0, 0.0, 0.5, 1.0], [2.0, 1.0, 2.5, 9.0])
    return loss + np.random.default_rng(seed).normal(0.0, 0.05, STEPS)


def test_rates_rise_by_one_factor_from_end_to_end() -> None:
    rates = rates_of(STEPS)
    assert (rates[0], rates[-1]) == pytest.approx((LOWEST_RATE, HIGHEST_RATE))
    np.testing.assert_allclose(rates[1:] / rates[:-1], 10 ** (6 / (STEPS - 1)))


@pytest.mark.parametrize("least_at", [1e-3, 1e-2, 1e-1])
@pytest.mark.parametrize("seed", range(5))
def test_a_tenth_of_the_rate_of_least_loss_is_suggested(least_at: float, seed: int) -> None:
    # The smoothed curve bottoms out before its sharp corner
    assert 0.04 * least_at < suggested_rate(rates_of(STEPS), smooth(_curve(least_at, seed), STEPS)) < 0.15 * least_at


def test_smoothing_keeps_a_line_and_takes_noise_away() -> None:
    line = np.linspace(3.0, 1.0, STEPS)
    np.testing.assert_allclose(smooth(line, STEPS)[20:-20], line[20:-20])
    noisy = line + np.random.default_rng(0).normal(0.0, 0.2, STEPS)
    assert np.std(smooth(noisy, STEPS) - line) < 0.5 * np.std(noisy - line)


def test_a_suggestion_has_two_digits_and_is_a_valid_setting() -> None:
    assert suggested_rate(np.array([1e-3, 0.0123456, 1.0]), np.array([2.0, 1.0, 2.0])) == 0.0012


@pytest.mark.parametrize("losses", [[2.0, 1.95, 2.3], [1.0, 2.0, 3.0], []])
def test_where_the_loss_falls_at_no_rate_nothing_is_suggested(losses: list[float]) -> None:
    with pytest.raises(ConfigError, match="the loss falls by less than 5% at every learning rate from 1e-06 to 1"):
        suggested_rate(rates_of(STEPS)[: len(losses)], np.array(losses))


@pytest.mark.slow
def test_a_small_corpus_is_passed_over_until_there_are_100_steps(
    config: Callable[..., AnyTrial], data: TrainingData
) -> None:
    found = run_range_test(config(**QUICK), data, TRAIN, seed=1, goal=GOAL)
    assert found.diverged or len(found.rates) >= 100
    assert len(found.rates) == len(found.losses) == len(found.smoothed)
    assert np.isfinite(found.losses).all()
    # It did learn on the way
    assert found.smoothed.min() < 0.8 * found.smoothed[0]
    assert found.suggestion == suggested_rate(found.rates, found.smoothed)


@pytest.mark.slow
def test_what_is_set_of_rate_schedule_epochs_and_averaging_has_no_say(
    config: Callable[..., AnyTrial], data: TrainingData, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("ser_tune.training.averaging.update_bn", lambda *_: pytest.fail("nobody is judged"))
    one, other = (
        run_range_test(config(**QUICK, **changes), data, TRAIN, seed=1, goal=GOAL)
        for changes in (
            {},
            {
                "optimizer__learning_rate": 0.5,
                "training__schedule": "cosine",
                "training__epochs": 1,
                "training__averaging": "ema",
            },
        )
    )
    np.testing.assert_allclose(one.losses, other.losses, rtol=1e-3)


@pytest.mark.slow
@pytest.mark.parametrize("stability", [0.0, 1.0], ids=["labelled", "stability"])
def test_rates_reach_the_highest_with_copies_in_as_many_steps_as_without(
    config: Callable[..., AnyTrial], data: TrainingData, monkeypatch: pytest.MonkeyPatch, stability: float
) -> None:
    monkeypatch.setattr("ser_tune.training.range_test.DIVERGED", np.inf)
    copied = replace(data, copies=(data.features, data.features))
    perturbed = {"perturbation__copies": 2, "perturbation__pitch_semitones": 1.0, "perturbation__stability": stability}
    wanted = config(**QUICK, **perturbed, optimizer__name="sgd")
    found = run_range_test(wanted, copied, TRAIN, seed=1, goal=GOAL)
    assert not found.diverged
    assert len(found.rates) == len(found.losses) >= LEAST_STEPS
    # All of them are steps of one rise
    np.testing.assert_allclose(found.rates, rates_of(len(found.rates)))
    clean = run_range_test(config(**QUICK, optimizer__name="sgd"), data, TRAIN, seed=1, goal=GOAL)
    assert len(found.rates) == len(clean.rates)


@pytest.mark.parametrize("end", [50.0, np.nan, np.inf])
def test_it_ends_where_the_loss_diverges(
    config: Callable[..., AnyTrial], data: TrainingData, monkeypatch: pytest.MonkeyPatch, end: float
) -> None:
    told: list[float] = []

    def descend_a_curve(_: object, __: object, probe: Probe) -> None:
        for number, loss in enumerate(_curve(1e-2)):
            told.append(loss if number < 90 else end)
            probe.on_step(torch.tensor(told[-1]))

    monkeypatch.setattr("ser_tune.training.range_test.descend", descend_a_curve)
    found = run_range_test(config(**QUICK), data, TRAIN, seed=1, goal=GOAL)
    assert found.diverged
    assert 88 <= len(found.rates) == len(found.losses) < 95 < STEPS
    assert np.isfinite(found.losses).all()
    assert len(told) - len(found.losses) == (0 if end == 50.0 else 1)  # what is not finite is not kept


@pytest.mark.slow
def test_only_the_training_speakers_are_read(
    config: Callable[..., AnyTrial],
    data: TrainingData,
    make_data: Callable[[np.ndarray, np.ndarray, np.ndarray], TrainingData],
) -> None:
    frames = data.features.frames.numpy().copy()
    frames[data.features.offsets[len(TRAIN)] :] = np.nan
    others = make_data(frames, data.features.offsets, np.where(np.arange(24) < 12, data.targets.values, 0))
    found, blind = (run_range_test(config(**QUICK), one, TRAIN, seed=1, goal=GOAL) for one in (data, others))
    np.testing.assert_array_equal(found.losses, blind.losses)


def test_being_told_of_steps_changes_no_training(config: Callable[..., AnyTrial], data: TrainingData) -> None:
    losses: list[torch.Tensor] = []
    reports: list[list[EpochReport]] = []
    for probe in (None, Probe(on_step=losses.append)):
        fold = prepare_fold(config(), data, TRAIN, np.arange(0), seed=1, goal=GOAL)
        history = descend(fold, lambda _: None, probe).history
        reports.append([replace(report, seconds=0.0, validation_loss=0, validation={}) for report in history])
    assert reports[0] == reports[1]
    assert len(losses) % len(reports[0]) == 0
    assert losses
