"""Emotions in sound that is still coming: a fake stream stands for the microphone."""

import sys
from collections.abc import Iterator, Sequence
from itertools import pairwise
from types import ModuleType
from typing import Any

import numpy as np
import pytest

from ser_tune.errors import AudioError, ConfigError
from ser_tune.prediction import Heard, Prediction
from ser_tune.recordings import Microphone, SpeechDetector, follow
from tests.recordings.conftest import LoudnessModel, in_silence


@pytest.fixture(scope="module")
def detector() -> SpeechDetector:
    pytest.importorskip("silero_vad", reason="needs the extra timeline")
    return SpeechDetector()


def _pieces(sound: np.ndarray, seconds: float) -> Iterator[np.ndarray]:
    size = round(seconds * 16_000)
    for start in range(0, len(sound), size):
        yield sound[start : start + size]


@pytest.mark.parametrize("piece_s", [0.02, 0.1, 0.7])
def test_a_change_of_emotion_is_told_at_most_a_second_and_a_half_after_it_began(
    demo_speech: list[np.ndarray], detector: SpeechDetector, model: LoudnessModel, piece_s: float
) -> None:
    sound, truth = in_silence([*demo_speech[:2], *(0.4 * one for one in demo_speech[2:4]), demo_speech[4]])
    changes = list(follow(model, _pieces(sound, piece_s), detector))  # type: ignore[arg-type]
    assert [one.label for one in changes] == ["anger", "sadness", "anger"]
    for change, (start_s, _) in zip(changes, (truth[0], truth[2], truth[4]), strict=True):
        assert start_s < change.at_s < start_s + 1.5 + piece_s
    assert all(16_000 <= size <= 3 * 16_000 for batch in model.asked for size in batch)


def test_an_uncertain_prediction_is_told_as_such(
    demo_speech: list[np.ndarray], detector: SpeechDetector, model: LoudnessModel
) -> None:
    sound, _ = in_silence(demo_speech[:2])
    changes = list(follow(model, _pieces(sound, 0.1), detector, min_confidence=0.9))  # type: ignore[arg-type]
    assert [one.label for one in changes] == ["uncertain"]


def test_ratings_are_told_whenever_they_change(demo_speech: list[np.ndarray], detector: SpeechDetector) -> None:
    model = LoudnessModel(task="dimensions")
    sound, _ = in_silence([*demo_speech[:2], 0.4 * demo_speech[2]])
    changes = list(follow(model, _pieces(sound, 0.1), detector, min_confidence=0.9))  # type: ignore[arg-type]
    assert len(changes) >= 2
    assert changes[0].label == f"anger {changes[0].numbers['anger']:.2f}, sadness {changes[0].numbers['sadness']:.2f}"
    assert all(before.label != after.label for before, after in pairwise(changes))


def test_a_remembered_speaker_adapts_what_is_heard(
    demo_speech: list[np.ndarray],
    detector: SpeechDetector,
    speaker_model: LoudnessModel,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    known, given = [{"utterances": np.array([3.0])}], list[object]()

    def predict_speaker(heard: Sequence[Heard], before: object) -> tuple[list[Prediction], list[object]]:
        given.append(before)
        return LoudnessModel().predict_heard(heard), []

    monkeypatch.setattr(speaker_model, "predict_speaker", predict_speaker, raising=False)
    sound, _ = in_silence(demo_speech[:1])
    # A model that normalises by speaker refuses a single recording of an unknown speaker
    changes = list(follow(speaker_model, _pieces(sound, 0.1), detector, before=known))  # type: ignore[arg-type]
    assert [change.label for change in changes] == ["anger"]
    assert given
    assert all(before is known for before in given)


def test_silence_is_not_judged(detector: SpeechDetector, model: LoudnessModel) -> None:
    hiss = np.random.default_rng(0).normal(0, 1e-4, 10 * 16_000).astype(np.float32)
    assert list(follow(model, _pieces(hiss, 0.1), detector)) == []  # type: ignore[arg-type]
    assert model.asked == []


class PortAudioError(Exception):
    pass


class Stream:
    """Plays a sound as fast as it is taken, then ends, as a device that is pulled out."""

    sound = np.zeros(0, dtype=np.float32)
    opened: list[dict[str, Any]] = []  # noqa: RUF012
    closed = 0

    def __init__(self, **options: Any) -> None:
        Stream.opened.append(options)
        self.options = options

    def start(self) -> None:
        size = self.options["blocksize"]
        for start in range(0, len(Stream.sound), size):
            block = Stream.sound[start : start + size, None]
            self.options["callback"](block, len(block), None, None)
        self.options["finished_callback"]()

    def close(self) -> None:
        Stream.closed += 1


DEVICES = [
    {"index": 0, "name": "speakers", "default_samplerate": 48_000.0, "max_input_channels": 0},
    {"index": 1, "name": "USB microphone", "default_samplerate": 44_100.0, "max_input_channels": 2},
]


def query_devices(device: int | str | None = None, kind: str | None = None) -> Any:
    if kind is None:
        return DEVICES
    if device in (None, 1) or str(device) in "USB microphone":
        return DEVICES[1]
    raise ValueError(f"No input device matching {device!r}")


@pytest.fixture
def portaudio(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    library: Any = ModuleType("sounddevice")
    library.InputStream, library.PortAudioError, library.query_devices = Stream, PortAudioError, query_devices
    monkeypatch.setitem(sys.modules, "sounddevice", library)
    monkeypatch.setattr(Stream, "opened", [])
    monkeypatch.setattr(Stream, "closed", 0)
    return library  # type: ignore[no-any-return]


def test_a_microphone_is_read_at_its_own_rate_and_gives_16_khz(
    portaudio: ModuleType, monkeypatch: pytest.MonkeyPatch
) -> None:
    time_s = np.arange(2 * 44_100) / 44_100
    monkeypatch.setattr(Stream, "sound", np.sin(2 * np.pi * 440 * time_s).astype(np.float32))
    pieces: list[np.ndarray] = []

    def read() -> None:
        with Microphone("USB") as microphone:
            for piece in microphone:
                pieces.append(piece)  # noqa: PERF402 - the last one raises

    with pytest.raises(AudioError, match="the microphone 'USB microphone' gives no more sound"):
        read()
    heard = np.concatenate(pieces)
    assert len(heard) == pytest.approx(2 * 16_000, abs=200)
    spectrum = np.abs(np.fft.rfft(heard))
    assert spectrum.argmax() * 16_000 / len(heard) == pytest.approx(440, abs=2)
    assert [one["samplerate"] for one in Stream.opened] == [44_100]
    assert Stream.closed == 1


def test_no_such_microphone_lists_those_there_are(portaudio: ModuleType) -> None:
    with pytest.raises(AudioError, match=r"no microphone 'x' \(No input .*\); there are: 1 USB microphone"):
        Microphone("x")


def test_a_microphone_that_is_in_use_is_named(portaudio: Any) -> None:
    def busy(**_: Any) -> None:
        raise PortAudioError("Device unavailable [PaErrorCode -9985]\nmore")

    portaudio.InputStream = busy
    with (
        pytest.raises(AudioError, match=r"^the microphone 'USB microphone' cannot be read: Device unavail.*9985\]$"),
        Microphone(),
    ):
        pass


@pytest.mark.parametrize("missing", ["package", "library"])
def test_what_is_missing_is_named(missing: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delitem(sys.modules, "sounddevice", raising=False)
    if missing == "package":
        monkeypatch.setitem(sys.modules, "sounddevice", None)
    else:
        pytest.importorskip("_sounddevice", reason="needs the extra listen")
        monkeypatch.setattr("ctypes.util.find_library", lambda name: None)
    with pytest.raises(ConfigError, match=r"ser-tune\[listen\]" if missing == "package" else "PortAudio"):
        Microphone()
