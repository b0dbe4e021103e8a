"""`predict` on many files, with a picture, as a timeline; `listen` on a fake microphone."""

import csv
import io
import json
import shutil
import signal
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile
from rich.console import Console

from ser_tune.cli.printing import recognition
from ser_tune.corpora import CORPORA, Corpus
from ser_tune.recordings import batches
from tests.warm_processes import WarmProcess

NAME = "ser-manifest-alex_net"
Call = Callable[..., Any]


@pytest.fixture
def folder(corpus_csv: Path, tmp_path: Path) -> Path:
    """Three sounds, one of them below, and one that is no sound."""
    place = tmp_path / "sounds"
    (place / "deep").mkdir(parents=True)
    for source, name in (("ada_anger_0", "a.wav"), ("bob_joy_1", "b.wav"), ("cyd_joy_0", "deep/c.wav")):
        shutil.copy(corpus_csv.parent / f"{source}.wav", place / name)
    (place / "b.flac").write_bytes(b"no sound")
    return place


@pytest.fixture
def long_file(tmp_path: Path, shared_cache: Path) -> str:
    """Two utterances of the demo corpus between silences."""
    utterances = Corpus.load(CORPORA.get("demo"), None, shared_cache).utterances
    calm = [one.speech() for one in utterances if one.emotion == "neutral"][:2]
    gap = np.random.default_rng(0).normal(0, 1e-4, 24_000)
    soundfile.write(tmp_path / "long.wav", np.concatenate([gap, calm[0], gap, calm[1], gap]), 16_000)
    return str(tmp_path / "long.wav")


def test_one_damaged_file_in_a_folder_is_named_and_the_exit_code_says_so(
    call: Call, finished: Any, folder: Path
) -> None:
    told = call(finished.root, "predict", NAME, folder, "--json")
    assert told.code == 1
    assert [row["file"] for row in json.loads(told.out)] == [
        str(folder / name) for name in ("a.wav", "b.wav", "deep/c.wav")
    ]
    first, last = told.err.splitlines()
    assert first.startswith(f"not predicted: {folder / 'b.flac'} cannot be decoded as audio: ")
    assert last == "1 of 4 files were not predicted"


def test_a_terminal_shows_a_bar_and_standard_output_has_the_rows_alone(
    call: Call, finished: Any, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    screen = io.StringIO()
    monkeypatch.setattr(recognition, "notes", Console(file=screen, force_terminal=True, width=150, highlight=False))
    monkeypatch.setattr(batches, "BATCH_S", 0.1)
    told = call(finished.root, "predict", NAME, folder, "--csv")
    assert (told.code, told.err) == (1, "")
    assert [line.partition(",")[0] for line in told.out.splitlines()] == [
        "file",
        *(str(folder / name) for name in ("a.wav", "b.wav", "deep/c.wav")),
    ]
    assert "%" in screen.getvalue()
    assert "1 of 4 files were not predicted" in screen.getvalue()


@pytest.mark.slow
def test_a_pattern_and_standard_input_give_the_rows_of_the_folder(
    call: Call, finished: Any, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    of_folder = call(finished.root, "predict", NAME, folder, "--csv").out
    assert call(finished.root, "predict", NAME, f"{folder}/**/*.wav", "--csv").out == of_folder
    monkeypatch.setattr("sys.stdin", io.StringIO(f"{folder}/a.wav\n{folder}/b.wav\n\n{folder}/deep\n"))
    told = call(finished.root, "predict", NAME, "-", "--format", "csv")
    assert (told.code, told.err) == (0, "")
    assert [row["file"] for row in csv.DictReader(told.out.splitlines())] == [
        row["file"] for row in csv.DictReader(of_folder.splitlines())
    ]


def test_where_no_file_can_be_used_nothing_is_printed_and_no_file_written(
    call: Call, finished: Any, folder: Path
) -> None:
    out = folder / "out.json"
    told = call(finished.root, "predict", NAME, folder / "b.flac", folder / "gone.wav", "--json", "--out", out)
    told.refused("none of the 2 files can be used")
    assert sorted(path.name for path in folder.iterdir()) == ["a.wav", "b.flac", "b.wav", "deep"]


@pytest.mark.slow
def test_unsure_predictions_are_uncertain_and_keep_their_probabilities(call: Call, finished: Any, folder: Path) -> None:
    sure = json.loads(call(finished.root, "predict", NAME, folder / "a.wav", "--json").out)
    unsure = json.loads(call(finished.root, "predict", NAME, folder / "a.wav", "--json", "--min-confidence", "1").out)
    assert unsure == [sure[0] | {"emotion": "uncertain"}]
    segments = call(finished.root, "predict", NAME, folder / "b.wav", "--segments", "--min-confidence", "1", "--csv")
    assert {row["emotion"] for row in csv.DictReader(segments.out.splitlines())} == {"uncertain"}


@pytest.mark.parametrize("form", ["table", "csv", "json"])
def test_a_file_gets_what_would_be_printed(call: Call, finished: Any, folder: Path, tmp_path: Path, form: str) -> None:
    printed = call(finished.root, "predict", NAME, folder / "a.wav", "--format", form)
    told = call(finished.root, "predict", NAME, folder / "a.wav", "--format", form, "--out", tmp_path / "out")
    assert (told.code, told.out, told.err) == (0, "", "")
    assert (tmp_path / "out").read_text(encoding="utf-8") == printed.out
    rows = printed.out.splitlines()
    assert len(rows) == (2 if form != "json" else len(json.dumps(json.loads(printed.out), indent=2).splitlines()))


@pytest.mark.slow
def test_a_picture_is_drawn_beside_the_prediction(call: Call, finished: Any, folder: Path, tmp_path: Path) -> None:
    plain = call(finished.root, "predict", NAME, folder / "a.wav")
    told = call(finished.root, "predict", NAME, folder / "a.wav", "--plot", tmp_path / "a.png")
    assert (told.code, told.out) == (0, plain.out)
    assert told.err == f"drawn: {tmp_path / 'a.png'}\n"
    assert (tmp_path / "a.png").read_bytes().startswith(b"\x89PNG")


@pytest.mark.slow
def test_a_timeline_is_rows_or_labels(call: Call, finished: Any, long_file: str, tmp_path: Path) -> None:
    pytest.importorskip("silero_vad", reason="needs the extra timeline")
    told = call(finished.root, "predict", NAME, long_file, "--timeline", "--json")
    assert (told.code, told.err) == (0, "")
    rows = json.loads(told.out)
    assert list(rows[0]) == ["file", "start_s", "end_s", "emotion", "anger", "joy"]
    assert len(rows) >= 2
    labels = tmp_path / "labels.txt"
    call(finished.root, "predict", NAME, long_file, "--timeline", "--format", "audacity", "--out", labels)
    lines = [line.split("\t") for line in labels.read_text(encoding="utf-8").splitlines()]
    assert [(float(start), float(end), label) for start, end, label in lines] == [
        (pytest.approx(row["start_s"], abs=1e-3), pytest.approx(row["end_s"], abs=1e-3), row["emotion"]) for row in rows
    ]
    marked = call(finished.root, "predict", NAME, long_file, "--timeline", "--format", "rttm").out.splitlines()
    assert [line.split()[0:2] for line in marked] == [["SPEAKER", "long"]] * len(rows)


def test_a_recording_without_speech_is_named(call: Call, finished: Any, tmp_path: Path) -> None:
    pytest.importorskip("silero_vad", reason="needs the extra timeline")
    soundfile.write(tmp_path / "hiss.wav", np.random.default_rng(0).normal(0, 1e-4, 40_000), 16_000)
    told = call(finished.root, "predict", NAME, tmp_path / "hiss.wav", "--timeline", "--json")
    assert (told.code, told.out, told.err) == (0, "[]\n", f"no speech: {tmp_path / 'hiss.wav'}\n")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("a.wav", "--format", "rttm"), "--format is 'rttm'; choose from: table, csv, json"),
        (("a.wav", "--csv", "--format", "json"), "pass --csv or --format json, not both"),
        (("a.wav", "b.wav", "--timeline", "--plot", "a.png"), "--plot draws one recording; got 2 files"),
        (("a.wav", "--timeline", "--segments", "--format", "rttm"), "drop --segments"),
        (("a.wav", "--min-confidence", "2"), "--min-confidence is '2'; expected a value less than or equal to 1"),
        (("a.wav", "--out", "none/out.csv"), "--out is 'none/out.csv'; expected a file's name in an existing folder"),
        (("a.wav", "b.wav", "--plot", "a.png"), "--plot draws one utterance; got 2 files"),
        (("a.wav", "--plot", "a.gif"), "--plot is 'a.gif'; expected a name that ends in .pdf, .png, .svg"),
        (("a.wav", "b.wav", "--timeline", "--format", "audacity"), "--format audacity is of one recording; got 2"),
        (("'*.wav'",), "matches no file"),
    ],
)
def test_what_does_not_go_together_is_refused(
    call: Call, finished: Any, arguments: tuple[str, ...], message: str
) -> None:
    told = call(finished.root, "predict", NAME, *arguments)
    assert (told.code, told.out) == (2, "")
    assert message in " ".join(told.err.replace("│", " ").split())


FAKE = """
import threading, time
import numpy as np, soundfile

class PortAudioError(Exception): pass

def query_devices(device=None, kind=None):
    return {"index": 0, "name": "fake", "default_samplerate": 16000.0, "max_input_channels": 1}

class InputStream:
    def __init__(self, callback, blocksize, **rest):
        self.callback, self.size, self.ended = callback, blocksize, False
    def start(self):
        threading.Thread(target=self.play, daemon=True).start()
    def play(self):
        sound = soundfile.read(SOUND, dtype="float32")[0]
        while not self.ended:
            for start in range(0, len(sound), self.size):
                self.callback(sound[start : start + self.size, None], self.size, None, None)
                time.sleep(0.02)
    def close(self):
        self.ended = True
        print("closed", flush=True)
"""
"""Stands for the package sounddevice: plays a recording over and over, five times as fast as it is."""
LISTEN = "from ser_tune.cli import main, signals; signals.CLEAN_S = 60; main()"
"""A busy machine may take longer than the usual five seconds to close the microphone."""


@pytest.mark.slow
@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_listening_prints_changes_and_ends_on_a_signal(
    finished: Any, long_file: str, tmp_path: Path, number: int, code: int
) -> None:
    pytest.importorskip("silero_vad", reason="needs the extra timeline")
    (tmp_path / "sounddevice.py").write_text(FAKE.replace("SOUND", repr(long_file)), encoding="utf-8")
    environment = {"SER_TUNE_ROOT": str(finished.root), "PYTHONPATH": str(tmp_path)}
    process = WarmProcess(LISTEN, "listen", NAME, "--json", environment=environment)
    try:
        first = json.loads(process.stdout.readline())
        process.send_signal(number)
        out, err = process.communicate(timeout=120)
    finally:
        process.kill()
    assert list(first) == ["at_s", "emotion", "anger", "joy"]
    assert process.returncode == code, err
    assert out.splitlines()[-1] == "closed"
    assert err.splitlines()[0] == "listening to fake (Ctrl-C ends)"
    assert set(err.splitlines()[1:]) <= {"interrupted"}


def test_without_portaudio_listening_is_refused_in_one_sentence(
    call: Call, finished: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("_sounddevice", reason="needs the extra listen")
    monkeypatch.delitem(sys.modules, "sounddevice", raising=False)
    monkeypatch.setattr("ctypes.util.find_library", lambda name: None)
    call(finished.root, "listen", NAME).refused("listen needs the library PortAudio")
