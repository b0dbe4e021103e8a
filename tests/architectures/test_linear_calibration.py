"""Calibration of scores: temperatures and shifts that were planted, and scales beside numerical optima."""

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy.special import expit, softmax

from ser_tune.architectures.linear.calibration import LARGEST, Calibration, calibrated
from ser_tune.architectures.linear_probe import OBJECTIVES

N, K = 4000, 3


def _drawn(chances: np.ndarray) -> np.ndarray:
    """A class for each row of probabilities."""
    drawn: np.ndarray = (chances.cumsum(axis=1) < np.random.default_rng(1).uniform(size=(len(chances), 1))).sum(axis=1)
    return drawn


def _scores(count: int = N) -> np.ndarray:
    return np.random.default_rng(0).normal(size=(count, K))


def _ccc(truth: np.ndarray, predicted: np.ndarray) -> float:
    moments = np.cov(truth, predicted, bias=True)
    return float(2 * moments[0, 1] / (moments[0, 0] + moments[1, 1] + (truth.mean() - predicted.mean()) ** 2))


@pytest.mark.parametrize("planted", [0.2, 1.0, 5.0])
def test_a_planted_temperature_is_found(planted: float) -> None:
    scores = 2 * _scores()
    found = calibrated("classes", scores, _drawn(softmax(scores / planted, axis=1)))
    assert found.temperature == pytest.approx(planted, rel=0.15)
    assert (found.gain, found.shift) == (1.0, 0.0)


@pytest.mark.parametrize("planted", [0.2, 1.0, 5.0])
def test_a_planted_temperature_with_shifts_is_found_by_shares(planted: float) -> None:
    scores, shifts = 2 * _scores(), np.array([1.0, -0.5, -0.5])
    shares = softmax(scores / planted + shifts, axis=1)
    found = calibrated("distributions", scores, shares)
    assert found.temperature == pytest.approx(planted, rel=1e-3)
    np.testing.assert_allclose(softmax((scores + found.shift) / found.temperature, axis=1), shares, atol=1e-3)


@pytest.mark.parametrize("planted", [0.2, 1.0, 5.0])
def test_a_planted_temperature_is_found_by_label_sets(planted: float) -> None:
    scores = 2 * _scores()
    values = np.random.default_rng(2).uniform(size=(N, K)) < expit(scores / planted)
    assert calibrated("label_scores", scores, values).temperature == pytest.approx(planted, rel=0.15)


def test_how_many_have_a_label_does_not_change_its_temperature() -> None:
    scores, rng = 2 * _scores(), np.random.default_rng(2)
    values = rng.uniform(size=(N, K)) < expit(scores)
    kept = (rng.uniform(size=N) < 0.2) | ~values[:, 0]
    found = calibrated("label_scores", scores[kept, :1], values[kept, :1])
    assert found.temperature == pytest.approx(1.0, rel=0.15)


@pytest.mark.parametrize("kind", ["distributions", "label_scores"])
@pytest.mark.parametrize("sign", [-1, 0, 1])
def test_scores_that_separate_left_out_speakers_are_worthless_or_reversed_have_a_finite_calibration(
    kind: str, sign: int
) -> None:
    labels = np.arange(60) % K
    own = labels[:, None] == np.arange(K)
    found = calibrated(kind, sign * (2.0 * own - 1), own if kind == "label_scores" else own.astype(np.float64))
    assert np.exp(-LARGEST) <= found.temperature <= np.exp(LARGEST)
    assert np.isfinite(found.gain).all()
    assert np.isfinite(found.shift).all()
    assert np.all(np.asarray(found.gain) > 0)


@given(
    arrays(np.float64, (12, 2), elements=st.floats(-3, 3, width=16)),
    st.floats(0.01, 100),
    st.floats(-5, 5),
)
def test_the_scale_of_a_dimension_is_that_of_the_largest_ccc(pairs: np.ndarray, unit: float, origin: float) -> None:
    truth, predicted = pairs[:, 0], unit * pairs[:, 1] + origin
    assume(min(truth.std(), pairs[:, 1].std()) > 0.1)
    assume(np.corrcoef(truth, predicted)[0, 1] > 0.05)
    found = calibrated("dimensions", predicted[:, None], truth[:, None])
    gain, shift = float(np.ravel(found.gain)[0]), float(np.ravel(found.shift)[0])
    ours = _ccc(truth, gain * predicted + shift)
    assert ours == pytest.approx(np.corrcoef(truth, predicted)[0, 1], abs=1e-6)  # no scale has more
    for other_gain, other_shift in ((0.9 * gain, shift), (1.1 * gain, shift), (gain, shift + 0.1), (gain, shift - 0.1)):
        assert _ccc(truth, other_gain * predicted + other_shift) < ours


def test_dimensions_are_scaled_apart_and_those_without_agreement_keep_their_gain() -> None:
    truth = np.random.default_rng(4).normal(size=(200, 4))
    predicted = truth * [0.5, 2.0, -1.0, 0.0] + [0.0, 3.0, 1.0, 2.0]
    found = calibrated("dimensions", predicted, truth)
    np.testing.assert_allclose(found.gain, [2.0, 0.5, 1.0, 1.0])
    np.testing.assert_allclose((found.gain * predicted + found.shift).mean(axis=0), truth.mean(axis=0), atol=1e-12)


def test_every_kind_has_a_calibration() -> None:
    scores, labels = _scores(30), np.arange(30) % K
    own = labels[:, None] == np.arange(K)
    for kind in OBJECTIVES:
        values = {"classes": labels, "label_scores": own}.get(kind, own.astype(np.float64))
        assert isinstance(calibrated(kind, scores, values), Calibration)
