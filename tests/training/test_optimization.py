"""Learning rates, step by step."""

import math
from typing import Any

import pytest
import torch
from pydantic import ValidationError
from torch import nn

from ser_tune.config import OptimizerSettings, TrainingSettings
from ser_tune.training.optimization import build_optimizer, build_schedule


def _rates(steps: int, **written: Any) -> list[float]:
    """The rate of every step where the peak is 1."""
    optimizer = build_optimizer(nn.Linear(2, 2), OptimizerSettings(learning_rate=1.0, name="sgd"))
    schedule = build_schedule(optimizer, TrainingSettings.model_validate(written), steps)
    rates = []
    for _ in range(steps):
        rates.append(schedule.get_last_lr()[0])
        optimizer.step()
        schedule.step()
    return rates


def test_a_warmup_rises_in_equal_steps_to_the_peak() -> None:
    assert _rates(10, schedule="constant", warmup=0.4) == pytest.approx([0.2, 0.4, 0.6, 0.8, *[1.0] * 6])
    falling = [(1 + math.cos(math.pi * step / 6)) / 2 for step in range(6)]
    assert _rates(10, schedule="cosine", warmup=0.4) == pytest.approx([0.2, 0.4, 0.6, 0.8, *falling])


@pytest.mark.parametrize("schedule", ["constant", "cosine"])
def test_a_warmup_of_less_than_a_step_is_none(schedule: str) -> None:
    assert _rates(10, schedule=schedule, warmup=0.09) == _rates(10, schedule=schedule)
    assert _rates(1, schedule=schedule, warmup=0.99) == [1.0]


def test_a_second_warmup_is_refused() -> None:
    with pytest.raises(
        ValidationError, match=r"training\.warmup is 0\.1, but training\.schedule one_cycle has a warm-up of its own"
    ):
        TrainingSettings(warmup=0.1)


def test_a_step_of_the_warmup_moves_the_weights_by_its_rate() -> None:
    network = nn.Linear(1, 1, bias=False)
    settings = OptimizerSettings(learning_rate=1.0, name="sgd", momentum=0.0, weight_decay=0.0)
    optimizer = build_optimizer(network, settings)
    schedule = build_schedule(optimizer, TrainingSettings(schedule="constant", warmup=0.5), 6)
    moved = []
    for _ in range(6):
        before = network.weight.item()
        network.weight.grad = torch.ones(1, 1)
        optimizer.step()
        schedule.step()
        moved.append(before - network.weight.item())
    assert moved == pytest.approx([0.25, 0.5, 0.75, 1.0, 1.0, 1.0])
