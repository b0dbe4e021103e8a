"""The dictionary that researchers exchange: its shapes, its labels, its padding, and how it is written."""

import os
import pickle
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from ser_tune.config import SegmentSettings
from ser_tune.corpora import Corpus
from ser_tune.errors import ConfigError, StorageError
from ser_tune.features import (
    FEATURE_SETS,
    FeatureStore,
    SpeakerSegments,
    corpus_features,
    segments_by_speaker,
    write_export,
)

LOGMEL = FEATURE_SETS.get("logmeldeltaspec")
SETTINGS = LOGMEL.settings.model_validate({"n_mels": 10})


LABELS = np.array([1, 0, 1, 0, 1])


@pytest.fixture
def corpus(make_corpus: Callable[..., Corpus]) -> Corpus:
    # 26, 6, 16, 26 and 41 frames; speakers s1 s1 s2 s2 s1; labels 1 0 1 0 1
    return make_corpus(0.3, 0.1, 0.2, 0.3, 0.45)


@pytest.fixture
def store(corpus: Corpus, tmp_path: Path) -> FeatureStore:
    return corpus_features(corpus, LOGMEL, SETTINGS, tmp_path / "cache")


def test_a_speakers_arrays_agree_with_the_corpus(corpus: Corpus, store: FeatureStore) -> None:
    exported = segments_by_speaker(corpus, LABELS, store, SegmentSettings(frames=16))
    assert sorted(exported) == ["s1", "s2"]
    segments, utterance_labels, segment_labels, counts = exported["s1"]
    assert segments.shape == (6, 3, 10, 16)
    assert segments.dtype == np.float32
    assert utterance_labels.tolist() == [1, 0, 1]
    assert counts.tolist() == [2, 1, 3]
    assert segment_labels.tolist() == [1, 1, 0, 1, 1, 1]
    assert exported["s2"][3].tolist() == [1, 2]


def test_segments_are_the_utterances_frames_and_then_zeros(corpus: Corpus, store: FeatureStore) -> None:
    segments = segments_by_speaker(corpus, LABELS, store, SegmentSettings(frames=16))["s1"][0]
    first = store.frames[:26].transpose(1, 2, 0)
    np.testing.assert_array_equal(segments[0], first[:, :, :16])
    np.testing.assert_array_equal(segments[1][:, :, :10], first[:, :, 16:])
    np.testing.assert_array_equal(segments[1][:, :, 10:], 0.0)


def test_floor_padding_takes_the_utterances_own_minimum(corpus: Corpus, store: FeatureStore) -> None:
    segments = segments_by_speaker(corpus, LABELS, store, SegmentSettings(frames=16, padding="floor"))["s1"][0]
    second = store.frames[26:32].transpose(1, 2, 0)
    np.testing.assert_array_equal(segments[2][:, :, :6], second)
    np.testing.assert_array_equal(
        segments[2][:, :, 6:], np.broadcast_to(second.min(axis=2, keepdims=True), (3, 10, 10))
    )


def test_training_segments_overlap_where_a_hop_is_set(corpus: Corpus, store: FeatureStore) -> None:
    exported = segments_by_speaker(
        corpus, LABELS, store, SegmentSettings(frames=16, hop_frames=5, last_block="overlap")
    )
    assert exported["s1"][3].tolist() == [3, 1, 6]
    np.testing.assert_array_equal(exported["s1"][0][2], store.frames[10:26].transpose(1, 2, 0))


def test_whole_utterances_are_refused(corpus: Corpus, store: FeatureStore) -> None:
    with pytest.raises(ConfigError, match=r"segments\.frames is none; an export holds segments of equal length"):
        segments_by_speaker(corpus, LABELS, store, SegmentSettings(frames=None))


@pytest.fixture
def exported(corpus: Corpus, store: FeatureStore) -> SpeakerSegments:
    return segments_by_speaker(corpus, LABELS, store, SegmentSettings(frames=16))


def test_a_pickle_holds_the_dictionary_itself(exported: SpeakerSegments, tmp_path: Path) -> None:
    write_export(tmp_path / "out.pkl", exported, {"emotions": ("fear", "joy")})
    with (tmp_path / "out.pkl").open("rb") as file:
        read = pickle.load(file)
    assert list(read) == list(exported)
    for speaker, arrays in exported.items():
        assert isinstance(read[speaker], tuple)
        for ours, theirs in zip(arrays, read[speaker], strict=True):
            np.testing.assert_array_equal(ours, theirs)
            assert ours.dtype == theirs.dtype


def test_an_npz_needs_no_pickle(exported: SpeakerSegments, tmp_path: Path) -> None:
    write_export(tmp_path / "out.npz", exported, {"emotions": ("fear", "joy")})
    with np.load(tmp_path / "out.npz", allow_pickle=False) as read:
        assert read["emotions"].tolist() == ["fear", "joy"]
        assert len(read.files) == 1 + 4 * 2
        for speaker, arrays in exported.items():
            parts = ("segments", "utterance_labels", "segment_labels", "segments_per_utterance")
            for part, array in zip(parts, arrays, strict=True):
                np.testing.assert_array_equal(read[f"{speaker}/{part}"], array)


def test_another_ending_is_refused(exported: SpeakerSegments, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"--out is '.*out\.mat'; expected a name that ends in \.npz or \.pkl"):
        write_export(tmp_path / "out.mat", exported, {"emotions": ("fear", "joy")})


def test_a_folder_that_is_not_there_is_named(exported: SpeakerSegments, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"--out is '.*nowhere/out\.npz'; .* in an existing folder"):
        write_export(tmp_path / "nowhere" / "out.npz", exported, {"emotions": ("fear", "joy")})


@pytest.mark.parametrize("ending", [".pkl", ".npz"])
def test_a_failure_leaves_the_older_file_and_nothing_else(
    exported: SpeakerSegments, tmp_path: Path, ending: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "out"
    folder.mkdir()
    path = folder / f"segments{ending}"
    path.write_text("older")

    def full(file: object, *rest: object, **more: object) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr("pickle.dump" if ending == ".pkl" else "numpy.savez", full)
        with pytest.raises(StorageError, match="cannot be written: No space left on device"):
            write_export(path, exported, {"emotions": ("fear", "joy")})
    assert [one.name for one in folder.iterdir()] == [path.name]
    assert path.read_text() == "older"


def test_a_written_file_has_ordinary_permissions(exported: SpeakerSegments, tmp_path: Path) -> None:
    before = os.umask(0o027)
    try:
        write_export(tmp_path / "out.npz", exported, {"emotions": ("fear", "joy")})
    finally:
        os.umask(before)
    assert (tmp_path / "out.npz").stat().st_mode & 0o777 == 0o640
