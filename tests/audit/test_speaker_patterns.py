"""Speakers that no table names: an expression takes them from the paths."""

import json
from pathlib import Path

import pytest

from ser_tune.audit.speaker_patterns import proposals
from tests.split_tables import EMOTIONS, audit, verdict, write

PATHS = {
    "Actor_{0:02d}/x_{1}_{2}.wav": r"(?i)(actor[ _-]?\d+)",
    "wav/spk{0}-{1}-{2}.wav": r"(?i)(spk[ _-]?\d+)",
    "{1}/m{0:02d}_{2}.wav": r"(?:^|/)([A-Za-z]{1,3}\d{1,4})[_.-][^/]*$",
    "{0:03d}/{1}{2}.wav": r"([^/]+)/[^/]+$",
    "downloads/aesdd/{1}/a{2:02d} ({0}).wav": r"\((\d+)\)[^/]*$",
    "downloads/casia/wang{0}zhe/{1}/20{2}.wav": r"([^/]+)/[^/]+/[^/]+$",
    "JL(wav+txt)/male{0}_{1}_{2}b_1.wav": r"(?:^|/)([^/._]+)[^/]*$",
    "emovdb/sam{0}_{1}/{1}_367-392_{2:04d}.wav": r"(?:^|/)([^/_]+)_[^/]*/[^/]+$",
    "enterface/subject {0}/{1}/sentence {2}/s{0}_{1}_{2}.avi": r"(?i)(subject[ _-]?\d+)",
    "emovo/f{0}/{1}-f{0}-b{2}.wav": r"([^/]+)/[^/]+$",
    "CaFE_48k/{1}/Fort/{0:02d}-{1}-2-{2}.wav": r"(?:^|/)(\d{2,5})[^\d/.][^/]*$",
    "{1}_p{0}q_{2}.wav": r"(?:^|/)[^/._]+_([^/._]+)[^/]*$",
}


@pytest.mark.parametrize("form", PATHS)
def test_an_expression_is_proposed_and_finds_what_it_names(tmp_path: Path, form: str) -> None:
    rows = [
        f"{form.format(speaker, emotion, take)},{emotion},{'train' if take < 3 else 'test'}"
        for speaker in range(1, 9)
        for emotion in EMOTIONS
        for take in range(4)
    ]
    table = write(tmp_path, {"split.csv": ["path,emotion,split", *rows]}) / "split.csv"
    found = audit(table)
    assert (found.outcome, found.speakers, found.ok) == ("unchecked", "unchecked", False)
    (finding,) = (finding for finding in found.findings if finding.check == "speakers")
    assert finding.verdict.endswith("the paths may name them")
    first = finding.details[0]
    assert PATHS[form] in first.replace("'\"'\"'", "'")
    assert " finds 8 speakers (" in first
    assert first.endswith("8 of them on two sides")
    leaky = audit(table, speaker_from=PATHS[form])
    assert leaky.outcome == "leaks"
    assert verdict(leaky, "speakers") == "8 of 8 speakers are on two sides: training and test"


@pytest.mark.parametrize(
    "paths",
    [
        [f"{emotion}/{number}.wav" for emotion in EMOTIONS for number in range(20)],  # an emotion is no speaker
        [f"{side}/{number}.wav" for side in ("train", "test") for number in range(30)],  # nor is a side
        [f"{number:04d}.wav" for number in range(60)],
    ],
)
def test_parts_that_are_no_speakers_are_not_proposed(paths: list[str]) -> None:
    emotions = [EMOTIONS[number // 20] if "train" not in paths[0] else EMOTIONS[number % 3] for number in range(60)]
    assert proposals(paths, emotions) == []


def test_speakers_that_some_rows_lack_are_not_called_checked(tmp_path: Path) -> None:
    rows = ["a.wav,ada,joy,train", "b.wav,ada,sad,train", "c.wav,bob,joy,test", "d.wav,Unknown,sad,test"]
    table = write(tmp_path, {"split.csv": ["path,speaker,emotion,split", *rows]}) / "split.csv"
    found = audit(table)
    assert found.outcome == "unchecked"
    assert verdict(found, "speakers") == (
        "none of 2 speakers is on two sides; the speakers of 1 of 4 rows are not known"
    )
    table.write_text(table.read_text(encoding="utf-8").replace("bob", "Ada "), encoding="utf-8")
    assert audit(table).outcome == "leaks"


def test_an_expression_wins_over_what_files_and_schemes_have(tmp_path: Path) -> None:
    # EmoDB's speaker is 03; the expression takes the text instead
    rows = {"train": ["03a01Wa", "03a02Fc"], "test": ["03b01Wa", "03b02Fc"]}
    for side, stems in rows.items():
        write(
            tmp_path,
            {f"{side}.jsonl": [json.dumps({"wav": f"{stem}.wav", "emo": stem[5], "speaker": "03"}) for stem in stems]},
        )
    assert audit(tmp_path).speakers == "leaks"
    assert audit(tmp_path, speaker_from=r"^\d\d([ab]\d\d)").speakers == "ok"
