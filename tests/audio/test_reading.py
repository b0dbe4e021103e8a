"""Reading speech: odd files are read rightly or refused by name, never repaired in silence."""

import struct
from pathlib import Path

import numpy as np
import pytest
import soundfile

from ser_tune.audio import SAMPLE_RATE_HZ, read_samples, read_speech, to_speech
from ser_tune.errors import AudioError


def _tone(duration_s: float, sample_rate_hz: int = SAMPLE_RATE_HZ) -> np.ndarray:
    return 0.5 * np.sin(2 * np.pi * 440.0 * np.arange(round(duration_s * sample_rate_hz)) / sample_rate_hz)


def test_a_recording_is_read_as_it_was_written(tmp_path: Path) -> None:
    path = tmp_path / "tone.wav"
    soundfile.write(path, _tone(0.5), SAMPLE_RATE_HZ, subtype="FLOAT")
    samples = read_speech(path)
    assert samples.dtype == np.float32
    np.testing.assert_array_equal(samples, _tone(0.5).astype(np.float32))


def test_48_khz_stereo_becomes_16_khz_mono(tmp_path: Path) -> None:
    path = tmp_path / "stereo.wav"
    left = _tone(1.0, 48_000)
    soundfile.write(path, np.stack([left, np.zeros_like(left)], axis=1), 48_000)
    samples = read_speech(path)
    assert samples.shape == (16_000,)
    # The mean of the two channels, away from the edges that the resampler's filter touches.
    np.testing.assert_allclose(samples[500:-500], 0.5 * _tone(1.0)[500:-500], atol=1e-3)


def test_samples_are_read_as_they_were_recorded(tmp_path: Path) -> None:
    path = tmp_path / "stereo.wav"
    stereo = np.stack([_tone(0.5, 48_000), np.zeros(24_000)], axis=1)
    soundfile.write(path, stereo, 48_000, subtype="FLOAT")
    samples, rate_hz = read_samples(path)
    assert rate_hz == 48_000
    np.testing.assert_array_equal(samples, stereo.astype(np.float32))
    assert len(read_samples(path, start_s=0.1, end_s=0.3)[0]) == 9600


def test_the_content_decides_on_the_format_not_the_ending(tmp_path: Path) -> None:
    path = tmp_path / "really_aiff.wav"
    soundfile.write(path, _tone(0.5), SAMPLE_RATE_HZ, format="AIFF", subtype="PCM_16")
    np.testing.assert_allclose(read_speech(path), _tone(0.5), atol=1e-4)


def test_a_stretch_is_cut_out(tmp_path: Path) -> None:
    path = tmp_path / "ramp.wav"
    soundfile.write(path, np.linspace(0.1, 0.9, 16_000), SAMPLE_RATE_HZ, subtype="FLOAT")
    whole = read_speech(path)
    np.testing.assert_array_equal(read_speech(path, start_s=0.25, end_s=0.75), whole[4000:12_000])
    np.testing.assert_array_equal(read_speech(path, start_s=0.5), whole[8000:])
    np.testing.assert_array_equal(read_speech(path, end_s=1.0), whole)


@pytest.mark.parametrize(("start_s", "end_s"), [(0.0, 1.5), (1.5, None), (0.8, 0.2), (-0.1, 0.5)])
def test_a_stretch_outside_the_recording_is_refused(tmp_path: Path, start_s: float, end_s: float | None) -> None:
    path = tmp_path / "tone.wav"
    soundfile.write(path, _tone(1.0), SAMPLE_RATE_HZ)
    with pytest.raises(AudioError, match=r"tone\.wav: the stretch .* is not within its 1\.000 s"):
        read_speech(path, start_s=start_s, end_s=end_s)


def test_a_stretch_of_no_length_holds_no_samples(tmp_path: Path) -> None:
    path = tmp_path / "tone.wav"
    soundfile.write(path, _tone(1.0), SAMPLE_RATE_HZ)
    with pytest.raises(AudioError, match="no samples"):
        read_speech(path, start_s=0.5, end_s=0.5)


@pytest.mark.parametrize("ending", ["wav", "aiff", "au", "mp3", "flac"])
def test_a_truncated_file_is_refused(tmp_path: Path, ending: str) -> None:
    whole, cut = tmp_path / f"whole.{ending}", tmp_path / f"cut.{ending}"
    soundfile.write(whole, np.random.default_rng(0).normal(0.0, 0.1, size=16_000), SAMPLE_RATE_HZ)
    content = whole.read_bytes()
    cut.write_bytes(content[: len(content) * 6 // 10])
    with pytest.raises(AudioError, match="is truncated" if ending != "flac" else "cannot be decoded"):
        read_speech(cut)


@pytest.mark.parametrize(
    ("riff_size", "data_size"),
    [(0xFFFFFFFF, 0xFFFFFFFF), (0x7FFFF024, 0x7FFFF000), (32_044, 32_000), (0, 32_000), (32_037, 32_001)],
    ids=["streamed by ffmpeg", "streamed by sox", "size of the file", "no size", "padding counted"],
)
def test_a_header_that_miscounts_around_whole_samples_is_read(tmp_path: Path, riff_size: int, data_size: int) -> None:
    path = tmp_path / "odd.wav"
    soundfile.write(path, _tone(1.0), SAMPLE_RATE_HZ)
    content = bytearray(path.read_bytes())
    content[4:8], content[40:44] = struct.pack("<I", riff_size), struct.pack("<I", data_size)
    path.write_bytes(content)
    assert len(read_speech(path)) == 16_000


def test_an_empty_file_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "empty.wav"
    path.touch()
    with pytest.raises(AudioError, match=r"empty\.wav is empty"):
        read_speech(path)


def test_a_recording_without_samples_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "header.wav"
    soundfile.write(path, np.zeros(0), SAMPLE_RATE_HZ)
    with pytest.raises(AudioError, match=r"header\.wav holds no samples"):
        read_speech(path)


def test_text_named_wav_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "text.wav"
    path.write_text("<html>404 not found</html>")
    with pytest.raises(AudioError, match=r"text\.wav cannot be decoded as audio"):
        read_speech(path)


def test_a_pointer_in_place_of_the_recording_is_refused(tmp_path: Path) -> None:
    # What CREMA-D's repository holds for somebody who cloned it without Git LFS
    path = tmp_path / "pointer.wav"
    path.write_text("version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 72862\n")
    with pytest.raises(AudioError, match=r"pointer\.wav is a pointer of Git LFS, .* run `git lfs pull`"):
        read_speech(path)


def test_a_missing_file_and_a_folder_are_refused(tmp_path: Path) -> None:
    with pytest.raises(AudioError, match=r"none\.wav does not exist"):
        read_speech(tmp_path / "none.wav")
    with pytest.raises(AudioError, match="cannot be decoded as audio"):
        read_speech(tmp_path)


def test_a_silent_recording_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "silent.wav"
    soundfile.write(path, np.zeros(800), SAMPLE_RATE_HZ)
    with pytest.raises(AudioError, match=r"silent\.wav is silent: all of its 800 samples are zero"):
        read_speech(path)


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_values_that_are_not_finite_are_refused(tmp_path: Path, value: float) -> None:
    path = tmp_path / "broken.wav"
    samples = _tone(0.1)
    samples[7] = value
    soundfile.write(path, samples, SAMPLE_RATE_HZ, subtype="FLOAT")
    with pytest.raises(AudioError, match=r"broken\.wav holds samples that are not finite"):
        read_speech(path)


@pytest.mark.parametrize(
    ("samples", "expected"),
    [
        (np.array([-32768, 0, 16384], dtype=np.int16), [-1.0, 0.0, 0.5]),
        (np.array([-(2**31), 0, 2**30], dtype=np.int32), [-1.0, 0.0, 0.5]),
        (np.array([0, 128, 192], dtype=np.uint8), [-1.0, 0.0, 0.5]),
        (np.array([-1.0, 0.0, 0.5]), [-1.0, 0.0, 0.5]),
        (np.array([[-1.0, -1.0], [0.5, -0.5], [1.0, 0.0]]), [-1.0, 0.0, 0.5]),
    ],
    ids=["int16", "int32", "uint8", "float64", "two channels"],
)
def test_a_waveform_is_scaled_by_its_type(samples: np.ndarray, expected: list[float]) -> None:
    speech = to_speech(samples, SAMPLE_RATE_HZ)
    assert speech.dtype == np.float32
    np.testing.assert_array_equal(speech, np.array(expected, dtype=np.float32))


@pytest.mark.parametrize(
    ("samples", "sample_rate_hz", "message"),
    [
        (np.zeros(0), 16_000, "the waveform holds no samples"),
        (np.zeros((2, 2, 2)), 16_000, "the waveform holds no samples"),
        (np.ones(10), 0, "sample rate 0 Hz; expected 4000 to 384000 Hz"),
        (np.ones(10, dtype=np.complex64), 16_000, "values of type complex64; expected floats or integers"),
        (np.ones(1), 48_000, "too short: 1 samples at 48000 Hz"),
    ],
)
def test_a_waveform_that_is_not_speech_is_refused(samples: np.ndarray, sample_rate_hz: int, message: str) -> None:
    with pytest.raises(AudioError, match=message):
        to_speech(samples, sample_rate_hz)


def test_a_file_that_promises_more_than_memory_holds_is_truncated(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("ser_tune.audio.reading.BLOCK", 100)
    path = tmp_path / "promise.flac"
    soundfile.write(path, np.full(1_000, 0.1), 16_000)
    assert len(read_speech(path)) == 1_000  # several blocks
    content = bytearray(path.read_bytes())
    content[21] |= 0x0F  # the upper bits of the number of samples, of 36
    path.write_bytes(content)
    with pytest.raises(AudioError, match=r"truncated|cannot be decoded"):
        read_speech(path)


def test_samples_whose_power_overflows_are_refused() -> None:
    with pytest.raises(AudioError, match=r"holds samples of up to 1e\+30; expected full scale at ±1"):
        to_speech(np.array([0.1, 1e30], dtype=np.float32), 16_000)
