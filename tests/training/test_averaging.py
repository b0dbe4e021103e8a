"""Averages of weights: what they are an average of, with which statistics, and that training takes no notice."""

import copy
from collections.abc import Callable, Iterator
from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn, get_swa_multi_avg_fn

from ser_tune.config import TrainingSettings
from ser_tune.training import AnyTrial, FittedNetwork, TrainingData, fit
from ser_tune.training.averaging import WeightAverage
from tests.goals import GOAL, classes

Config = Callable[..., AnyTrial]
TRAIN, VALIDATION = np.arange(12), np.arange(12, 18)
INPUTS = [(torch.randn(6, 2, generator=torch.Generator().manual_seed(seed)) * 3 + 5,) for seed in range(4)]


def _network() -> nn.Module:
    torch.manual_seed(0)
    return nn.Sequential(nn.BatchNorm1d(2), nn.Dropout(0.5), nn.Linear(2, 1))


def _weight(network: nn.Module) -> Tensor:
    return network.get_parameter("2.weight").detach().flatten()


def _settings(**written: object) -> TrainingSettings:
    return TrainingSettings.model_validate(written)


def _passing(network: nn.Module, values: list[float]) -> Iterator[float]:
    """Let the network's weights take values, one step after another."""
    for value in values:
        with torch.no_grad():
            network.get_parameter("2.weight").fill_(value)
        yield value


def test_without_averaging_the_network_stands_for_itself() -> None:
    network = _network()
    before = copy.deepcopy(network.state_dict())
    average = WeightAverage(network, _settings())
    average.after_step()
    assert average.after_epoch(1, lambda: pytest.fail("nothing is read")) is network
    torch.testing.assert_close(network.state_dict(), before, rtol=0, atol=0)
    assert all(average.is_there(epoch) for epoch in (1, 12))


@pytest.mark.parametrize(("decay", "decays"), [(0.999, [2 / 11, 3 / 12, 4 / 13]), (0.2, [2 / 11, 0.2, 0.2])])
def test_an_exponential_average_by_hand(decay: float, decays: list[float]) -> None:
    network = _network()
    average = WeightAverage(network, _settings(averaging="ema", ema_decay=decay))
    expected = 0.0
    for step, value in enumerate(_passing(network, [1.0, 4.0, -2.0, 7.0])):
        average.after_step()
        kept = decays[step - 1] if step else 0.0  # the first step's weights are taken as they are
        expected = kept * expected + (1 - kept) * value
    averaged = average.after_epoch(1, lambda: INPUTS)
    torch.testing.assert_close(_weight(averaged), torch.full((2,), expected))
    assert _weight(network).tolist() == [7.0, 7.0]


def test_swa_is_the_mean_of_the_last_epochs_weights() -> None:
    network = _network()
    average = WeightAverage(network, _settings(averaging="swa", swa_start=0.5, epochs=5))
    standing = []
    for epoch, _ in enumerate(_passing(network, [1.0, 4.0, -2.0, 7.0, 1.0]), start=1):
        average.after_step()
        standing.append(_weight(average.after_epoch(epoch, lambda: INPUTS))[0].item())
    assert [average.is_there(epoch) for epoch in range(1, 6)] == [False, False, True, True, True]
    assert standing == pytest.approx([1.0, 4.0, -2.0, 2.5, 2.0])


@pytest.mark.parametrize("start", [0.0, 0.75, 0.999])
@pytest.mark.parametrize("epochs", [1, 7])
def test_the_last_epoch_is_always_averaged(start: float, epochs: int) -> None:
    assert WeightAverage(_network(), _settings(averaging="swa", swa_start=start, epochs=epochs)).is_there(epochs)


@pytest.mark.parametrize("averaging", ["ema", "swa"])
def test_batch_norm_is_of_the_training_segments_and_leaves_no_trace(averaging: str) -> None:
    network = _network()
    average = WeightAverage(network, _settings(averaging=averaging, swa_start=0.0))
    average.after_step()
    before, random = copy.deepcopy(network.state_dict()), torch.get_rng_state()
    averaged = average.after_epoch(1, lambda: INPUTS)
    values = torch.stack([one for (one,) in INPUTS])
    torch.testing.assert_close(averaged.get_buffer("0.running_mean"), values.mean(dim=(0, 1)))
    torch.testing.assert_close(averaged.get_buffer("0.running_var"), values.var(dim=1).mean(dim=0))
    torch.testing.assert_close(network.state_dict(), before, rtol=0, atol=0)
    assert torch.equal(torch.get_rng_state(), random)


@pytest.mark.parametrize("averaging", ["ema", "swa"])
def test_weights_are_averaged_as_torch_averages_them(averaging: str) -> None:
    rule = {"ema": get_ema_multi_avg_fn(0.1), "swa": get_swa_multi_avg_fn()}[averaging]  # type: ignore[no-untyped-call]
    network = _network()
    average = WeightAverage(network, _settings(averaging=averaging, ema_decay=0.1, swa_start=0.0))
    theirs = AveragedModel(network, multi_avg_fn=rule)
    for epoch, _ in enumerate(_passing(network, [1.1, 4.2, -2.3, 7.4, 0.3]), start=1):
        average.after_step()
        averaged = average.after_epoch(epoch, lambda: INPUTS)
        theirs.update_parameters(network)
        torch.testing.assert_close(list(averaged.parameters()), list(theirs.module.parameters()), rtol=0, atol=0)


def test_the_host_does_not_wait_for_the_device() -> None:
    # Tensors of this device have no values: to read one is an error
    network = _network().to("meta")
    for averaging in ("ema", "swa"):
        average = WeightAverage(network, _settings(averaging=averaging, swa_start=0.0))
        for epoch in (1, 2, 3):
            average.after_step()
            average.after_epoch(epoch, list, is_used=False)


def _fit(config: AnyTrial, data: TrainingData) -> FittedNetwork:
    return fit(config, data, TRAIN, VALIDATION, seed=1, goal=GOAL)


@pytest.mark.slow
@pytest.mark.parametrize(
    "averaging", [{"training__averaging": "ema"}, {"training__averaging": "swa", "training__swa_start": 0.3}]
)
def test_training_takes_no_notice_and_the_average_is_judged(
    config: Config, data: TrainingData, averaging: dict[str, object]
) -> None:
    quick: dict[str, object] = {"model__dropout": 0.3, "training__selection": "last", "training__epochs": 4}
    plain, averaged = _fit(config(**quick), data), _fit(config(**quick, **averaging), data)
    assert [one.train_loss for one in averaged.history] == [one.train_loss for one in plain.history]
    assert averaged.history[-1].validation_loss != plain.history[-1].validation_loss
    loss = -averaged.validation[np.arange(6), data.targets.values[VALIDATION]].mean()
    assert loss == pytest.approx(averaged.history[-1].validation_loss)
    # As many batches as an epoch has, which batch norm counts
    counted = [value for name, value in averaged.network.named_buffers() if name.endswith("num_batches_tracked")]
    assert {int(value) for value in counted} == {len(INPUTS) - 1}


def test_an_epoch_without_an_average_is_not_kept_where_one_has_it(config: Config, data: TrainingData) -> None:
    labels = data.targets.values.copy()
    labels[VALIDATION] = (labels[VALIDATION] + 1) % 3  # the more is learnt, the worse validation gets
    wrong = replace(data, targets=classes(labels, data.targets.names))
    wanted = {"training__epochs": 8, "training__schedule": "constant", "training__patience": 2}
    fitted = _fit(config(**wanted, training__averaging="swa", training__swa_start=0.5), wrong)
    assert max(fitted.history, key=lambda one: (one.score, -one.validation_loss)).epoch <= 4
    assert fitted.epoch > 4
    assert [one.kept for one in fitted.history[:4]] == [one.score for one in fitted.history[:4]]


@pytest.mark.slow
@pytest.mark.parametrize("averaging", ["ema", "swa"])
def test_where_nobody_validates_batch_norm_is_measured_for_the_last_epoch_only(
    config: Config, data: TrainingData, monkeypatch: pytest.MonkeyPatch, averaging: str
) -> None:
    from ser_tune.training import averaging as module

    measured: list[nn.Module] = []
    original = module.update_bn

    def spy(inputs: Iterator[object], network: nn.Module) -> None:
        measured.append(network)
        original(inputs, network)

    monkeypatch.setattr(module, "update_bn", spy)
    wanted = config(training__averaging=averaging, training__swa_start=0.3, training__epochs=3)
    fitted = fit(wanted, data, TRAIN, np.arange(0), seed=1, goal=GOAL)
    assert fitted.epoch == 3
    assert len(measured) == 1
    # And the network is the one that is kept where all epochs are measured
    last = _fit(wanted.model_copy(update={"training": wanted.training.model_copy(update={"selection": "last"})}), data)
    torch.testing.assert_close(fitted.network.state_dict(), last.network.state_dict(), rtol=0, atol=0)


@pytest.mark.slow
def test_averages_are_steadier_than_the_network_that_is_trained(config: Config, data: TrainingData) -> None:
    largest_step = {}
    for averaging in ("none", "ema", "swa"):
        wanted = config(
            segments__last_block="overlap",
            optimizer__learning_rate=0.03,
            training__averaging=averaging,
            training__swa_start=0.4,
            training__schedule="constant",
            training__epochs=10,
            training__batch_size=4,
        )
        fitted = fit(wanted, data, TRAIN, np.arange(12, 24), seed=1, goal=GOAL)
        losses = [report.validation_loss for report in fitted.history[5:]]
        largest_step[averaging] = float(np.abs(np.diff(losses)).max())
    assert largest_step["ema"] < 0.4 * largest_step["none"]
    assert largest_step["swa"] < 0.4 * largest_step["none"]
