"""Trials of a fold that share what depends on neither penalty nor objective: scaling, inputs, Gram matrix, spectrum."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any, Literal

import numpy as np
import pytest

from ser_tune.architectures import ARCHITECTURES, Examples, Shared
from ser_tune.architectures.linear import problem, ridge
from ser_tune.components import Catalogue
from ser_tune.features import Moments
from ser_tune.prediction import SegmentReader
from ser_tune.training import AnyTrial, FittedNetwork, TrainingData, fit
from tests.goals import GOAL

TRAIN, VALIDATION = np.arange(18), np.arange(18, 24)
Probe = Callable[..., AnyTrial]


@pytest.fixture
def probe(config: Callable[..., AnyTrial]) -> Probe:
    """A configuration of a linear probe of whole utterances."""

    def _probe(*, segments__frames: int | None = None, normalisation__kind: str = "standard", **model: Any) -> AnyTrial:
        settings = ARCHITECTURES.get("linear_probe").settings.model_validate(model)
        base = config(segments__frames=segments__frames, normalisation__kind=normalisation__kind)
        return base.model_copy(update={"model": settings})

    return _probe


@pytest.fixture
def counts(monkeypatch: pytest.MonkeyPatch) -> dict[str, int]:
    """Calls of what trials share."""
    found = dict.fromkeys(("scalings", "gathered", "spaces", "decompositions"), 0)
    for owner, name, counted in (
        (Moments, "scaling", "scalings"),
        (SegmentReader, "gather", "gathered"),
        (problem, "space_of", "spaces"),
        (ridge, "eigh", "decompositions"),
    ):
        called = getattr(owner, name)

        def call(*own: Any, called: Callable[..., Any] = called, counted: str = counted, **options: Any) -> Any:
            found[counted] += 1
            return called(*own, **options)

        monkeypatch.setattr(owner, name, call)
    return found


def _fit(config: AnyTrial, data: TrainingData, train: np.ndarray = TRAIN) -> FittedNetwork:
    return fit(config, data, train, VALIDATION, seed=1, goal=GOAL)


@pytest.fixture
def sharing(data: TrainingData) -> TrainingData:
    return replace(data, source="features of a corpus", shared=Shared(1e8))


def test_a_search_over_penalty_and_objective_costs_a_fold_one_decomposition(
    probe: Probe, sharing: TrainingData, counts: dict[str, int]
) -> None:
    for penalty in (0.01, 0.1, 1.0):
        for objective in ("ridge", "squared_hinge", "logistic"):
            _fit(probe(penalty=penalty, objective=objective), sharing)
    # Of validation utterances, each trial gathers its own
    assert counts == {"scalings": 1, "gathered": 1 + 9, "spaces": 1, "decompositions": 1}
    _fit(probe(layers=1), sharing)
    assert (counts["scalings"], counts["spaces"], counts["decompositions"]) == (1, 2, 2)


def test_trials_that_share_have_the_networks_of_those_that_do_not(
    probe: Probe, data: TrainingData, sharing: TrainingData
) -> None:
    for model in ({}, {"penalty": 1.0}, {"objective": "logistic"}, {"layers": "weighted"}, {"layers": "weighted"}):
        alone, other = _fit(probe(**model), data), _fit(probe(**model), sharing)
        np.testing.assert_array_equal(alone.validation, other.validation)
        assert alone.history[0].train_loss == other.history[0].train_loss


def test_architectures_that_read_utterances_in_other_ways_share_nothing(
    probe: Probe, sharing: TrainingData, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A plug-in's solver may read frames where `linear_probe` reads means, of the same fold and process."""
    seen = []
    base = ARCHITECTURES.get("linear_probe")

    def solve(network: Any, settings: Any, examples: Examples) -> None:
        seen.append(tuple(examples.inputs[0].shape))
        assert base.solve is not None
        base.solve(network, settings, examples)

    class Other(base.settings):  # type: ignore[misc, name-defined]
        name: Literal["other"] = "other"

    other = replace(base, name="other", settings=Other, solve=solve, means=False)
    found = Catalogue.get
    monkeypatch.setattr(Catalogue, "get", lambda self, name: other if name == "other" else found(self, name))
    config = probe()
    _fit(config, sharing)
    _fit(config.model_copy(update={"model": Other()}), sharing)
    longest = int(np.diff(sharing.features.offsets)[TRAIN].max())
    assert seen == [(len(TRAIN), 3, 8, longest)]


@pytest.mark.parametrize("changed", ["train", "segments", "normalisation", "source"])
def test_other_inputs_share_nothing(
    probe: Probe, sharing: TrainingData, make_data: Any, counts: dict[str, int], changed: str
) -> None:
    data = sharing
    _fit(probe(), sharing)
    other, train = probe(), TRAIN
    if changed == "train":
        train = TRAIN[1:]
    elif changed == "segments":
        other = probe(segments__frames=48)
    elif changed == "normalisation":
        other = probe(normalisation__kind="minmax")
    else:
        frames = data.features.frames.numpy() ** 3
        sharing = replace(
            make_data(frames, data.features.offsets, data.targets.values), source="o", shared=sharing.shared
        )
    fitted = _fit(other, sharing, train)
    assert (counts["spaces"], counts["decompositions"]) == (2, 2)
    alone = _fit(other, replace(sharing, source=""), train)
    np.testing.assert_array_equal(fitted.validation, alone.validation)
