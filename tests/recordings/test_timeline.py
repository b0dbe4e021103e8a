"""Speech in long recordings, windows of it, and passages of one emotion."""

import itertools
import sys
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile
import torch
from hypothesis import given
from hypothesis import strategies as st

from ser_tune.audio import read_speech
from ser_tune.errors import AudioError, ConfigError
from ser_tune.recordings import (
    Passage,
    SpeechDetector,
    Timeline,
    audacity_labels,
    label_of,
    rttm,
    speech,
    timeline,
    timeline_of,
)
from ser_tune.recordings.speech import Stretch, read_pieces
from ser_tune.recordings.timeline import merged, plan_windows
from tests.recordings.conftest import LoudnessModel, in_silence

EMODB = Path(__file__).parents[3] / "shared" / "corpora" / "emodb" / "wav"
NEAR_S = 0.3


@pytest.fixture(scope="module")
def detector() -> SpeechDetector:
    pytest.importorskip("silero_vad", reason="needs the extra timeline")
    return SpeechDetector()


def _check(found: Timeline, truth: Sequence[tuple[float, float]]) -> None:
    """Every utterance has passages that begin and end with it, and no passage lies in a silence."""
    for start_s, end_s in truth:
        own = [one for one in found.passages if one.end_s > start_s and one.start_s < end_s]
        assert own, f"nothing was found at {start_s:.2f} s"
        assert own[0].start_s == pytest.approx(start_s, abs=NEAR_S)
        assert own[-1].end_s == pytest.approx(end_s, abs=NEAR_S)
    for passage in found.passages:
        assert any(start_s - NEAR_S <= passage.start_s and passage.end_s <= end_s + NEAR_S for start_s, end_s in truth)


@pytest.mark.slow
def test_emodb_utterances_between_silences_are_found_within_three_tenths_of_a_second(
    tmp_path: Path, detector: SpeechDetector, model: LoudnessModel
) -> None:
    if not EMODB.is_dir():
        pytest.skip(f"the real EmoDB is not at {EMODB}")
    sound, truth = in_silence([read_speech(path) for path in sorted(EMODB.glob("*.wav"))[::27]])
    assert len(truth) == 20
    soundfile.write(tmp_path / "long.wav", sound, 16_000)
    found = timeline_of(model, str(tmp_path / "long.wav"), detector)  # type: ignore[arg-type]
    assert found.length_s == pytest.approx(len(sound) / 16_000)
    _check(found, truth)


@pytest.fixture
def long_file(tmp_path: Path, demo_speech: list[np.ndarray]) -> tuple[str, list[tuple[float, float]]]:
    """Three utterances loud, three soft, at 44.1 kHz in stereo."""
    import soxr

    sound, truth = in_silence([*demo_speech[:3], *(0.4 * one for one in demo_speech[3:])])
    both = soxr.resample(np.stack([sound, sound], axis=1), 16_000, 44_100)
    soundfile.write(tmp_path / "two words.flac", both, 44_100)
    return str(tmp_path / "two words.flac"), truth


@pytest.mark.slow
def test_each_utterance_has_its_emotion(
    long_file: tuple[str, list[tuple[float, float]]], detector: SpeechDetector, model: LoudnessModel
) -> None:
    file, truth = long_file
    shares: list[float] = []
    found = timeline_of(model, file, detector, progressed=shares.append)  # type: ignore[arg-type]
    _check(found, truth)
    middle = (truth[2][1] + truth[3][0]) / 2
    assert {one.label for one in found.passages if one.end_s < middle} == {"anger"}
    assert {one.label for one in found.passages if one.start_s > middle} == {"sadness"}
    assert (found.source, shares[-1]) == (file, 1.0)
    sure = timeline_of(model, file, detector, min_confidence=0.9)  # type: ignore[arg-type]
    assert {one.label for one in sure.passages if one.end_s < middle} == {"uncertain"}


def test_a_timeline_of_ratings_has_a_passage_for_each_stretch_and_a_curve_of_windows(
    long_file: tuple[str, list[tuple[float, float]]], detector: SpeechDetector
) -> None:
    model = LoudnessModel(task="dimensions")
    found = timeline_of(model, long_file[0], detector, window_s=0.5)  # type: ignore[arg-type]
    _check(found, long_file[1])
    assert len(found.passages) < len(found.windows)
    for passage in found.passages:
        own = [window.numbers["anger"] for window in found.windows if passage.start_s <= window.start_s < passage.end_s]
        assert min(own) - 1e-9 <= passage.numbers["anger"] <= max(own) + 1e-9
        assert passage.label == label_of(model, passage.numbers)  # type: ignore[arg-type]


@pytest.mark.slow
def test_a_recording_is_read_in_pieces_and_gives_the_same(
    long_file: tuple[str, list[tuple[float, float]]],
    detector: SpeechDetector,
    model: LoudnessModel,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    file, truth = long_file
    whole = timeline_of(model, file, detector)  # type: ignore[arg-type]
    largest = max(sum(batch) for batch in model.asked)
    model.asked = []
    monkeypatch.setattr(speech, "PIECE_S", 2.0)
    monkeypatch.setattr(timeline, "BATCH_S", 4.0)
    assert max(map(len, read_pieces(Path(file)))) <= 4 * 16_000
    pieces = timeline_of(model, file, detector)  # type: ignore[arg-type]
    assert max(sum(batch) for batch in model.asked) < largest
    assert [one.label for one in pieces.passages] == [one.label for one in whole.passages]
    for one, other in zip(pieces.passages, whole.passages, strict=True):
        assert one.start_s == pytest.approx(other.start_s, abs=0.07)
    _check(pieces, truth)


@pytest.mark.slow
def test_all_windows_of_one_speaker_are_judged_together(
    long_file: tuple[str, list[tuple[float, float]]], detector: SpeechDetector, speaker_model: LoudnessModel
) -> None:
    found = timeline_of(speaker_model, long_file[0], detector)  # type: ignore[arg-type]
    assert [len(batch) for batch in speaker_model.asked] == [len(found.windows)]


@pytest.mark.parametrize("level", [0.0, 1e-4], ids=["digital silence", "hiss"])
def test_a_recording_without_speech_has_no_passages(
    tmp_path: Path, detector: SpeechDetector, model: LoudnessModel, level: float
) -> None:
    hiss = np.random.default_rng(0).normal(0, level, 5 * 16_000)
    soundfile.write(tmp_path / "silent.wav", hiss, 16_000)
    found = timeline_of(model, str(tmp_path / "silent.wav"), detector)  # type: ignore[arg-type]
    assert (found.passages, found.windows, model.asked) == ((), (), [])
    assert found.length_s == pytest.approx(5)


@pytest.mark.parametrize("content", [b"", b"RIFF", None])
def test_a_damaged_recording_is_named(
    tmp_path: Path, detector: SpeechDetector, model: LoudnessModel, content: bytes | None
) -> None:
    if content is not None:
        (tmp_path / "bad.wav").write_bytes(content)
    with pytest.raises(AudioError, match=r"bad\.wav"):
        timeline_of(model, str(tmp_path / "bad.wav"), detector)  # type: ignore[arg-type]


def test_the_detector_leaves_torch_its_threads() -> None:
    pytest.importorskip("silero_vad", reason="needs the extra timeline")
    before = torch.get_num_threads()
    try:
        for name in [one for one in sys.modules if one.startswith("silero_vad")]:
            del sys.modules[name]
        torch.set_num_threads(3)
        SpeechDetector()
        assert torch.get_num_threads() == 3
    finally:
        torch.set_num_threads(before)


@pytest.mark.parametrize("package", ["silero_vad", "onnxruntime"])
def test_without_its_packages_the_detector_names_the_extra(package: str, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [one for one in sys.modules if one.startswith("silero_vad")]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, package, None)
    with pytest.raises(ConfigError, match=rf"needs the package {package}; install it with .*ser-tune\[timeline\]"):
        SpeechDetector()


@given(
    start_s=st.floats(0, 1e4),
    length_s=st.floats(0.25, 500),
    window_s=st.floats(0.5, 60),
)
def test_windows_cover_their_speech_and_nothing_else(start_s: float, length_s: float, window_s: float) -> None:
    stretch = Stretch(start_s, start_s + length_s)
    windows = plan_windows(stretch, window_s=window_s, step_s=min(1.0, window_s))
    assert windows[0].start_s == stretch.start_s
    assert windows[-1].end_s == pytest.approx(stretch.end_s)
    assert all(0 <= b.start_s - a.start_s <= 1.0 + 1e-6 for a, b in itertools.pairwise(windows))
    assert all(one.end_s - one.start_s <= window_s + 1e-6 for one in windows)


def _windows(labels: str) -> Iterator[Passage]:
    for number, letter in enumerate(labels):
        share = {"anger": 0.9 if letter == "a" else 0.2}
        yield Passage(float(number), number + 3.0, letter, share | {"sadness": 1 - share["anger"]})


def test_neighbouring_windows_of_one_emotion_are_one_passage() -> None:
    passages = list(merged(Stretch(0.0, 8.0), list(_windows("aaabba"))))
    assert [(passage.start_s, passage.end_s, passage.label) for passage in passages] == [
        (0, 4, "a"),
        (4, 6, "b"),
        (6, 8, "a"),
    ]
    assert [passage.numbers["anger"] for passage in passages] == pytest.approx([0.9, 0.2, 0.9])


def test_windows_of_ratings_are_one_passage_of_their_mean() -> None:
    (passage,) = merged(Stretch(0.0, 8.0), list(_windows("aaabba")), by_label=False)
    assert (passage.start_s, passage.end_s) == (0.0, 8.0)
    assert passage.numbers["anger"] == pytest.approx((6 * 0.9 + 2 * 0.2) / 8)


def test_passages_are_rttm_and_audacity_labels() -> None:
    passages = (
        Passage(1.25, 3.5, "very angry", {"very angry": 0.75, "joy": 0.25}),
        Passage(4.0, 5.0, "uncertain", {"very angry": 0.5, "joy": 0.5}),
    )
    found = Timeline("sounds/my talk.v2.wav", 9.0, passages, ())
    assert rttm(found).splitlines() == [
        "SPEAKER my_talk.v2 1 1.250 2.250 <NA> <NA> very_angry 0.750 <NA>",
        "SPEAKER my_talk.v2 1 4.000 1.000 <NA> <NA> uncertain 0.500 <NA>",
    ]
    assert audacity_labels(found) == "1.250000\t3.500000\tvery angry\n4.000000\t5.000000\tuncertain\n"


def test_a_short_sound_is_judged_with_what_is_around_it(tmp_path: Path, sound: Callable[..., str], model: Any) -> None:
    from ser_tune.recordings.timeline import _hear

    file = Path(sound(tmp_path / "a.wav", 5.0))
    windows = [Stretch(0.1, 0.4), Stretch(2.0, 2.5), Stretch(4.9, 5.0)]
    assert [len(one.speech) for one in _hear(file, windows)] == [12_000, 16_000, 8_800]
