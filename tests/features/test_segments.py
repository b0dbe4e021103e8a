"""Segments: whatever the lengths, every frame is covered and no segment starts outside its utterance."""

from typing import Literal

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from ser_tune.config import SegmentSettings
from ser_tune.features import frame_numbers, plan_segments, random_crops

QUICK = settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.too_slow])
LENGTHS = st.lists(st.integers(1, 150), min_size=1, max_size=6).map(np.array)
SETTINGS = st.builds(
    SegmentSettings,
    frames=st.integers(16, 60),
    hop_frames=st.none() | st.integers(1, 80),
    evaluation_hop_frames=st.none() | st.integers(1, 80),
    padding=st.sampled_from(("zero", "edge", "floor", "wrap")),
    last_block=st.sampled_from(("pad", "overlap")),
)


@QUICK
@given(LENGTHS, SETTINGS, st.booleans())
def test_every_frame_of_every_utterance_is_covered(lengths: np.ndarray, wanted: SegmentSettings, overlap: bool) -> None:
    assert wanted.frames is not None
    plan = plan_segments(lengths, wanted, overlap=overlap)
    for utterance, length in enumerate(lengths):
        covered = np.zeros(length, dtype=bool)
        for start in plan.start[plan.utterance == utterance]:
            covered[start : start + wanted.frames] = True
        assert covered.all()


@QUICK
@given(LENGTHS, SETTINGS, st.booleans())
def test_segments_start_in_order_within_their_utterance(
    lengths: np.ndarray, wanted: SegmentSettings, overlap: bool
) -> None:
    plan = plan_segments(lengths, wanted, overlap=overlap)
    assert len(plan) == len(plan.utterance) == len(plan.start)
    np.testing.assert_array_equal(plan.length, lengths[plan.utterance])
    assert (plan.start >= 0).all()
    assert (plan.start < plan.length).all()
    assert (np.diff(plan.utterance) >= 0).all()
    same = np.diff(plan.utterance) == 0
    assert (np.diff(plan.start)[same] > 0).all()


@QUICK
@given(LENGTHS, SETTINGS, st.booleans())
def test_there_are_as_many_segments_as_hops_fit(lengths: np.ndarray, wanted: SegmentSettings, overlap: bool) -> None:
    frames = wanted.frames
    assert frames is not None
    hop = min((wanted.hop_frames if overlap else wanted.evaluation_hop_frames) or frames, frames)
    expected = [1 + int(np.ceil(max(length - frames, 0) / hop)) for length in lengths]
    plan = plan_segments(lengths, wanted, overlap=overlap)
    np.testing.assert_array_equal(np.bincount(plan.utterance), expected)


@QUICK
@given(LENGTHS, SETTINGS, st.booleans())
def test_with_overlap_the_last_block_is_full_where_it_can_be(
    lengths: np.ndarray, wanted: SegmentSettings, overlap: bool
) -> None:
    assert wanted.frames is not None
    plan = plan_segments(lengths, wanted.model_copy(update={"last_block": "overlap"}), overlap=overlap)
    full = plan.start + wanted.frames <= plan.length
    np.testing.assert_array_equal(full, plan.length >= wanted.frames)


@QUICK
@given(LENGTHS, SETTINGS, st.booleans())
def test_frame_numbers_are_valid_and_real_ones_follow_one_another(
    lengths: np.ndarray, wanted: SegmentSettings, overlap: bool
) -> None:
    assert wanted.frames is not None
    plan = plan_segments(lengths, wanted, overlap=overlap)
    which = np.arange(len(plan))[::-1]
    number, real = frame_numbers(plan, which, wanted)
    assert number.shape == real.shape == (len(plan), wanted.frames)
    assert (number >= 0).all()
    assert (number < plan.length[which, None]).all()
    straight = plan.start[which, None] + np.arange(wanted.frames)
    inside = straight < plan.length[which, None]
    np.testing.assert_array_equal(number[inside], straight[inside])
    if wanted.padding in ("zero", "floor"):
        np.testing.assert_array_equal(real, inside)
    else:
        assert real.all()


@pytest.mark.parametrize(
    ("padding", "tail"),
    [("edge", [19, 19, 19, 19]), ("wrap", [0, 1, 2, 3])],
)
def test_a_short_utterance_is_filled_from_itself(padding: Literal["edge", "wrap"], tail: list[int]) -> None:
    wanted = SegmentSettings(frames=24, padding=padding)
    plan = plan_segments(np.array([20]), wanted, overlap=False)
    number, _ = frame_numbers(plan, np.array([0]), wanted)
    assert number[0].tolist() == [*range(20), *tail]


def test_a_very_short_utterance_is_repeated_as_often_as_needed() -> None:
    wanted = SegmentSettings(frames=16, padding="wrap")
    plan = plan_segments(np.array([3]), wanted, overlap=False)
    number, real = frame_numbers(plan, np.array([0]), wanted)
    assert number[0].tolist() == [0, 1, 2] * 5 + [0]
    assert real.all()


def test_starts_by_hand() -> None:
    lengths = np.array([50, 16, 33])

    def starts(*, overlap: bool, **written: object) -> list[list[int]]:
        plan = plan_segments(lengths, SegmentSettings.model_validate({"frames": 16, **written}), overlap=overlap)
        return [plan.start[plan.utterance == number].tolist() for number in range(3)]

    assert starts(overlap=False) == [[0, 16, 32, 48], [0], [0, 16, 32]]
    assert starts(overlap=False, last_block="overlap") == [[0, 16, 32, 34], [0], [0, 16, 17]]
    assert starts(overlap=True, hop_frames=10) == [[0, 10, 20, 30, 40], [0], [0, 10, 20]]
    # Training and evaluation have a hop each, and one longer than a segment would leave frames out
    assert starts(overlap=False, hop_frames=10) == starts(overlap=False)
    assert starts(overlap=True, evaluation_hop_frames=10) == starts(overlap=True)
    assert starts(overlap=False, evaluation_hop_frames=10) == starts(overlap=True, hop_frames=10)
    assert starts(overlap=True, hop_frames=99) == starts(overlap=True)
    assert starts(overlap=False, evaluation_hop_frames=99) == starts(overlap=False)


@QUICK
@given(LENGTHS, SETTINGS, st.integers(0, 99))
def test_random_crops_lie_within_their_utterance(lengths: np.ndarray, wanted: SegmentSettings, seed: int) -> None:
    assert wanted.frames is not None
    plan = plan_segments(lengths, wanted, overlap=True)
    crops = random_crops(plan, wanted.frames, np.random.default_rng(seed))
    np.testing.assert_array_equal(crops.utterance, plan.utterance)
    np.testing.assert_array_equal(crops.length, plan.length)
    short = plan.length <= wanted.frames
    np.testing.assert_array_equal(crops.start[short], plan.start[short])
    assert (crops.start >= 0).all()
    assert (crops.start[~short] + wanted.frames <= plan.length[~short]).all()


def test_random_crops_reach_both_ends() -> None:
    plan = plan_segments(np.array([20] * 500), SegmentSettings(frames=16), overlap=True)
    assert set(random_crops(plan, 16, np.random.default_rng(0)).start) == {0, 1, 2, 3, 4}


@QUICK
@given(LENGTHS, st.sampled_from(("zero", "edge", "floor", "wrap")), st.integers(1, 60), st.booleans())
def test_whole_utterances_are_one_segment_each(
    lengths: np.ndarray, padding: Literal["zero", "edge", "floor", "wrap"], shortest_frames: int, overlap: bool
) -> None:
    wanted = SegmentSettings(frames=None, padding=padding)
    plan = plan_segments(lengths, wanted, overlap=overlap)
    np.testing.assert_array_equal(plan.utterance, np.arange(len(lengths)))
    np.testing.assert_array_equal(plan.start, 0)
    np.testing.assert_array_equal(plan.length, lengths)
    number, real = frame_numbers(plan, np.arange(len(plan)), wanted, shortest_frames=shortest_frames)
    # As wide as the longest needs, and every frame stands in its place
    assert number.shape == real.shape == (len(lengths), max(shortest_frames, lengths.max()))
    for row, length in enumerate(lengths):
        np.testing.assert_array_equal(number[row, :length], np.arange(length))
        assert real[row, :length].all()
        assert real[row, length:].all() == (padding in ("edge", "wrap") or length == number.shape[1])
    assert (number < lengths[:, None]).all()


@pytest.mark.parametrize(
    ("written", "message"),
    [
        ({"hop_frames": 50}, "segments.hop_frames is 50, but segments.frames none leaves utterances whole"),
        (
            {"evaluation_hop_frames": 50},
            "segments.evaluation_hop_frames is 50, but segments.frames none leaves utterances whole; leave "
            "evaluation_hop_frames none, or give frames a number",
        ),
        ({"crop": "random"}, "segments.crop is random, .*; leave crop fixed, or give frames a number"),
        ({"last_block": "overlap"}, "segments.last_block is overlap, but segments.frames none leaves utterances whole"),
    ],
)
def test_settings_about_cutting_are_refused_where_nothing_is_cut(written: dict[str, object], message: str) -> None:
    assert SegmentSettings.model_validate({"frames": 100} | written)
    with pytest.raises(ValidationError, match=message):
        SegmentSettings.model_validate({"frames": None} | written)
