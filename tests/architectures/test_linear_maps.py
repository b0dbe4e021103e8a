"""Maps that make corpora alike, or keep scores from changing, for linear probes."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from sklearn.covariance import ledoit_wolf

from ser_tune.architectures import ARCHITECTURES, Examples, InputShape, linear_probe
from ser_tune.architectures.linear.maps import Covariance, Spread, shrinkage_of, steadying
from ser_tune.config import AlignmentSettings
from ser_tune.training.alignment.features import coral, whitening


@pytest.mark.parametrize(("count", "width"), [(30, 8), (20, 60)])
def test_covariances_are_those_of_scikit_learn(count: int, width: int) -> None:
    features = np.random.default_rng(0).standard_normal((count, width)) @ np.diag(np.arange(1.0, width + 1))
    expected, shrinkage = ledoit_wolf(features)
    assert shrinkage_of(features) == pytest.approx(shrinkage)
    found = Covariance.of(features, shrinkage=shrinkage)
    np.testing.assert_allclose(found.power(1)(np.eye(width)), expected, atol=1e-9 * np.abs(expected).max())
    np.testing.assert_allclose(found.power(-0.5)(found.power(0.5)(features)), features, rtol=1e-6)


def test_the_steadying_map_is_that_of_the_penalty() -> None:
    changes = np.random.default_rng(0).standard_normal((5, 9))
    steady = steadying(Spread.of(changes), 3.0)
    inverse = np.linalg.inv(np.eye(9) + 3 * changes.T @ changes)
    np.testing.assert_allclose(steady(steady(np.eye(9))), inverse, atol=1e-8)


@pytest.mark.parametrize("kind", ["whitening", "coral"])
def test_aligned_corpora_have_the_wanted_mean_and_covariance(kind: str) -> None:
    rng = np.random.default_rng(0)
    settings = AlignmentSettings.model_validate({"kind": kind, "shrinkage": 1e-3})
    first, second, target = (
        (rng.standard_normal((4000, 3)) @ (3 * np.eye(3) + rng.standard_normal((3, 3))) + rng.standard_normal(3))
        for _ in range(3)
    )
    if kind == "coral":
        maps, wanted, mean = coral([first, second], target, settings), np.cov(target.T), target.mean(axis=0)
    else:
        maps = whitening([first, second], settings)
        wanted = (np.cov(first.T) + np.cov(second.T)) / 2
        mean = (first.mean(axis=0) + second.mean(axis=0)) / 2
    for own, moved in zip((first, second), maps, strict=True):
        np.testing.assert_allclose(moved(own).mean(axis=0), mean, atol=1e-6)
        np.testing.assert_allclose(np.cov(moved(own).T), wanted, atol=0.02 * np.abs(wanted).max())
    halfway = AlignmentSettings.model_validate({"kind": kind, "shrinkage": 1e-3, "strength": 0.5})
    half = coral([first], target, halfway)[0] if kind == "coral" else whitening([first, second], halfway)[0]
    np.testing.assert_allclose(half(first), (first + maps[0](first)) / 2, atol=1e-9)


LAYERS = ["all", "weighted"]


def _scores(layers: str, stability: float, *, objective: str = "ridge") -> tuple[np.ndarray, ...]:
    """Scores of 30 examples of 2 × 40 features, of examples with a changed band, and the examples' classes."""
    rng = np.random.default_rng(0)
    labels = np.arange(60) % 3
    features = rng.standard_normal((60, 2, 40, 1)).astype(np.float32)
    features[np.arange(60), :, labels] += 2.0
    features[np.arange(60), :, 5 + labels] += 2.0
    changes = np.zeros((60, 2, 40), dtype=np.float32)
    changes[:, :, :3] = rng.standard_normal((60, 2, 3))
    architecture = ARCHITECTURES.get("linear_probe")
    settings = architecture.settings.model_validate({"layers": layers, "objective": objective})
    network = architecture.build(settings, InputShape(2, 40, 1), 3)
    given = Examples.of((torch.from_numpy(features),), torch.from_numpy(labels), torch.from_numpy(np.arange(60) % 7))
    if stability:
        given = replace(given, changes=torch.from_numpy(changes), stability=stability)
    assert architecture.solve is not None
    with torch.no_grad():
        architecture.solve(network, settings, given)
        seen, changed = (network(torch.from_numpy(own)).numpy() for own in (features, features + changes[..., None]))
    return seen, changed, labels


@pytest.mark.parametrize("layers", LAYERS)
@pytest.mark.parametrize("objective", ["ridge", "squared_hinge", "logistic"])
def test_stable_scores_hardly_change(layers: str, objective: str) -> None:
    def change(stability: float) -> float:
        seen, changed, labels = _scores(layers, stability, objective=objective)
        assert (seen.argmax(axis=1) == labels).mean() > 0.9
        return float(np.abs(changed - seen).mean() / seen.std())

    assert change(1000.0) < change(1.0) < 0.9 * change(0.0)
    assert change(1000.0) < 0.1 * change(0.0)


def test_blocks_of_features_are_kept_as_stable(monkeypatch: pytest.MonkeyPatch) -> None:
    at_once = _scores("all", 10.0)[0]
    monkeypatch.setattr(linear_probe, "BLOCK", 100)
    np.testing.assert_allclose(_scores("all", 10.0)[0], at_once, atol=0.02)
