"""Optimizers and schedules in the training of a fold."""

import math
from collections.abc import Callable

import numpy as np
import pytest
import torch
from torch import nn

from ser_tune.training import AnyTrial, TrainingData, fit
from ser_tune.training.descent import clip_gradients
from tests.goals import GOAL

Config = Callable[..., AnyTrial]
TRAIN, VALIDATION, NOBODY = np.arange(12), np.arange(12, 18), np.arange(0)


@pytest.mark.slow
@pytest.mark.parametrize("schedule", ["constant", "cosine", "one_cycle"])
@pytest.mark.parametrize("optimizer", ["adam", "adamw", "sgd"])
def test_every_schedule_and_optimizer_trains(config: Config, data: TrainingData, schedule: str, optimizer: str) -> None:
    wanted = config(training__schedule=schedule, optimizer__name=optimizer, optimizer__weight_decay=0.01)
    fitted = fit(wanted, data, TRAIN, VALIDATION, seed=1, goal=GOAL)
    assert fitted.history[-1].train_loss < fitted.history[0].train_loss
    rates = [report.learning_rate for report in fitted.history]
    if schedule == "constant":
        assert rates == pytest.approx([0.01] * 3)
    elif schedule == "cosine":
        assert rates == pytest.approx([0.01 * (1 + math.cos(math.pi * third / 3)) / 2 for third in (1, 2, 3)], abs=1e-9)
    else:
        assert rates[0] > rates[1] > rates[2]
        assert rates[2] < 0.001


def test_a_warmup_ends_after_its_fraction_of_the_epochs(config: Config, data: TrainingData) -> None:
    wanted = config(training__schedule="constant", training__warmup=0.5, training__epochs=4)
    fitted = fit(wanted, data, TRAIN, VALIDATION, seed=1, goal=GOAL)
    rates = [report.learning_rate for report in fitted.history]
    assert rates[0] == pytest.approx(0.005, abs=0.001)
    assert rates[1:] == pytest.approx([0.01] * 3, rel=0.15)
    assert rates[2:] == pytest.approx([0.01] * 2)


@pytest.mark.parametrize("schedule", ["cosine", "one_cycle"])
def test_a_single_step_is_enough_for_every_schedule(config: Config, data: TrainingData, schedule: str) -> None:
    wanted = config(training__epochs=1, training__batch_size=1024, training__schedule=schedule)
    fitted = fit(wanted, data, TRAIN, VALIDATION, seed=1, goal=GOAL)
    assert len(fitted.history) == 1


def test_sgd_without_momentum_trains(config: Config, data: TrainingData) -> None:
    wanted = config(optimizer__name="sgd", optimizer__momentum=0.0, optimizer__learning_rate=0.1)
    fitted = fit(wanted, data, TRAIN, VALIDATION, seed=1, goal=GOAL)
    assert fitted.history[-1].train_loss < fitted.history[0].train_loss


def test_weight_decay_leaves_norms_and_biases_alone(config: Config, data: TrainingData) -> None:
    # With SGD that does not see gradients (clipped to nothing), decay is all that happens
    wanted = config(
        optimizer__name="sgd",
        optimizer__momentum=0.0,
        optimizer__learning_rate=0.5,
        optimizer__weight_decay=0.5,
        training__gradient_clip_norm=1e-12,
        training__schedule="constant",
        training__epochs=1,
    )
    none = wanted.model_copy(update={"optimizer": wanted.optimizer.model_copy(update={"weight_decay": 0.0})})
    decayed, kept = (fit(one, data, TRAIN, NOBODY, seed=1, goal=GOAL).network for one in (wanted, none))
    for (name, after), (_, before) in zip(decayed.named_parameters(), kept.named_parameters(), strict=True):
        if before.ndim > 1:
            assert after.norm() < 0.8 * before.norm(), name
        else:
            torch.testing.assert_close(after, before, msg=name)


@pytest.mark.parametrize("longest", [1e-3, 0.5, 3.0, 100.0])
def test_gradients_are_clipped_as_torch_clips_them(longest: float) -> None:
    torch.manual_seed(0)
    ours, theirs = ([nn.Parameter(torch.zeros(4, 3)), nn.Parameter(torch.zeros(5))] for _ in range(2))
    for own, other in zip(ours, theirs, strict=True):
        own.grad = torch.randn_like(own)
        other.grad = own.grad.clone()
    before = [own.grad for own in ours]
    clip_gradients(ours, longest)
    nn.utils.clip_grad_norm_(theirs, longest)
    for own, kept, other in zip(ours, before, theirs, strict=True):
        assert own.grad is kept
        assert torch.equal(own.grad, other.grad)


def test_gradients_that_are_short_enough_are_not_read_again(monkeypatch: pytest.MonkeyPatch) -> None:
    weight = nn.Parameter(torch.zeros(4))
    weight.grad = torch.full((4,), 0.5)  # norm 1
    scaled: list[float] = []
    monkeypatch.setattr(nn.utils, "clip_grads_with_norm_", lambda *_: scaled.append(1.0))
    clip_gradients([weight], 1.1)
    assert scaled == []
    clip_gradients([weight], 1.0)
    assert scaled == [1.0]
