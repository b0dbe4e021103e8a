"""`ser-tune corpus`: tables where somebody reads, JSON where a program does, codes for both."""

import io
import json
import re
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile
from rich.console import Console

from ser_tune.cli import main
from ser_tune.corpora import CORPORA, Archive, Corpus, emodb

Call = Callable[..., Any]


def _emodb(folder: Path) -> Path:
    """Three speakers with two emotions each."""
    (folder / "wav").mkdir(parents=True)
    for number, name in enumerate(f"{speaker}a01{letter}a" for speaker in ("03", "08", "09") for letter in "WT"):
        sound = np.random.default_rng(number).normal(0, 0.1, 1600)
        soundfile.write(folder / "wav" / f"{name}.wav", sound, 16_000)
    return folder


def test_corpora_are_listed(call: Call, tmp_path: Path) -> None:
    told = call(tmp_path, "corpus", "list")
    assert (told.code, told.err) == (0, "")
    lines = [line.split() for line in told.out.splitlines()]
    assert lines[0] == ["name", "task", "utterances", "speakers", "language", "from", "emotions"]
    assert {line[0] for line in lines[: lines.index([])]} >= set(CORPORA.names()) - {"union"}
    assert ["iemocap", "improvised", "2280", "10", "en", "request"] in [line[:6] for line in lines]
    assert ["emodb", "all", "535", "10", "de", "download"] in [line[:6] for line in lines]
    assert ["nemo", "all", "4481", "pl", "page"] in [line[:5] for line in lines]
    assert ["merged", "5531"] in [line[:2] for line in lines]
    assert "emodb: F. Burkhardt" in told.out


def test_corpora_are_listed_as_json(call: Call, tmp_path: Path) -> None:
    listed = json.loads(call(tmp_path, "corpus", "list", "--json").out)
    assert tuple(one["name"] for one in listed) == CORPORA.names()
    by_name = {one["name"]: one for one in listed}
    assert by_name["iemocap"]["tasks"]["merged"]["emotions"]["happiness"] == 1636
    assert by_name["manifest"]["tasks"]["all"]["utterances"] is None
    assert [one["name"] for one in listed if one["download"]] == ["emodb"]


@pytest.mark.slow
def test_a_good_corpus_ends_with_0(call: Call, tmp_path: Path) -> None:
    told = call(tmp_path, "corpus", "check", "demo")
    assert (told.code, told.err) == (0, "")
    lines = told.out.splitlines()
    assert lines[0].split() == ["speaker", "anger", "happiness", "neutral", "sadness", "total", "known"]
    assert lines[1].split() == ["s1", "5", "5", "5", "5", "20", "20"]
    assert lines[7].split() == ["total", "30", "30", "30", "30", "120", "120"]
    assert lines[8].split() == ["known", "30", "30", "30", "30", "120"]
    assert lines[9].startswith("120 recordings, 0.044 h: 1.05 s to 1.54 s, mean 1.31 s")
    assert lines[10] == "sample rates: 16000 Hz (120); channels: 1 (120)"
    assert re.fullmatch(r"votes: 7\.0 of each of 120 utterances, entropy 0\.9.* of 2\.000 bits; .* 0\.3.*", lines[11])
    assert lines[14].split()[:4] == ["dimension", "utterances", "ratings", "alpha"]
    assert [line.split()[0] for line in lines[15:18]] == ["energy", "pitch_range", "rate"]
    assert lines[18:] == [
        "speaker-mean baseline: UAR 0.250, chance 0.250",
        "demo, task all: nothing is wrong, 0 warnings",
    ]


@pytest.mark.slow
def test_a_check_of_another_task_has_its_baseline(call: Call, tmp_path: Path) -> None:
    found = json.loads(call(tmp_path, "corpus", "check", "demo", "--task", "dimensions", "--json").out)
    assert (found["task"], found["left_out"], found["text_baseline"]) == ("dimensions", 0, None)
    assert 0.0 < found["speaker_baseline"]["ccc"] < 0.1
    assert found["speaker_baseline"]["chance"] == 0.0
    rate = found["agreement"]["ratings"]["rate"]
    assert (rate["utterances"], rate["ratings"]) == (120, 7.0)
    assert (
        rate["krippendorff_alpha"]["interval"][0] < rate["krippendorff_alpha"]["value"] < rate["human"]["ccc"]["value"]
    )
    assert set(found["agreement"]["votes"]["human"]) == {"jsd", "total_variation", "uar", "macro_f1"}


def test_a_corpus_with_something_wrong_ends_with_1(call: Call, tmp_path: Path) -> None:
    folder = _emodb(tmp_path / "[emodb]")
    (folder / "wav" / "03a01Wa.wav").write_text("this is no sound")
    told = call(tmp_path, "corpus", "check", "emodb", "--data", folder)
    assert (told.code, told.err) == (1, "")
    assert "wrong: unreadable: " in told.out
    assert "[emodb]/wav/03a01Wa.wav cannot be decoded as audio" in told.out
    assert "wrong: count: emotion anger has 3 utterances; 127 are published" in told.out
    assert "wrong: count: there is no utterance of speaker 10, 11, 12" in told.out
    assert told.out.splitlines()[-1] == "emodb, task all: 8 wrong, 3 warnings"


def test_a_check_is_json_for_programs(call: Call, tmp_path: Path) -> None:
    told = call(tmp_path, "corpus", "check", "emodb", "--data", _emodb(tmp_path / "emodb"), "--json")
    assert told.code == 1
    found = json.loads(told.out)
    assert (found["corpus"], found["task"], found["ok"], found["utterances"]) == ("emodb", "all", False, 6)
    assert found["speakers"]["03"] == {"anger": 1, "sadness": 1}
    assert found["expected"]["emotions"]["anger"] == 127
    assert found["shortest_s"] == found["longest_s"] == pytest.approx(0.1)
    assert {one["kind"] for one in found["problems"]} == {"count", "few", "study"}


def test_only_warnings_end_with_0_and_many_are_cut_short(call: Call, tmp_path: Path) -> None:
    rows = ["path,speaker,emotion"]
    for number in range(12):
        sound = np.random.default_rng(number).normal(0, 0.1, 4000)
        sound[100:110] = 1.0
        soundfile.write(tmp_path / f"{number}.wav", sound, 16_000)
        rows.append(f"{number}.wav,s{number % 3},{'joy' if number % 2 else 'anger'}")
    (tmp_path / "corpus.csv").write_text("\n".join(rows))
    told = call(tmp_path, "corpus", "check", "manifest", "--data", "corpus.csv")
    assert told.code == 0
    assert told.out.count("warning: clipped: ") == 5
    assert "... and 7 more of this kind; --json has all" in told.out
    assert told.out.splitlines()[-1] == "manifest, task all: nothing is wrong, 14 warnings"
    assert "known" not in told.out


def test_nothing_that_can_be_read_is_no_accident(call: Call, tmp_path: Path) -> None:
    (tmp_path / "a.wav").touch()
    (tmp_path / "corpus.csv").write_text("path,speaker,emotion\na.wav,s,joy")
    told = call(tmp_path, "corpus", "check", "manifest", "--data", "corpus.csv")
    assert told.code == 1
    assert told.out.splitlines()[-5:] == [
        "wrong: unreadable: a.wav is empty; expected a sound file",
        "warning: few: fewer than 10 recordings (emotion): joy (1)",
        "warning: few: fewer than 5 recordings (speaker): s (1)",
        "warning: study: no study is possible: corpus corpus in corpus.csv has 1 emotion(s); expected at least two "
        "to tell apart",
        "manifest, task all: 1 wrong, 3 warnings",
    ]


Rows = list[tuple[str, str]]
FIVE = [(speaker, emotion) for speaker in ("ada", "bob", "cyd") for emotion in ("anger", "joy") for _ in range(5)]


@pytest.mark.parametrize(
    ("change", "code", "told_of"),
    [
        (lambda rows: rows, 0, ["nothing is wrong, 0 warnings"]),
        (
            lambda rows: [("ADA", "anger"), *rows[1:]],
            1,
            [
                "wrong: name: 1 name is spelt in several ways (speaker): 'ADA' (1), 'ada' (9); write each in one way",
                "warning: few: fewer than 5 recordings (speaker): ADA (1)",
            ],
        ),
        (
            lambda rows: [*rows, ("cyd", "?")],
            1,
            ["wrong: name: the emotion of some recordings is a placeholder: '?' (1)"],
        ),
        (
            lambda rows: [*rows, ("nan", "joy"), ("????", "joy")],
            0,
            ["warning: name: 2 of 32 utterances name no speaker ('????' (1); 'nan' (1)): they train and are never"],
        ),
        (
            lambda rows: rows[:20],
            0,
            [
                "warning: study: no study is possible: corpus corpus has 2 speaker(s) to fold (ada, bob); 3 "
                "speaker-independent folds need at least 3"
            ],
        ),
        (
            lambda rows: rows[:10],
            0,
            ["warning: study: no study is possible: corpus corpus has 1 speaker(s) to fold (ada)"],
        ),
        (
            lambda rows: [row for row in rows if row[1] == "joy"],
            0,
            ["warning: study: no study is possible: corpus corpus in corpus.csv has 1 emotion(s)"],
        ),
    ],
    ids=["good", "spellings", "no emotion", "nobody", "two speakers", "one speaker", "one emotion"],
)
def test_a_check_tells_what_a_study_would_refuse(
    call: Call, tmp_path: Path, change: Callable[[Rows], Rows], code: int, told_of: list[str]
) -> None:
    rows = ["path,speaker,emotion"]
    for number, (speaker, emotion) in enumerate(change(FIVE)):
        soundfile.write(tmp_path / f"{number}.wav", np.random.default_rng(number).normal(0, 0.1, 1600), 16_000)
        rows.append(f"{number}.wav,{speaker},{emotion}")
    (tmp_path / "corpus.csv").write_text("\n".join(rows))
    told = call(tmp_path, "corpus", "check", "manifest", "--data", "corpus.csv")
    assert told.code == code, told.out
    for sentence in told_of:
        assert sentence in told.out
    if told_of[0].startswith("wrong: name: 1"):
        taken = call(tmp_path, "corpus", "check", "manifest", "--data", "corpus.csv", "--as-written", "ADA")
        assert "wrong: " not in taken.out


def test_a_recording_of_two_speakers_is_a_leak_that_a_check_tells_as_a_study_does(call: Call, tmp_path: Path) -> None:
    rows = ["path,speaker,emotion,start,end"]
    for number, (speaker, emotion) in enumerate(FIVE):
        soundfile.write(tmp_path / f"{number}.wav", np.random.default_rng(number).normal(0, 0.1, 3200), 16_000)
        rows.append(f"{number}.wav,{speaker},{emotion},0,0.1")
    rows.append("0.wav,cyd,joy,0.1,0.2")
    (tmp_path / "corpus.csv").write_text("\n".join(rows))
    told = call(tmp_path, "corpus", "check", "manifest", "--data", "corpus.csv")
    assert told.code == 1
    (line,) = [one for one in told.out.splitlines() if one.startswith("wrong: leak: ")]
    assert "'0.wav[0-0.1]' (speaker ada, " in line
    assert "are cut from one recording" in line


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("check", "nope"), "unknown corpus 'nope'; choose from: aesdd, ased, cafe, cmu_mosei, crema_d, demo"),
        (("check", "iemocap"), "corpus iemocap needs its folder; pass --data DIR"),
        (("check", "demo", "--task", "x"), "unknown task of corpus demo 'x'; choose from: all"),
        (("check", "emodb", "--data", "nowhere"), "'nowhere' is not a folder"),
        (("download", "ravdess"), "(licence: CC BY-NC-SA 4.0); get it at https://doi.org/10.5281/zenodo.1188976"),
        (("download", "manifest"), "corpus manifest has nothing to download"),
    ],
)
def test_bad_input_ends_with_2(call: Call, tmp_path: Path, arguments: tuple[str, ...], message: str) -> None:
    told = call(tmp_path, "corpus", *arguments)
    assert (told.code, told.out) == (2, "")
    assert message in told.err


def test_a_terminal_shows_a_bar(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    screen = io.StringIO()
    monkeypatch.setattr("ser_tune.cli.printing.corpora.notes", Console(file=screen, force_terminal=True, width=100))
    monkeypatch.setattr("sys.argv", ["ser-tune", "corpus", "check", "emodb", "--data", str(_emodb(tmp_path / "emodb"))])
    with pytest.raises(SystemExit):
        main()
    assert "6/6" in screen.getvalue()


def test_a_download_says_what_to_run_next(call: Call, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = _emodb(tmp_path / "my data")
    digest = Corpus.load(emodb.CORPUS, folder, tmp_path).digest
    archive = Archive("http://127.0.0.1:9/x.zip", sha256=None, digest=digest)
    monkeypatch.setattr(emodb, "CORPUS", replace(emodb.CORPUS, archive=archive))
    told = call(tmp_path, "corpus", "download", "emodb", "--data", "my data")
    assert told.code == 0
    assert told.out.splitlines() == [
        "corpus emodb is already in my data, with the published content",
        "next: ser-tune study --model 3d_acrnn --corpus emodb --data 'my data'",
    ]
    told = call(tmp_path, "corpus", "download", "emodb", environment={"SER_TUNE_CACHE": str(tmp_path / "cache")})
    assert told.code == 2
    assert "127.0.0.1:9/x.zip cannot be reached" in told.err


@pytest.mark.slow
def test_help_imports_nothing_heavy() -> None:
    script = """
import sys
from ser_tune.cli import main
sys.argv = ["ser-tune", "corpus", "check", "-h"]
try:
    main()
except SystemExit:
    print([name for name in ("torch", "soundfile", "pooch", "numpy") if name in sys.modules])
"""
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "[]"
