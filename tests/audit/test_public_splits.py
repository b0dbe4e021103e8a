"""Splits in the forms in which others publish them, and speakers that no table names."""

import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest

from ser_tune.audit import audit_split, read_split
from ser_tune.errors import ConfigError, CorpusError
from tests.split_tables import EMOTIONS, SIDES, SPLIT, audit, verdict, write


def _rows(speakers: Sequence[str], form: str) -> list[str]:
    """Two recordings of each speaker and emotion."""
    return [
        form.format(speaker=speaker, emotion=emotion, number=number)
        for speaker in speakers
        for emotion in EMOTIONS
        for number in (1, 2)
    ]


MSP_SIDES = {"train": "Train", "dev": "Development", "test": "Test1"}
FORMS: dict[str, Callable[[Path, dict[str, list[str]]], Path]] = {
    "autrainer": lambda folder, sides: write(
        folder,
        {
            f"{side}.csv": ["filename,label,speaker", *_rows(of, "{speaker}{emotion}{number}.wav,{emotion},{speaker}")]
            for side, of in sides.items()
        },
    ),
    "audformat": lambda folder, sides: write(
        folder,
        {
            f"db.emotion.{side}.gold.csv": [
                "file,start,end,emotion,speaker",
                *_rows(of, "wav/{speaker}{emotion}.wav,0 days,0 days 00:00:0{number}.5,{emotion},{speaker}"),
            ]
            for side, of in sides.items()
        },
    ),
    "Hugging Face, a table for each side": lambda folder, sides: write(
        folder,
        {
            f"{side}/metadata.csv": [
                "file_name,speaker_id,emotion",
                *_rows(of, "audio/{speaker}{emotion}{number}.wav,{speaker},{emotion}"),
            ]
            for side, of in sides.items()
        },
    ),
    "Hugging Face, one table": lambda folder, sides: write(
        folder,
        {
            "metadata.csv": [
                "file_name,speaker_id,emotion",
                *(
                    f"{side}/{row}"
                    for side, of in sides.items()
                    for row in _rows(of, "{speaker}{emotion}{number}.wav,{speaker},{emotion}")
                ),
            ]
        },
    ),
    "Hugging Face, JSON lines": lambda folder, sides: write(
        folder,
        {
            f"{side}/metadata.jsonl": [
                json.dumps({"file_name": f"{speaker}{emotion}.wav", "speaker_id": speaker, "emotion": emotion})
                for speaker in of
                for emotion in EMOTIONS
            ]
            for side, of in sides.items()
        },
    ),
    "a manifest": lambda folder, sides: write(
        folder,
        {
            "split.csv": [
                "path,speaker,emotion,session,start,end,gender,meta_room,loudness,split",
                *(
                    f"{row},{side}"
                    for side, of in sides.items()
                    for row in _rows(of, "{speaker}{emotion}{number}.wav,{speaker},{emotion},1,0,{number},f,x,3")
                ),
            ]
        },
    ),
    "MSP-Podcast": lambda folder, sides: write(
        folder,
        {
            "labels_consensus.csv": [
                "FileName,EmoClass,EmoAct,EmoVal,EmoDom,SpkrID,Gender,Split_Set",
                *(
                    f"{row},{MSP_SIDES[side]}"
                    for side, of in sides.items()
                    for row in _rows(of, "{speaker}{emotion}{number}.wav,{emotion},4,4,4,{speaker},f")
                ),
            ]
        },
    ),
}


@pytest.mark.parametrize("form", FORMS)
def test_a_published_form_is_read_and_its_leak_is_found(tmp_path: Path, form: str) -> None:
    clean = audit(FORMS[form](tmp_path / "clean", SIDES))
    assert (clean.outcome, clean.speakers, clean.ok) == ("ok", "ok", True), clean.summary
    assert verdict(clean, "speakers") == "none of 6 speakers is on two sides"
    leaky = audit(FORMS[form](tmp_path / "leaky", {**SIDES, "test": ["eve", "ADA"]}))
    assert (leaky.outcome, leaky.speakers, leaky.ok) == ("leaks", "leaks", False)
    assert verdict(leaky, "speakers") == "1 of 5 speakers are on two sides: training and test"


def test_the_forms_differ_in_nothing_but_their_form(tmp_path: Path) -> None:
    for number, form in enumerate(FORMS):
        split = read_split([FORMS[form](tmp_path / str(number), SIDES)])
        sides = [sorted({split.utterances[row].speaker for row in getattr(split.folds[0], side)}) for side in SPLIT]
        assert sides == list(SIDES.values()), form


def test_folders_of_recordings_are_a_split(tmp_path: Path) -> None:
    for side, speakers in SIDES.items():
        write(tmp_path, {f"{side}/{row}": [] for row in _rows(speakers, "{emotion}/{speaker}_{number}.wav")})
    found = audit(tmp_path)
    assert (found.outcome, found.recordings) == ("unchecked", 36)
    assert audit(tmp_path, speaker_from=r"([a-z]+)_\d\.wav$").outcome == "ok"
    (tmp_path / "train" / "loose.wav").touch()
    with pytest.raises(CorpusError, match=r"'.*loose\.wav' is in no folder of a side and an emotion"):
        read_split([tmp_path])


def test_a_column_that_is_not_used_is_listed(tmp_path: Path) -> None:
    found = audit(FORMS["a manifest"](tmp_path, SIDES))
    assert verdict(found, "columns") == "not used: 'loudness'"


def test_two_spellings_of_one_file_are_read_by_a_pattern(tmp_path: Path) -> None:
    FORMS["autrainer"](tmp_path, SIDES)
    lines = (tmp_path / "train.csv").read_text(encoding="utf-8")
    (tmp_path / "train.tsv").write_text(lines, encoding="utf-8")  # an exact copy counts once
    assert audit(tmp_path).recordings == 36
    for name, text in (("train.tsv", lines.replace(",", "\t")), ("Train.csv", lines.replace("ada", "gus"))):
        other = tmp_path / name
        other.write_text(text, encoding="utf-8")
        with pytest.raises(CorpusError, match=r"are both train; name one file .*, such as '(.*)'") as told:
            read_split([tmp_path])
        pattern = str(told.value).rpartition("such as ")[2].strip("'")
        assert len(list(tmp_path.glob(pattern.removeprefix(f"{tmp_path}/")))) == 3
        assert audit(Path(pattern)).recordings == 36
        other.unlink()
    with pytest.raises(CorpusError, match="no file matches"):
        read_split([tmp_path / "*.txt"])


def test_two_spellings_in_folders_of_folds_are_read_by_a_pattern(tmp_path: Path) -> None:
    for fold in (1, 2):
        for side, stems in {"train": ["03a01Wa", "03a02Fc"], "test": ["08a01Wb", "08a02Fa"]}.items():
            for name, start in ((f"emodb_{side}_fold_{fold}", "downloads"), (f"emodb_{side}_fold{fold}", "data")):
                lines = [json.dumps({"wav": f"{start}/{stem}.wav", "emo": stem[5]}) for stem in stems]
                write(tmp_path, {f"fold_{fold}/{name}.jsonl": lines})
    with pytest.raises(CorpusError, match="are both 1 test; name one file for each side") as told:
        read_split([tmp_path])
    pattern = Path(str(told.value).rpartition("such as ")[2].strip("'"))
    assert pattern == tmp_path / "fold_*" / "emodb_*_fold_*.jsonl"
    split = read_split([pattern])
    assert (split.fold_names, len(split.utterances)) == (("1", "2"), 8)


def test_shards_of_one_side_are_read_together(tmp_path: Path) -> None:
    header, *rows = FORMS["autrainer"](tmp_path, SIDES).joinpath("train.csv").read_text(encoding="utf-8").splitlines()
    (tmp_path / "train.csv").unlink()
    write(tmp_path, {f"train-0000{number}-of-00002.csv": [header, *rows[number::2]] for number in (0, 1)})
    assert audit(tmp_path).recordings == 36


@pytest.mark.parametrize(
    ("spelling", "other"),
    [
        ("w/b.wav", "w/../w/b.wav"),
        ("w/b.wav", "./w//b.wav"),
        ("w/b.wav", "{folder}/w/b.wav"),
        ("w/b.wav", "w\\b.wav"),
        ("w/b.wav", "file://{folder}/w/b.wav"),
        ("w/b.wav", "linked/b.wav"),
    ],
)
@pytest.mark.parametrize("files", [1, 2])
def test_spellings_of_a_path_are_one_recording(tmp_path: Path, spelling: str, other: str, files: int) -> None:
    write(tmp_path, {"w/b.wav": [], "w/c.wav": [], "w/d.wav": []})
    (tmp_path / "linked").symlink_to(tmp_path / "w")
    spelling, other = (path.format(folder=tmp_path) for path in (spelling, other))
    sides = {"train": [f"{spelling},x,joy", "w/c.wav,x,sad"], "test": [f"{other},x,joy", "w/d.wav,y,sad"]}
    if files == 1:
        rows = [f"{row},{side}" for side, of in sides.items() for row in of]
        write(tmp_path, {"split.csv": ["path,speaker,emotion,split", *rows]})
        found = audit(tmp_path / "split.csv")
    else:
        write(tmp_path, {f"{side}.csv": ["path,speaker,emotion", *rows] for side, rows in sides.items()})
        found = audit(tmp_path / "train.csv", tmp_path / "test.csv")
    assert verdict(found, "recordings") == "1 of 3 recordings are on two sides: training and test"


def test_json_may_name_side_and_fold_of_each_row(tmp_path: Path) -> None:
    rows = [
        json.dumps({"file_name": f"{speaker}{emotion}.wav", "speaker_id": speaker, "label": number, "split": side})
        for side, speakers in SIDES.items()
        for speaker in speakers
        for number, emotion in enumerate(EMOTIONS)
    ]
    for path in (write(tmp_path, {"metadata.jsonl": rows}), tmp_path / "metadata.jsonl"):
        found = audit(path)
        assert (found.outcome, found.recordings) == ("ok", 18)


def test_names_that_no_file_can_have_are_audited_all_the_same(tmp_path: Path) -> None:
    odd = ["a\0/b.wav", "\ud800/c.wav", f"{'x' * 300}/d.wav"]
    rows = [
        json.dumps({"wav": path, "emo": emotion, "speaker": side, "split": side})
        for side in ("train", "test")
        for path in odd
        for emotion in ("joy",)
    ]
    assert verdict(audit(write(tmp_path, {"all.jsonl": rows}) / "all.jsonl"), "recordings").startswith("3 of 3")


def test_exit_codes_tell_three_outcomes(tmp_path: Path, call: Callable[..., Any]) -> None:
    rows = [
        f"p{speaker}_{emotion}.wav,{emotion},{'train' if speaker < 4 else 'test'}"
        for speaker in range(6)
        for emotion in EMOTIONS
    ]
    table = write(tmp_path, {"split.csv": ["path,emotion,split", *rows]}) / "split.csv"
    told = call(tmp_path, "audit", table, "--json")
    record = json.loads(told.out)
    assert (told.code, record["outcome"], record["speakers"], record["ok"]) == (3, "unchecked", "unchecked", False)
    told = call(tmp_path, "audit", table)
    assert told.code == 3
    assert "speakers: --speaker-from '(?:^|/)([A-Za-z]{1,3}\\d{1,4})[_.-][^/]*$' finds 6 speakers" in told.out
    told = call(tmp_path, "audit", table, "--speaker-from", r"(?P<speaker>p\d)", "--json")
    record = json.loads(told.out)
    assert (told.code, record["outcome"], record["speakers"], record["ok"]) == (0, "ok", "ok", True)
    told = call(tmp_path, "audit", table, "--speaker-from", r"_([a-z]+)\.wav", "--json")
    assert (told.code, json.loads(told.out)["outcome"]) == (1, "leaks")


def test_files_of_folds_with_a_column_of_sides_are_folds(tmp_path: Path) -> None:
    for fold, (trained, other) in enumerate([("ada", "bob"), ("bob", "ada")], 1):
        rows = [f"{row},train" for row in _rows([trained], "{speaker}{emotion}{number}.wav,{emotion},{speaker}")]
        rows += [f"{row},test" for row in _rows([other], "{speaker}{emotion}{number}.wav,{emotion},{speaker}")]
        write(tmp_path, {f"fold_{fold}.csv": ["file,label,speaker,set", *rows]})
    for path in (tmp_path / "fold_*.csv", tmp_path):
        split = read_split([path])
        assert split.fold_names == ("1", "2")
        assert audit_split(split).outcome == "ok"


@pytest.mark.parametrize(
    ("expression", "message"),
    [
        (r"(\d+", r"--speaker-from is '\(\\d\+'; expected a regular expression: missing \)"),
        (r"\d+", "expected a group around the speaker"),
        (r"(none)", r"finds a speaker in none of 36 paths, such as 'cydanger1\.wav'"),
    ],
)
def test_a_wrong_expression_is_refused(tmp_path: Path, expression: str, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        read_split([FORMS["autrainer"](tmp_path, SIDES)], speaker_from=expression)
