"""Calibration numbers, by hand-computed cases."""

import numpy as np
import pytest

from ser_tune.metrics import accuracy_by_coverage, fit_temperature, reliability, with_temperature


def test_the_ece_weighs_bins_by_their_utterances() -> None:
    said = np.array([[0.95, 0.05], [0.85, 0.15], [0.9, 0.1], [0.45, 0.55]])
    found = reliability(said, np.array([0, 1, 0, 0]))
    # Bins (0.5, 0.6], (0.8, 0.9], (0.9, 1]: 0.9 is in the second
    assert found.count.tolist() == [1, 2, 1]
    assert found.confidence == pytest.approx([0.55, 0.875, 0.95])
    assert found.accuracy.tolist() == [0.0, 0.5, 1.0]
    assert found.ece == pytest.approx((0.55 + 2 * 0.375 + 0.05) / 4)


def test_probabilities_that_are_true_have_no_error() -> None:
    said = np.array([[0.75, 0.25]] * 4)
    assert reliability(said, np.array([0, 0, 0, 1])).ece == 0.0


def test_a_temperature_makes_overconfident_probabilities_true() -> None:
    rng = np.random.default_rng(0)
    true = rng.dirichlet([1.0, 1.0, 1.0], size=4000)
    truth = np.array([rng.choice(3, p=row) for row in true])
    overconfident = 3 * np.log(true)  # as if the logits were tripled
    temperature = fit_temperature(overconfident, truth)
    assert temperature == pytest.approx(3.0, rel=0.1)
    before = reliability(with_temperature(overconfident, 1.0), truth).ece
    assert reliability(with_temperature(overconfident, temperature), truth).ece < before / 4


def test_a_temperature_never_changes_which_class_is_named() -> None:
    said = np.log(np.random.default_rng(1).dirichlet([1.0] * 4, size=50))
    assert (with_temperature(said, 5.0).argmax(axis=1) == said.argmax(axis=1)).all()


def test_coverage_decides_the_most_confident_first() -> None:
    said = np.array([[0.9, 0.1], [0.8, 0.2], [0.7, 0.3], [0.6, 0.4]])
    all_of_them, half, least = accuracy_by_coverage(said, np.array([0, 0, 1, 1]), [1.0, 0.5, 0.1])
    assert (all_of_them.accuracy, half.accuracy, least.accuracy) == (0.5, 1.0, 1.0)
    assert (all_of_them.confidence, half.confidence, least.confidence) == (0.6, 0.8, 0.9)
