"""Deep ensembles: networks that learn beside one another, and are judged and kept as one."""

from collections.abc import Callable
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from ser_tune.architectures import ARCHITECTURES
from ser_tune.architectures.networks import Ensemble, members_of
from ser_tune.prediction import Predictor
from ser_tune.tasks import TASKS, Goal
from ser_tune.training import LOSSES, AnyTrial, FittedNetwork, TrainingData, fit, fitting, recipe_of
from tests.goals import GOAL

Config = Callable[..., AnyTrial]
TRAIN, VALIDATION = np.arange(12), np.arange(12, 18)


def _fit(config: AnyTrial, data: TrainingData) -> FittedNetwork:
    return fit(config, data, TRAIN, VALIDATION, seed=1, goal=replace(GOAL, aggregation="mean_probability"))


def test_probabilities_are_averaged() -> None:
    torch.manual_seed(0)
    members, inputs = [nn.Linear(4, 3) for _ in range(3)], torch.randn(5, 4)
    mean = torch.stack([torch.softmax(one(inputs), dim=1) for one in members]).mean(dim=0)
    ensemble = Ensemble(members, "classification")
    torch.testing.assert_close(ensemble(inputs).exp(), mean)
    assert list(members_of(ensemble)) == members
    assert list(members_of(members[0])) == [members[0]]


def test_the_first_network_learns_as_if_it_were_alone(config: Config, data: TrainingData) -> None:
    wanted: dict[str, object] = {"training__gradient_clip_norm": 0.1, "optimizer__name": "sgd"}
    alone = _fit(config(**wanted), data)
    first, second = members_of(_fit(config(model__networks=2, **wanted), data).network)
    torch.testing.assert_close(first.state_dict(), alone.network.state_dict(), rtol=0, atol=0)
    pairs = zip(first.parameters(), second.parameters(), strict=True)
    assert any(not torch.equal(one, other) for one, other in pairs)


def test_all_together_are_judged(config: Config, data: TrainingData) -> None:
    fitted = _fit(config(model__networks=3), data)
    assert isinstance(fitted.network, Ensemble)
    assert len(fitted.network.members) == 3
    truth = data.targets.values[VALIDATION]
    assert fitted.history[-1].validation_loss == pytest.approx(-fitted.validation[np.arange(6), truth].mean())
    assert fitted.history[-1].score == (fitted.validation.argmax(axis=1) == truth).mean()


@pytest.mark.parametrize("networks", [1, 3])
def test_thresholds_are_those_of_all_together(config: Config, data: TrainingData, networks: int) -> None:
    """The scored outputs are those of the network that is kept, with its thresholds."""
    sets = data.targets.values[:, np.newaxis] != np.arange(3)
    several = replace(data, targets=replace(data.targets, values=sets))
    wanted = config(model__networks=networks).model_copy(update={"loss": LOSSES.get("bce").settings()})
    goal = Goal(task="multilabel", aggregation="mean", metrics=("macro_f1",))
    fitted = fit(wanted, several, TRAIN, VALIDATION, seed=1, goal=goal)
    threshold = fitted.network.get_buffer("output_threshold")
    assert threshold.any()
    recipe = recipe_of(wanted, several.targets.names, goal)
    outputs, reader = Predictor(recipe, [fitted.network], [fitted.scaling]).outputs(
        0, several.features, VALIDATION, several.speakers
    )
    again = TASKS.get("multilabel").aggregate(outputs, reader.plan.utterance, "mean")
    np.testing.assert_allclose(again, fitted.validation, atol=1e-5)


@pytest.mark.slow
@pytest.mark.parametrize("averaging", ["ema", "swa"])
def test_weights_of_each_network_are_averaged(config: Config, data: TrainingData, averaging: str) -> None:
    plain, averaged = (
        members_of(_fit(config(model__networks=2, training__averaging=one), data).network)
        for one in ("none", averaging)
    )
    for one, other in zip(plain, averaged, strict=True):
        pairs = zip(one.parameters(), other.parameters(), strict=True)
        assert any(not torch.equal(first, second) for first, second in pairs) == (averaging == "ema")


def test_every_network_starts_from_pretrained_weights(
    config: Config, data: TrainingData, monkeypatch: pytest.MonkeyPatch
) -> None:
    started: list[Tensor] = []

    def initialise(network: nn.Module, _: object) -> None:
        started.append(next(network.parameters()))

    architecture = replace(ARCHITECTURES.get("3d_acrnn"), initialise=initialise)
    monkeypatch.setattr(fitting, "ARCHITECTURES", SimpleNamespace(get=lambda _: architecture))
    network = _fit(config(model__networks=2, training__epochs=1), data).network
    assert [one.shape for one in started] == [next(one.parameters()).shape for one in members_of(network)]
    assert started[0] is not started[1]
