"""Scaling: what scikit-learn computes from the same frames, and from no others."""

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sklearn.preprocessing import MinMaxScaler, StandardScaler

from ser_tune.config import NormalisationSettings
from ser_tune.features import Moments, RememberedMoments, Scaling, normalisation

QUICK = settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.too_slow])
STANDARD = NormalisationSettings(kind="standard")
MINMAX = NormalisationSettings(kind="minmax")


def _frames(lengths: list[int], seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Levels of utterances of so many frames, shape (N, 2, 5), and where each starts."""
    rng = np.random.default_rng(seed)
    offsets = np.concatenate([[0], np.cumsum(lengths)])
    spread = rng.uniform(1.0, 20.0, size=(2, 5))
    return (rng.normal(size=(offsets[-1], 2, 5)) * spread - 40.0).astype(np.float32), offsets


def _apply(frames: np.ndarray, scaling: Scaling) -> np.ndarray:
    scaled: np.ndarray = (frames - scaling.shift) / scaling.spread
    return scaled


@QUICK
@given(
    lengths=st.lists(st.integers(2, 40), min_size=2, max_size=6),
    seed=st.integers(0, 1000),
    data=st.data(),
)
def test_a_group_is_scaled_as_scikit_learn_scales_its_frames(
    lengths: list[int], seed: int, data: st.DataObject
) -> None:
    frames, offsets = _frames(lengths, seed)
    group = data.draw(st.sets(st.sampled_from(range(len(lengths))), min_size=1))
    moments = Moments.of(frames, offsets)
    real = np.concatenate([frames[offsets[one] : offsets[one + 1]] for one in sorted(group)])
    for wanted, theirs in ((STANDARD, StandardScaler()), (MINMAX, MinMaxScaler())):
        ours = _apply(real, moments.scaling(np.array(sorted(group)), wanted)).reshape(len(real), -1)
        np.testing.assert_allclose(ours, theirs.fit_transform(real.reshape(len(real), -1)), atol=1e-4)


@pytest.mark.parametrize("wanted", [STANDARD, MINMAX])
def test_other_utterances_do_not_matter(wanted: NormalisationSettings) -> None:
    frames, offsets = _frames([10, 7, 12])
    group = np.array([0, 2])
    before = Moments.of(frames, offsets).scaling(group, wanted)
    frames[10:17] *= 1000.0
    after = Moments.of(frames, offsets).scaling(group, wanted)
    np.testing.assert_array_equal(before.shift, after.shift)
    np.testing.assert_array_equal(before.spread, after.spread)
    everybody = Moments.of(frames, offsets).scaling(np.arange(3), wanted)
    assert not np.allclose(before.shift, everybody.shift)


@pytest.mark.parametrize("wanted", [STANDARD, MINMAX])
def test_a_band_that_does_not_vary_becomes_0(wanted: NormalisationSettings) -> None:
    frames, offsets = _frames([10, 7])
    frames[:, 1, 3] = -80.0
    scaling = Moments.of(frames, offsets).scaling(np.array([0, 1]), wanted)
    assert scaling.spread[1, 3] == 1.0
    scaled = _apply(frames, scaling)
    assert np.isfinite(scaled).all()
    np.testing.assert_array_equal(scaled[:, 1, 3], 0.0)


def test_a_scaling_is_of_float32_per_channel_and_band() -> None:
    frames, offsets = _frames([10, 7])
    scaling = Moments.of(frames, offsets).scaling(np.array([1]), STANDARD)
    assert scaling.shift.shape == scaling.spread.shape == (2, 5)
    assert scaling.shift.dtype == scaling.spread.dtype == np.float32


def test_long_utterances_count_by_their_frames() -> None:
    frames = np.concatenate([np.zeros((30, 1, 1)), np.ones((10, 1, 1))]).astype(np.float32)
    scaling = Moments.of(frames, np.array([0, 30, 40])).scaling(np.array([0, 1]), STANDARD)
    assert scaling.shift[0, 0] == pytest.approx(0.25)
    assert scaling.spread[0, 0] == pytest.approx(np.sqrt(0.25 * 0.75))


@pytest.mark.parametrize("wanted", [STANDARD, MINMAX, NormalisationSettings(kind="none")])
@pytest.mark.parametrize("lengths", [[10, 7, 12, 1], [1, 1, 1]])
def test_scalings_of_each_utterance_are_those_of_it_alone(
    wanted: NormalisationSettings, lengths: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(normalisation, "VALUES", 20)  # two utterances at once
    frames, offsets = _frames(lengths)
    frames[:, 1, 3] = -80.0
    moments = Moments.of(frames, offsets)
    together = moments.scaling_of_each(wanted)
    assert len(together) == len(lengths)
    for number, scaling in enumerate(together):
        alone = moments.scaling(np.array([number]), wanted)
        np.testing.assert_array_equal(scaling.shift, alone.shift)
        np.testing.assert_array_equal(scaling.spread, alone.spread)
        assert scaling.shift.dtype == scaling.spread.dtype == np.float32


def test_statistics_of_a_group_are_computed_once(monkeypatch: pytest.MonkeyPatch) -> None:
    frames = np.random.default_rng(0).normal(3.0, 2.0, size=(30, 2, 4)).astype(np.float32)
    plain = Moments.of(frames, np.arange(0, 31, 3))
    once = RememberedMoments.like(plain)
    groups = [np.array([0]), np.array([1, 4]), np.arange(10)]
    for copies in ((), (plain,)):
        for group in groups:
            expected, found = (moments.scaling(group, STANDARD, also=copies) for moments in (plain, once))
            assert (expected.shift.tobytes(), expected.spread.tobytes()) == (
                found.shift.tobytes(),
                found.spread.tobytes(),
            )
    assert len(once.known) == len(groups)
    monkeypatch.setattr(Moments, "weighed", None)  # not needed any more
    for group in groups:
        once.scaling(group.copy(), STANDARD)
