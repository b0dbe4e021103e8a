"""Audio in rows of a table: what a server takes from strangers."""

import base64
import os
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile

from ser_tune.errors import AudioError
from ser_tune.prediction import ALLOW_PATHS, MAX_SECONDS, hear_rows
from ser_tune.prediction.requests import SERVING


@pytest.fixture(autouse=True)
def _no_server(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in (ALLOW_PATHS, MAX_SECONDS, SERVING):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture
def sound(tmp_path: Path) -> Path:
    path = tmp_path / "open" / "tone.wav"
    path.parent.mkdir()
    soundfile.write(path, 0.2 * np.sin(np.arange(16_000)), 16_000, subtype="FLOAT")
    return path


def _base64(path: Path) -> str:
    return base64.b64encode(path.read_bytes()).decode()


def test_a_path_its_content_and_its_samples_are_the_same_speech(sound: Path) -> None:
    samples, rate = soundfile.read(sound)
    text = _base64(sound)
    wrapped = "\n".join(text[at : at + 76] for at in range(0, len(text), 76))  # as the program base64 prints it
    rows: list[dict[str, Any]] = [
        {"path": str(sound)},
        {"audio": wrapped},
        {"waveform": samples, "sample_rate_hz": rate},
    ]
    by_path, by_content, by_samples = hear_rows(rows)
    np.testing.assert_array_equal(by_path.speech, by_content.speech)
    np.testing.assert_array_equal(by_path.speech, by_samples.speech)


@pytest.mark.parametrize(
    ("row", "sentence"),
    [
        ({"audio": "a"}, "row 0: 'audio' is not base64"),
        ({"audio": "ä"}, "row 0: 'audio' is not base64"),
        ({"audio": ""}, "row 0: 'audio' is empty"),
        ({"audio": "AAAA"}, "row 0: 'audio' cannot be decoded as audio"),
        (
            {"waveform": [0.1], "sample_rate_hz": 10**12},
            "row 0: 'waveform' has sample rate 1000000000000; expected 4000 to",
        ),
        (
            {"waveform": [0.1], "sample_rate_hz": 3999},
            "row 0: 'waveform' has sample rate 3999; expected 4000 to 384000 Hz",
        ),
        ({"waveform": [0.1], "sample_rate_hz": 384_001}, "row 0: 'waveform' has sample rate 384001; expected 4000 to"),
        ({"waveform": [0.1], "sample_rate_hz": True}, "row 0: 'waveform' has sample rate True; expected 4000 to"),
        ({"waveform": [True, False], "sample_rate_hz": 8000}, "row 0: 'waveform' holds values of type bool"),
        ({"waveform": [0.1], "sample_rate_hz": float("nan")}, "row 0 has neither"),
        ({"waveform": [], "sample_rate_hz": 16_000}, "row 0: 'waveform' holds no samples"),
        ({"waveform": [0.1]}, "row 0 has neither"),
        ({}, "row 0 has neither"),
    ],
)
def test_a_row_that_cannot_be_used_is_named(row: dict[str, Any], sentence: str) -> None:
    with pytest.raises(AudioError, match=sentence):
        hear_rows([row])


def test_a_server_reads_no_file_of_its_machine(sound: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(SERVING, "true")
    for path in (str(sound), "/no/such/file", "a\0b"):  # the answer does not tell which files exist
        with pytest.raises(AudioError, match="row 0: this server reads no files of its machine"):
            hear_rows([{"path": path}])


def test_a_server_reads_files_below_its_allowed_folders_alone(sound: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    closed = sound.parents[1] / "closed.wav"
    closed.write_bytes(sound.read_bytes())
    (sound.parent / "link.wav").symlink_to(closed)
    monkeypatch.setenv(ALLOW_PATHS, os.pathsep.join([str(sound.parents[1] / "other"), str(sound.parent)]))
    assert len(hear_rows([{"path": str(sound)}])) == 1
    outside = [
        closed,
        sound.parent / ".." / "closed.wav",
        sound.parent / "link.wav",
        Path("/no/such/file"),
        Path("a\0b"),
    ]
    for path in outside:
        with pytest.raises(AudioError, match="is not below a folder whose files this server may read"):
            hear_rows([{"path": str(path)}])


def test_a_pipe_below_an_allowed_folder_is_not_waited_for(sound: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(ALLOW_PATHS, str(sound.parent))
    os.mkfifo(sound.parent / "pipe")
    with pytest.raises(AudioError, match="is not a file"):
        hear_rows([{"path": str(sound.parent / "pipe")}])


def test_all_rows_of_a_request_share_its_seconds(sound: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(MAX_SECONDS, "2.5")
    row = {"audio": _base64(sound)}
    assert len(hear_rows([row, row])) == 2
    with pytest.raises(AudioError, match=r"row 2: 'audio' has 1\.0 s of sound; the limit leaves 0\.5 s"):
        hear_rows([row, row, row])
    with pytest.raises(AudioError, match=r"'waveform' has 3\.0 s"):
        hear_rows([{"waveform": [0.1] * 12_000, "sample_rate_hz": 4000}])


def test_many_channels_do_not_pass_the_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(MAX_SECONDS, "1")
    with pytest.raises(AudioError, match="8 channels at 48000 Hz; the limit is 96000 samples a second"):
        hear_rows([{"waveform": np.ones((24_000, 8)), "sample_rate_hz": 48_000}])
