"""`corpus make`: a table from the names of a folder's recordings, and every sentence that a user meets on the way."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile

Call = Callable[..., Any]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Three speakers with two emotions, and a file that no pattern fits."""
    made = tmp_path / "mine"
    made.mkdir()
    names = [
        f"{speaker}_{emotion}_{n}" for speaker in ("anna", "ben", "cora") for emotion in ("joy", "sad") for n in "12"
    ]
    for number, name in enumerate([*names, "noise"]):
        soundfile.write(made / f"{name}.wav", np.random.default_rng(number).normal(0.0, 0.1, size=1600), 16_000)
    return made


def test_a_table_is_written_checked_and_ready_for_a_study(call: Call, tmp_path: Path, folder: Path) -> None:
    told = call(
        tmp_path, "corpus", "make", str(folder), "--pattern", "{speaker}_{emotion}_{n}.wav", "--map", "sad=sadness"
    )
    assert (told.code, told.err) == (0, "")
    lines = told.out.splitlines()
    assert lines[0].endswith("mine.csv: 12 recordings, columns path, speaker, emotion")
    assert lines[1:3] == [
        "fields of the pattern that are not used: n",
        "1 recording is left out, the pattern does not fit: noise.wav",
    ]
    assert ["ben", "2", "2", "4"] in [line.split() for line in lines]
    assert lines[-1].startswith("next: ser-tune study --model linear_probe --corpus manifest=")
    assert (tmp_path / "mine.csv").read_text(encoding="utf-8").splitlines()[:2] == [
        "path,speaker,emotion",
        "mine/anna_joy_1.wav,anna,joy",
    ]


def test_a_table_as_json(call: Call, tmp_path: Path, folder: Path) -> None:
    told = call(tmp_path, "corpus", "make", str(folder), "--pattern", "{speaker}_{emotion}_{n}.wav", "--json")
    record = json.loads(told.out)
    assert (record["utterances"], record["unread_fields"], record["not_described"]) == (12, ["n"], ["noise.wav"])
    assert record["check"]["emotions"] == {"joy": 6, "sad": 6}


def test_a_table_that_no_study_can_use_is_to_be_mended(call: Call, tmp_path: Path, folder: Path) -> None:
    pattern = "{speaker:[a-z]*}_{emotion:joy}_{n}.wav"
    told = call(tmp_path, "corpus", "make", str(folder), "--pattern", pattern)
    assert "no study is possible" in told.out
    assert told.out.splitlines()[-1].startswith("next: mend this, then ser-tune corpus check manifest --data ")


def test_without_a_pattern_the_names_are_shown_and_a_known_corpus_is_named(
    call: Call, tmp_path: Path, folder: Path
) -> None:
    told = call(tmp_path, "corpus", "make", str(folder))
    told.refused(
        "the first of 13 recordings are anna_joy_1.wav, anna_joy_2.wav, anna_sad_1.wav; pass --pattern, such as "
    )
    known = tmp_path / "known"
    known.mkdir()
    soundfile.write(known / "03a01Wa.wav", np.zeros(1600), 16_000)
    told = call(tmp_path, "corpus", "make", str(known))
    told.refused(
        f"as corpus emodb has them; type `ser-tune corpus check emodb --data {known}`; for a table pass --from"
    )


@pytest.mark.filterwarnings("ignore::ResourceWarning", "ignore::pytest.PytestUnraisableExceptionWarning")
@pytest.mark.usefixtures("closed_by_datasets")
def test_a_known_layout_needs_no_pattern(call: Call, tmp_path: Path, folder: Path) -> None:
    names = [path.stem for path in sorted(folder.glob("*_*.wav"))]
    rows = [f"{name}.wav,{name.split('_')[0]},{name.split('_')[1]},1" for name in names]
    (folder / "metadata.csv").write_text("\n".join(["file_name,actor,label,take", *rows]))
    told = call(tmp_path, "corpus", "make", str(folder))
    told.refused(f"metadata.csv' is of a known layout; type `ser-tune corpus make {folder} --from huggingface`")
    for arguments, message in {
        ("--from", "huggingface", "--pattern", "x"): "pass --pattern or --from, not both",
        ("--from", "wav"): "unknown layout 'wav'; choose from: aesdd, ased, audformat, cafe",
        (
            "--from",
            "RAVDESS",
            "--column",
            "speaker=a",
        ): "--column is for --from audformat and --from huggingface; corpus",
        ("--from", "huggingface", "--column", "actor"): "--column is 'actor'; expected NAME=COLUMN, such as",
        ("--from", "huggingface", "--column", "name=a"): "unknown column of a table 'name'; choose from: arousal, ",
        ("--pattern", "{speaker}_{emotion}_*", "--column", "a=b"): "a pattern names its columns",
    }.items():
        call(tmp_path, "corpus", "make", str(folder), *arguments).refused(message)
    told = call(tmp_path, "corpus", "make", str(folder), "--from", "HuggingFace", "--column", "text=take")
    first, *lines = told.out.splitlines()
    assert first.endswith("mine.csv: 12 recordings, columns path, speaker, emotion, text")
    assert lines[:4] == [
        *("path from column 'audio'", "text from column 'take'", "speaker from column 'actor'"),
        "emotion from column 'label'",
    ]
