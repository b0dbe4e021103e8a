"""Segments as a plain loop would cut them, read in batches, and what they say combined."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from torch import Tensor, nn

from ser_tune.config import NormalisationSettings, SegmentSettings
from ser_tune.features import FeatureStore, Scaling
from ser_tune.prediction import (
    MeanReader,
    SegmentReader,
    UtteranceFeatures,
    scaling_of_utterances,
    segment_outputs,
    segments,
)
from ser_tune.prediction.segments import EVALUATION_FRAMES
from ser_tune.tasks import TASKS

TASK = TASKS.get("classification")

QUICK = settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
CPU = torch.device("cpu")
C, F = 2, 5


def _features(lengths: list[int], seed: int = 0) -> UtteranceFeatures:
    rng = np.random.default_rng(seed)
    offsets = np.concatenate([[0], np.cumsum(lengths)])
    frames = rng.normal(-30.0, 10.0, size=(offsets[-1], C, F)).astype(np.float32)
    return UtteranceFeatures.of(FeatureStore.of(frames, offsets), CPU)


def _frames_of(features: UtteranceFeatures, utterance: int) -> np.ndarray:
    """Shape (frames, C, F)."""
    return features.frames.numpy()[features.offsets[utterance] : features.offsets[utterance + 1]]


def _plain_segments(
    features: UtteranceFeatures,
    which: list[int],
    wanted: SegmentSettings,
    normalisation: NormalisationSettings,
    train: list[int],
    speakers: list[int],
    *,
    overlap: bool,
) -> np.ndarray:
    """What `SegmentReader` reads, one utterance after another and in float64."""
    assert wanted.frames is not None
    count = len(features.offsets) - 1
    segments = []
    for utterance in which:
        group = {
            "train": train,
            "utterance": [utterance],
            "speaker": [one for one in range(count) if speakers[one] == speakers[utterance]],
        }[normalisation.scope]
        pool = np.concatenate([_frames_of(features, one) for one in group]).astype(np.float64)
        if normalisation.kind == "standard":
            shift, spread = pool.mean(axis=0), pool.std(axis=0)
        else:
            shift, spread = pool.min(axis=0), np.ptp(pool, axis=0)
        raw = _frames_of(features, utterance).astype(np.float64)
        scaled = (raw - shift) / np.maximum(spread, 1e-3)
        hop = min((wanted.hop_frames if overlap else wanted.evaluation_hop_frames) or wanted.frames, wanted.frames)
        start = 0
        while True:
            if wanted.last_block == "overlap" and start + wanted.frames > len(raw):
                start = max(len(raw) - wanted.frames, 0)
            block = scaled[start : start + wanted.frames]
            missing = wanted.frames - len(block)
            filling = {
                "zero": np.zeros((missing, C, F)),
                "edge": np.repeat(scaled[-1:], missing, axis=0),
                "floor": np.repeat(scaled.min(axis=0, keepdims=True), missing, axis=0),
                "wrap": np.tile(scaled, (1 + missing // len(raw), 1, 1))[:missing],
            }[wanted.padding]
            segments.append(np.concatenate([block, filling]).transpose(1, 2, 0))
            if start + wanted.frames >= len(raw):
                break
            start += hop
    return np.stack(segments)


@pytest.mark.slow
@QUICK
@given(
    lengths=st.lists(st.integers(2, 60), min_size=3, max_size=6),
    wanted=st.builds(
        SegmentSettings,
        frames=st.integers(16, 24),
        hop_frames=st.none() | st.integers(3, 30),
        evaluation_hop_frames=st.none() | st.integers(3, 30),
        padding=st.sampled_from(("zero", "edge", "floor", "wrap")),
        last_block=st.sampled_from(("pad", "overlap")),
    ),
    normalisation=st.builds(
        NormalisationSettings,
        kind=st.sampled_from(("standard", "minmax")),
        scope=st.sampled_from(("train", "utterance", "speaker")),
    ),
    overlap=st.booleans(),
    data=st.data(),
)
def test_segments_are_those_of_a_plain_loop(
    lengths: list[int],
    wanted: SegmentSettings,
    normalisation: NormalisationSettings,
    overlap: bool,
    data: st.DataObject,
) -> None:
    numbers = st.sampled_from(range(len(lengths)))
    which = data.draw(st.lists(numbers, min_size=1, max_size=4, unique=True))
    train = sorted(data.draw(st.sets(numbers, min_size=1)))
    speakers = data.draw(st.lists(st.integers(0, 2), min_size=len(lengths), max_size=len(lengths)))
    features = _features(lengths)
    scaling = scaling_of_utterances(
        features.moments,
        normalisation,
        train=features.moments.scaling(np.array(train), normalisation),
        speakers=np.array(speakers),
    )
    reader = SegmentReader([features], np.array(which), wanted, scaling, overlap=overlap)
    expected = _plain_segments(features, which, wanted, normalisation, train, speakers, overlap=overlap)
    assert len(reader) == len(expected)
    order = np.random.default_rng(0).permutation(len(reader))
    (segments,) = reader.gather(order)
    assert segments.dtype == torch.float32
    assert segments.is_contiguous(memory_format=torch.channels_last)
    np.testing.assert_allclose(segments.numpy(), expected[order], rtol=1e-3, atol=1e-3)


def test_scope_train_needs_the_training_speakers_scaling() -> None:
    features = _features([20, 20])
    with pytest.raises(ValueError, match="training speakers' scaling"):
        scaling_of_utterances(features.moments, NormalisationSettings(), train=None, speakers=np.zeros(2))


@pytest.mark.parametrize("frames", [16, None])
@pytest.mark.parametrize("padding", ["zero", "floor"])
def test_copies_are_read_after_the_clean_utterances_each_as_if_alone(frames: int | None, padding: str) -> None:
    parts = [_features([20, 33, 7, 50], seed=0), _features([18, 35, 7, 44], seed=1), _features([20, 33, 8, 50], seed=2)]
    settings, which = SegmentSettings.model_validate({"frames": frames, "padding": padding}), np.array([3, 0, 2])
    scaling = scaling_of_utterances(
        parts[0].moments, NormalisationSettings(scope="utterance"), train=None, speakers=np.zeros(4)
    )
    together = SegmentReader(parts, which, settings, scaling, overlap=True, shortest_frames=16)
    first = 0
    for copy, part in enumerate(parts):
        alone = SegmentReader([part], which, settings, scaling, overlap=True, shortest_frames=16)
        plan = together.plan.utterance[first : first + len(alone)]
        np.testing.assert_array_equal(plan, alone.plan.utterance + copy * len(which))
        found = together.gather(np.arange(first, first + len(alone)))
        for one, expected in zip(found, alone.gather(np.arange(len(alone))), strict=True):
            torch.testing.assert_close(one, expected, rtol=0, atol=0)
        first += len(alone)
    assert first == len(together)
    # In any order, clean segments among copies
    order = np.random.default_rng(0).permutation(len(together))
    mixed = together.gather(order)[0]
    for place, one in enumerate(order):
        expected = together.gather(np.array([one]))[0][0]
        torch.testing.assert_close(mixed[place, :, :, : expected.shape[2]], expected, rtol=0, atol=0)


@pytest.mark.parametrize("channels", [[0], [1], [0, 1], [1, 0]])
@pytest.mark.parametrize("copies", [0, 1])
@pytest.mark.parametrize("written", [{"frames": 16, "padding": "floor"}, {"frames": None}])
def test_features_of_some_channels_are_read_as_among_all(
    channels: list[int], copies: int, written: dict[str, object]
) -> None:
    lengths, which = [20, 33, 7, 50], np.array([3, 0, 2])
    parts = [_features(lengths, seed=copy) for copy in range(copies + 1)]
    settings, speakers = SegmentSettings.model_validate(written), np.array([0, 1, 0, 1])
    found = []
    for own in (parts, [part.channels(channels) for part in parts]):
        normalisation = NormalisationSettings(scope="speaker")
        scaling = scaling_of_utterances(own[0].moments, normalisation, train=None, speakers=speakers)
        reader = SegmentReader(own, which, settings, scaling, overlap=True, shortest_frames=16)
        found.append(reader.gather(np.arange(len(reader)))[0])
    torch.testing.assert_close(found[1], found[0][:, channels], rtol=0, atol=0)
    assert reader.nbytes == found[1].numel() * 4


@pytest.mark.parametrize("frames", [16, None])
@pytest.mark.parametrize("most", [1, 30, 100, 10_000])
def test_blocks_hold_every_segment_once_and_no_more_than_asked_for(frames: int | None, most: int) -> None:
    lengths = [20, 33, 7, 50, 64, 16]
    reader = _whole(lengths, frames=frames)
    rows, blocks = zip(*reader.blocks(most * C * F * 4), strict=True)
    assert np.concatenate([np.arange(len(reader))[each] for each in rows]).tolist() == list(range(len(reader)))
    assert all(block[0].shape[0] * block[0].shape[3] <= most or len(block[0]) == 1 for block in blocks)
    for each, block in zip(rows, blocks, strict=True):
        for found, expected in zip(block, reader.gather(np.arange(len(reader))[each]), strict=True):
            torch.testing.assert_close(found, expected, rtol=0, atol=0)
    assert len(blocks) == 1 or reader.nbytes > most * C * F * 4


@pytest.mark.parametrize("copies", [0, 1])
@pytest.mark.parametrize("padding", ["zero", "edge", "floor", "wrap"])
def test_means_of_whole_utterances_come_from_moments_alone(copies: int, padding: str) -> None:
    lengths, which = [20, 33, 7, 50], np.array([3, 0, 2])
    parts = [_features(lengths, seed=copy) for copy in range(copies + 1)]
    settings = SegmentSettings.model_validate({"frames": None, "padding": padding})
    normalisation = NormalisationSettings(scope="speaker")
    scaling = scaling_of_utterances(parts[0].moments, normalisation, train=None, speakers=np.array([0, 1, 0, 1]))
    whole = SegmentReader(parts, which, settings, scaling, overlap=True)
    unread = [replace(part, frames=torch.full_like(part.frames, torch.nan)) for part in parts]
    reader = MeanReader(unread, which, settings, scaling, overlap=True)
    assert reader.plan.length.tolist() == whole.plan.length.tolist()
    assert reader.nbytes == len(reader) * C * F * 4
    order = np.random.default_rng(0).permutation(len(reader))
    means, lengths_read = reader.gather(order)
    assert means.shape == (len(reader), C, F, 1)
    assert lengths_read.tolist() == [1] * len(reader)
    for mean, segment in zip(means, order, strict=True):
        expected = whole.gather(np.array([segment]))[0].mean(dim=3)[0]
        torch.testing.assert_close(mean[:, :, 0], expected, rtol=1e-4, atol=1e-5)


def test_means_of_many_utterances_are_a_batch_however_long_these_are() -> None:
    lengths, batches = [EVALUATION_FRAMES // 2] * 5, []

    class Counted(nn.Module):
        def forward(self, means: Tensor, lengths: Tensor) -> Tensor:
            batches.append(len(means))
            return means.flatten(1)

    features = _features(lengths)
    unscaled = Scaling(shift=np.zeros((C, F), np.float32), spread=np.ones((C, F), np.float32))
    reader = MeanReader(
        [features],
        np.arange(5),
        SegmentSettings.model_validate({"frames": None}),
        ([unscaled], np.zeros(5, dtype=np.int64)),
        overlap=True,
    )
    segment_outputs(Counted(), reader, TASK)
    assert batches == [5]


# Whole utterances


def _whole(lengths: list[int], which: list[int] | None = None, **written: object) -> SegmentReader:
    """Utterances of features as they are: the scaling changes nothing."""
    features = _features(lengths)
    unscaled = Scaling(shift=np.zeros((C, F), np.float32), spread=np.ones((C, F), np.float32))
    return SegmentReader(
        [features],
        np.arange(len(lengths)) if which is None else np.array(which),
        SegmentSettings.model_validate({"frames": None, **written}),
        ([unscaled], np.zeros(len(lengths), dtype=np.int64)),
        overlap=True,
        shortest_frames=16,
    )


def test_whole_utterances_are_followed_by_zeros_to_the_longest_of_the_batch() -> None:
    reader, features = _whole([20, 33, 7, 50], which=[3, 1, 0]), _features([20, 33, 7, 50])
    assert len(reader) == 3
    segments, lengths = reader.gather(np.array([2, 1]))
    assert lengths.tolist() == [20, 33]
    assert lengths.dtype == torch.int64
    assert segments.shape == (2, C, F, 33)
    assert segments.is_contiguous(memory_format=torch.channels_last)
    for one, utterance in zip(segments.numpy(), (0, 1), strict=True):
        raw = _frames_of(features, utterance).transpose(1, 2, 0)
        np.testing.assert_array_equal(one[:, :, : raw.shape[2]], raw)
        assert not one[:, :, raw.shape[2] :].any()


@pytest.mark.parametrize("padding", ["zero", "edge", "floor", "wrap"])
def test_utterances_too_short_for_the_network_are_padded_as_segments_are(padding: str) -> None:
    reader, raw = _whole([20, 33, 7, 50], padding=padding), _frames_of(_features([20, 33, 7, 50]), 2)
    segments, lengths = reader.gather(np.array([2, 0]))
    assert lengths.tolist() == [16, 20]
    filling = {
        "zero": np.zeros((9, C, F)),
        "edge": np.repeat(raw[-1:], 9, axis=0),
        "floor": np.repeat(raw.min(axis=0, keepdims=True), 9, axis=0),
        "wrap": np.concatenate([raw, raw[:2]]),
    }[padding]
    short = segments[0].numpy().transpose(2, 0, 1)
    np.testing.assert_array_equal(short, np.concatenate([raw, filling, np.zeros((4, C, F))]).astype(np.float32))
    assert reader.gather(np.array([2]))[0].shape[3] == 16


class _Listener(nn.Module):
    """Knows an utterance by its sum, and notes how much padding it was shown."""

    def __init__(self) -> None:
        super().__init__()
        self.batches: list[tuple[int, int, int]] = []

    def forward(self, segments: Tensor, lengths: Tensor) -> Tensor:
        shown = segments.shape[0] * segments.shape[3]
        self.batches.append((len(segments), shown, shown - int(lengths.sum())))
        return torch.stack([segments.sum(dim=(1, 2, 3)), lengths.float()], dim=1) / 1000


def test_whole_utterances_are_judged_by_length_and_told_in_their_own_order() -> None:
    lengths = [int(one) for one in np.random.default_rng(0).integers(10, 900, size=100)]
    reader, features, network = _whole(lengths), _features(lengths), _Listener()
    scores = segment_outputs(network, reader, TASK)
    logits = np.array([[_frames_of(features, one).sum(), max(lengths[one], 16)] for one in range(100)]) / 1000
    expected = logits - np.logaddexp.reduce(logits, axis=1, keepdims=True)
    np.testing.assert_allclose(scores, expected, rtol=1e-3, atol=1e-3)
    assert sum(count for count, _, _ in network.batches) == 100
    assert len(network.batches) > 1
    assert max(shown for _, shown, _ in network.batches) <= EVALUATION_FRAMES
    assert sum(padding for _, _, padding in network.batches) < 0.2 * sum(lengths)


def test_an_utterance_longer_than_a_batch_is_a_batch_of_its_own() -> None:
    network = _Listener()
    segment_outputs(network, _whole([EVALUATION_FRAMES + 1, 20]), TASK)
    assert [count for count, _, _ in network.batches] == [1, 1]


def test_many_utterances_are_judged_in_parts_of_few_bytes(monkeypatch: pytest.MonkeyPatch) -> None:
    reader, network = _whole([20] * 40), _Listener()
    expected = segment_outputs(network, reader, TASK)
    assert [count for count, _, _ in network.batches] == [40]
    monkeypatch.setattr(segments, "BLOCK", 0)
    monkeypatch.setattr(segments, "PART", 10 * 20 * reader.frame_bytes)
    np.testing.assert_allclose(segment_outputs(network, reader, TASK), expected, rtol=1e-5)
    assert [count for count, _, _ in network.batches[1:]] == [10] * 4


def test_networks_judge_in_float32_where_torch_would_take_tf32() -> None:
    kinds = (torch.backends.cuda.matmul, torch.backends.cudnn.conv, torch.backends.cudnn.rnn)

    class Watched(nn.Module):
        def forward(self, segments: Tensor) -> Tensor:
            assert [kind.fp32_precision for kind in kinds] == ["ieee"] * 3
            return segments.mean(dim=(2, 3))

    features = UtteranceFeatures.of(FeatureStore.of(np.zeros((40, 3, 8), np.float32), np.array([0, 40])), CPU)
    scaling = Scaling(shift=np.zeros((3, 8), np.float32), spread=np.ones((3, 8), np.float32))
    reader = SegmentReader(
        [features], np.array([0]), SegmentSettings(frames=20), ([scaling], np.array([0])), overlap=False
    )
    before = [kind.fp32_precision for kind in kinds]
    assert segment_outputs(Watched(), reader, TASK).shape == (2, 3)
    assert [kind.fp32_precision for kind in kinds] == before
