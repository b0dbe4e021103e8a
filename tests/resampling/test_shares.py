"""The share of a gain: its limits hold as often as they say, and are unknown where the whole gain may be chance."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ser_tune.metrics import METRICS
from ser_tune.resampling import paired_difference, share_of_gain, sums_of
from ser_tune.resampling.intervals import reach_of
from ser_tune.resampling.shares import _fieller

UAR, CLASSES, EACH = METRICS.get("uar"), 4, 24


def _sums(seed: int, errors: tuple[float, ...], *, speakers: int = 8) -> list[np.ndarray]:
    """The sums of systems that err with these probabilities, more on some speakers than on others."""
    rng = np.random.default_rng(seed)
    truth, speaker = np.tile(np.arange(CLASSES), speakers * EACH // CLASSES), np.repeat(np.arange(speakers), EACH)
    luck, hard = rng.random(len(truth)), rng.uniform(0.6, 1.4, speakers)[speaker]
    return [
        sums_of(UAR, truth, (truth + (luck < error * hard)) % CLASSES, speaker, CLASSES)[np.newaxis] for error in errors
    ]


@settings(max_examples=15, deadline=None)
@given(st.integers(0, 2**32 - 1))
def test_a_share_has_an_interval_exactly_where_the_whole_gain_is_none_of_chance(seed: int) -> None:
    nothing, some, everything = _sums(seed, (0.3, 0.24, 0.22))
    found, whole = share_of_gain(UAR, some, everything, nothing), paired_difference(UAR, everything, nothing)
    if whole.value <= 0:
        assert np.isnan(found.value)
        return
    assert found.value == pytest.approx(paired_difference(UAR, some, nothing).value / whole.value)
    assert found.interval.known == (whole.interval.low > 0)
    if found.interval.known:
        assert found.interval.low <= found.value <= found.interval.high


def test_all_have_all_of_the_gain_and_nothing_none() -> None:
    nothing, everything = _sums(3, (0.5, 0.1))
    whole, none = share_of_gain(UAR, everything, everything, nothing), share_of_gain(UAR, nothing, everything, nothing)
    assert (whole.value, none.value) == (1, 0)
    assert (whole.interval.low, whole.interval.high) == pytest.approx((1, 1))
    assert (none.interval.low, none.interval.high) == pytest.approx((0, 0))


def test_of_an_error_less_is_a_gain() -> None:
    rng, rmse = np.random.default_rng(0), METRICS.get("rmse")
    truth, speaker = rng.normal(size=(80, 1)), np.repeat(np.arange(8), 10)
    noise = rng.normal(size=truth.shape)
    nothing, some, everything = (
        sums_of(rmse, truth, truth + size * noise, speaker, 1)[np.newaxis] for size in (1.0, 0.7, 0.5)
    )
    assert share_of_gain(rmse, some, everything, nothing).value == pytest.approx(0.6, abs=0.01)
    assert np.isnan(share_of_gain(rmse, some, nothing, everything).value)


def test_limits_hold_the_true_share_in_95_of_100_samples() -> None:
    rng, speakers, share = np.random.default_rng(1), 10, 0.7
    held, known = 0, 0
    for _ in range(2000):
        whole = rng.normal(0.06, 0.04, speakers)
        part = share * whole + rng.normal(0, 0.02, speakers)
        covariance = np.cov(np.stack([part, whole]), bias=True) / speakers
        limits = _fieller(part.mean(), whole.mean(), covariance, reach_of(speakers))
        known += limits.known
        held += limits.low <= share <= limits.high
    assert known > 1600
    assert 0.93 < held / known < 0.97
