"""Weights of corpora, classes and speakers of unequal numbers."""

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from ser_tune.architectures import ARCHITECTURES, Examples, InputShape
from ser_tune.config import BalanceSettings
from ser_tune.training import AnyTrial, TrainingData, fit
from ser_tune.training.balance import example_weights
from ser_tune.training.batches import epoch_order
from ser_tune.training.fitting import prepare_fold
from tests.goals import GOAL

EXAMPLES = st.lists(st.tuples(*[st.integers(0, 3)] * 3), min_size=1, max_size=60)


def _totals(weights: np.ndarray, *groups: np.ndarray) -> np.ndarray:
    return np.bincount(np.unique(np.stack(groups), axis=1, return_inverse=True)[1].ravel(), weights)


@settings(deadline=None, max_examples=60)
@given(EXAMPLES)
def test_corpora_and_classes_and_speakers_count_alike(rows: list[tuple[int, int, int]]) -> None:
    corpora, strata, speakers = np.array(rows).T
    even = BalanceSettings(corpora=1, classes=1, speakers=1)
    weights = example_weights(even, corpora=corpora, strata=strata, speakers=speakers)
    weights = np.ones(len(rows)) if weights is None else weights
    assert weights.mean() == pytest.approx(1)
    np.testing.assert_allclose(_totals(weights, corpora), len(rows) / len(np.unique(corpora)))
    for corpus in np.unique(corpora):
        own = corpora == corpus
        classes = _totals(weights[own], strata[own])
        np.testing.assert_allclose(classes, classes.mean())
        for stratum in np.unique(strata[own]):
            cell = own & (strata == stratum)
            of_speakers = _totals(weights[cell], speakers[cell])
            np.testing.assert_allclose(of_speakers, of_speakers.mean())


def test_an_exponent_of_a_half_lies_between() -> None:
    corpora, alike = np.repeat([0, 1], [90, 10]), np.zeros(100, dtype=np.int64)
    weights = example_weights(BalanceSettings(corpora=0.5), corpora=corpora, strata=alike, speakers=alike)
    assert weights is not None
    first, second = _totals(weights, corpora)
    assert first / second == pytest.approx(3)  # where numbers count it is 9, where corpora do 1


@pytest.mark.parametrize("corpora", [None, np.zeros(4, dtype=np.int64)])
def test_nothing_is_weighed_where_nothing_is_uneven(corpora: np.ndarray | None) -> None:
    numbers = np.arange(4) % 2
    assert example_weights(BalanceSettings(), corpora=corpora, strata=numbers, speakers=numbers) is None
    assert example_weights(BalanceSettings(corpora=1), corpora=corpora, strata=numbers, speakers=numbers) is None


@pytest.mark.parametrize("objective", ["ridge", "squared_hinge", "logistic"])
@pytest.mark.parametrize("bands", [5, 200])
def test_a_weight_counts_like_as_many_recordings(objective: str, bands: int) -> None:
    rng = np.random.default_rng(0)
    features, labels = rng.standard_normal((40, 1, bands, 1)).astype(np.float32), np.arange(40) % 3
    times = 1 + np.arange(40) % 2
    repeated = np.repeat(np.arange(40), times)
    weighed = _solved(features, labels, times / times.mean(), objective, penalty=20.0)
    again = _solved(features[repeated], labels[repeated], None, objective, penalty=20 * float(times.mean()))
    np.testing.assert_allclose(weighed, again, atol=3e-3)
    assert np.abs(weighed - _solved(features, labels, None, objective, penalty=20.0)).max() > 0.01


def _solved(
    features: np.ndarray, labels: np.ndarray, weights: np.ndarray | None, objective: str, penalty: float
) -> np.ndarray:
    """Scores (40, 3) of the first 40 different examples."""
    architecture = ARCHITECTURES.get("linear_probe")
    own = architecture.settings.model_validate({"objective": objective, "penalty": penalty / features.shape[2]})
    network = architecture.build(own, InputShape(1, features.shape[2], 1), 3)
    inputs, speakers = (torch.from_numpy(features),), torch.from_numpy(np.arange(len(labels)) % 5)
    examples = Examples.of(inputs, torch.from_numpy(labels), speakers)
    given = None if weights is None else torch.from_numpy(weights)
    assert architecture.solve is not None
    with torch.no_grad():
        architecture.solve(network, own, replace(examples, weights=given))
        probed = torch.from_numpy(np.random.default_rng(1).standard_normal(features[:9].shape).astype(np.float32))
        return (network(probed) * network.temperature).numpy()  # type: ignore[no-any-return, operator]


@pytest.mark.parametrize("sampling", ["shuffle", "oversample"])
def test_segments_are_drawn_as_often_as_their_weights_ask_for(sampling: str) -> None:
    rng = np.random.default_rng(0)
    strata, weights = np.repeat([0, 1], [30, 10]), np.tile([0.5, 1.5], 20)
    drawn = np.stack([np.bincount(epoch_order(strata, sampling, rng, weights), minlength=40) for _ in range(400)])  # type: ignore[arg-type]
    assert (drawn.sum(axis=1) == 40).all()
    factor = np.array([2 / 3, 2]) if sampling == "oversample" else np.ones(2)
    wanted = weights * factor[strata]
    assert (np.abs(drawn - wanted) < 1 + 1e-9).all()  # rounded up or down
    np.testing.assert_allclose(drawn.mean(axis=0), wanted, atol=0.12)


def test_an_epoch_reads_small_corpora_more_often(config: Callable[..., AnyTrial], data: TrainingData) -> None:
    union = replace(data, corpora=(np.arange(24) >= 20).astype(np.int64))
    even = config(balance__corpora=1.0, segments__frames=48)
    fold = prepare_fold(even, union, np.arange(24), np.arange(0), seed=0, goal=GOAL)
    assert fold.weights is not None
    np.testing.assert_allclose(_totals(fold.weights, union.corpora), [12, 12])  # type: ignore[arg-type]
    fitted = fit(even, union, np.arange(24), np.arange(0), seed=0, goal=GOAL)
    assert np.isfinite(fitted.history[-1].train_loss)
