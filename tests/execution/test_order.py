"""Overlapping jobs are reported as if one had followed another."""

from typing import Any, cast

import pytest

from ser_tune.errors import NonFiniteLossError
from ser_tune.execution import InOrder
from ser_tune.training import EpochReport, FittedNetwork


def _report(epoch: int) -> EpochReport:
    return EpochReport(epoch=epoch, train_loss=1.0, learning_rate=0.1, seconds=1.0)


class _Fitted:
    def __init__(self, epochs: int) -> None:
        self.history = tuple(_report(epoch) for epoch in range(1, epochs + 1))


def _fitted(epochs: int) -> FittedNetwork:
    return cast("FittedNetwork", _Fitted(epochs))


@pytest.fixture
def told() -> list[Any]:
    return []


@pytest.fixture
def order(told: list[Any]) -> InOrder:
    return InOrder(
        on_epoch=lambda job, report: told.append((job, report.epoch)),
        keep=lambda job, _: told.append(f"kept {job}"),
    )


def test_epochs_of_a_later_job_wait_for_the_earlier_one(order: InOrder, told: list[Any]) -> None:
    order.epoch_ended(1, _report(1))
    order.epoch_ended(0, _report(1))
    assert told == [(0, 1)]
    order.job_ended(0, _fitted(1))
    order.epoch_ended(1, _report(2))
    assert told == [(0, 1), "kept 0"]  # nobody has looked at the first job's end yet
    assert order.take() is not None
    assert told == [(0, 1), "kept 0", (1, 1), (1, 2)]


def test_a_job_that_ends_early_is_kept_at_once_and_taken_in_its_turn(order: InOrder, told: list[Any]) -> None:
    first, second = _fitted(1), _fitted(1)
    order.job_ended(1, second)
    assert told == ["kept 1"]
    assert order.take() is None
    order.job_ended(0, first)
    assert [order.take(), order.take()] == [first, second]


def test_epochs_that_nobody_reported_are_read_from_the_result(order: InOrder, told: list[Any]) -> None:
    order.epoch_ended(0, _report(1))
    order.job_ended(0, _fitted(3))
    assert told == [(0, 1), "kept 0", (0, 2), (0, 3)]


def test_a_job_that_is_trained_again_reports_no_epoch_twice(order: InOrder, told: list[Any]) -> None:
    for epoch in (1, 2, 1, 2, 3):
        order.epoch_ended(0, _report(epoch))
    assert told == [(0, 1), (0, 2), (0, 3)]


def test_what_a_job_raised_is_raised_in_its_turn(order: InOrder, told: list[Any]) -> None:
    order.job_ended(1, NonFiniteLossError("the loss is nan"))
    order.job_ended(0, _fitted(1))
    assert order.take() is not None
    with pytest.raises(NonFiniteLossError):
        order.take()
    assert "kept 1" not in told


def test_what_an_epoch_raises_ends_the_trial(told: list[Any]) -> None:
    def give_up(job: int, report: EpochReport) -> None:
        raise KeyError(job)

    order = InOrder(on_epoch=give_up, keep=lambda job, _: told.append(job))
    order.epoch_ended(1, _report(1))  # not its turn
    with pytest.raises(KeyError):
        order.job_ended(0, _fitted(1))
    assert told == [0]
