"""Splits in the forms in which others publish them, and speakers that no table names."""

import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile
from hypothesis import given, settings
from hypothesis import strategies as st

from ser_tune.audit import Audit, audit_split, read_split
from ser_tune.audit.file_checks import stretches
from ser_tune.audit.speaker_patterns import proposals
from ser_tune.audit.split import Row, Split
from ser_tune.corpora import Utterance
from ser_tune.errors import ConfigError, CorpusError

EMOTIONS = ("anger", "joy", "sad")
Files = dict[str, list[str]]


def _write(folder: Path, files: Files) -> Path:
    for name, lines in files.items():
        file = folder / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")
    return folder


def _audit(*paths: Path, **options: Any) -> Audit:
    return audit_split(read_split(paths, **options))


def _statuses(found: Audit) -> dict[str, str]:
    return {finding.check: finding.status for finding in found.findings}


def _verdict(found: Audit, check: str) -> str:
    (verdict,) = (finding.verdict for finding in found.findings if finding.check == check)
    return verdict


def _rows(speakers: Sequence[str], form: str) -> list[str]:
    """Two recordings of each speaker and emotion."""
    return [
        form.format(speaker=speaker, emotion=emotion, number=number)
        for speaker in speakers
        for emotion in EMOTIONS
        for number in (1, 2)
    ]


SIDES = {"train": ["ada", "bob"], "dev": ["cyd", "dan"], "test": ["eve", "fay"]}
MSP_SIDES = {"train": "Train", "dev": "Development", "test": "Test1"}
FORMS: dict[str, Callable[[Path, dict[str, list[str]]], Path]] = {
    "autrainer": lambda folder, sides: _write(
        folder,
        {
            f"{side}.csv": ["filename,label,speaker", *_rows(of, "{speaker}{emotion}{number}.wav,{emotion},{speaker}")]
            for side, of in sides.items()
        },
    ),
    "audformat": lambda folder, sides: _write(
        folder,
        {
            f"db.emotion.{side}.gold.csv": [
                "file,start,end,emotion,speaker",
                *_rows(of, "wav/{speaker}{emotion}.wav,0 days,0 days 00:00:0{number}.5,{emotion},{speaker}"),
            ]
            for side, of in sides.items()
        },
    ),
    "Hugging Face, a table for each side": lambda folder, sides: _write(
        folder,
        {
            f"{side}/metadata.csv": [
                "file_name,speaker_id,emotion",
                *_rows(of, "audio/{speaker}{emotion}{number}.wav,{speaker},{emotion}"),
            ]
            for side, of in sides.items()
        },
    ),
    "Hugging Face, one table": lambda folder, sides: _write(
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
    "Hugging Face, JSON lines": lambda folder, sides: _write(
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
    "a manifest": lambda folder, sides: _write(
        folder,
        {
            "split.csv": [
                "path,speaker,emotion,session,start,end,gender,meta_room,valence,split",
                *(
                    f"{row},{side}"
                    for side, of in sides.items()
                    for row in _rows(of, "{speaker}{emotion}{number}.wav,{speaker},{emotion},1,0,{number},f,x,3")
                ),
            ]
        },
    ),
    "MSP-Podcast": lambda folder, sides: _write(
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
    clean = _audit(FORMS[form](tmp_path / "clean", SIDES))
    assert (clean.outcome, clean.speakers, clean.ok) == ("ok", "ok", True), clean.summary
    assert _verdict(clean, "speakers") == "none of 6 speakers is on two sides"
    leaky = _audit(FORMS[form](tmp_path / "leaky", {**SIDES, "test": ["eve", "ADA"]}))
    assert (leaky.outcome, leaky.speakers, leaky.ok) == ("leaks", "leaks", False)
    assert _verdict(leaky, "speakers") == "1 of 5 speakers are on two sides: training and test"


def test_the_forms_differ_in_nothing_but_their_form(tmp_path: Path) -> None:
    for number, form in enumerate(FORMS):
        split = read_split([FORMS[form](tmp_path / str(number), SIDES)])
        sides = [sorted({split.utterances[row].speaker for row in getattr(split.folds[0], side)}) for side in SPLIT]
        assert sides == list(SIDES.values()), form


SPLIT = ("train", "validation", "test")


def test_folders_of_recordings_are_a_split(tmp_path: Path) -> None:
    for side, speakers in SIDES.items():
        _write(tmp_path, {f"{side}/{row}": [] for row in _rows(speakers, "{emotion}/{speaker}_{number}.wav")})
    found = _audit(tmp_path)
    assert (found.outcome, found.recordings) == ("unchecked", 36)
    assert _audit(tmp_path, speaker_from=r"([a-z]+)_\d\.wav$").outcome == "ok"
    (tmp_path / "train" / "loose.wav").touch()
    with pytest.raises(CorpusError, match=r"'.*loose\.wav' is in no folder of a side and an emotion"):
        read_split([tmp_path])


def test_a_column_that_is_not_used_is_listed(tmp_path: Path) -> None:
    found = _audit(FORMS["a manifest"](tmp_path, SIDES))
    assert _verdict(found, "columns") == "not used: 'valence'"


def test_two_spellings_of_one_file_are_read_by_a_pattern(tmp_path: Path) -> None:
    FORMS["autrainer"](tmp_path, SIDES)
    lines = (tmp_path / "train.csv").read_text(encoding="utf-8")
    (tmp_path / "train.tsv").write_text(lines, encoding="utf-8")  # an exact copy counts once
    assert _audit(tmp_path).recordings == 36
    for name, text in (("train.tsv", lines.replace(",", "\t")), ("Train.csv", lines.replace("ada", "gus"))):
        other = tmp_path / name
        other.write_text(text, encoding="utf-8")
        with pytest.raises(CorpusError, match=r"are both train; name one file .*, such as '(.*)'") as told:
            read_split([tmp_path])
        pattern = str(told.value).rpartition("such as ")[2].strip("'")
        assert len(list(tmp_path.glob(pattern.removeprefix(f"{tmp_path}/")))) == 3
        assert _audit(Path(pattern)).recordings == 36
        other.unlink()
    with pytest.raises(CorpusError, match="no file matches"):
        read_split([tmp_path / "*.txt"])


def test_two_spellings_in_folders_of_folds_are_read_by_a_pattern(tmp_path: Path) -> None:
    for fold in (1, 2):
        for side, stems in {"train": ["03a01Wa", "03a02Fc"], "test": ["08a01Wb", "08a02Fa"]}.items():
            for name, start in ((f"emodb_{side}_fold_{fold}", "downloads"), (f"emodb_{side}_fold{fold}", "data")):
                lines = [json.dumps({"wav": f"{start}/{stem}.wav", "emo": stem[5]}) for stem in stems]
                _write(tmp_path, {f"fold_{fold}/{name}.jsonl": lines})
    with pytest.raises(CorpusError, match="are both 1 test; name one file for each side") as told:
        read_split([tmp_path])
    pattern = Path(str(told.value).rpartition("such as ")[2].strip("'"))
    assert pattern == tmp_path / "fold_*" / "emodb_*_fold_*.jsonl"
    split = read_split([pattern])
    assert (split.fold_names, len(split.utterances)) == (("1", "2"), 8)


def test_shards_of_one_side_are_read_together(tmp_path: Path) -> None:
    header, *rows = FORMS["autrainer"](tmp_path, SIDES).joinpath("train.csv").read_text(encoding="utf-8").splitlines()
    (tmp_path / "train.csv").unlink()
    _write(tmp_path, {f"train-0000{number}-of-00002.csv": [header, *rows[number::2]] for number in (0, 1)})
    assert _audit(tmp_path).recordings == 36


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
    _write(tmp_path, {"w/b.wav": [], "w/c.wav": [], "w/d.wav": []})
    (tmp_path / "linked").symlink_to(tmp_path / "w")
    spelling, other = (path.format(folder=tmp_path) for path in (spelling, other))
    sides = {"train": [f"{spelling},x,joy", "w/c.wav,x,sad"], "test": [f"{other},x,joy", "w/d.wav,y,sad"]}
    if files == 1:
        rows = [f"{row},{side}" for side, of in sides.items() for row in of]
        _write(tmp_path, {"split.csv": ["path,speaker,emotion,split", *rows]})
        found = _audit(tmp_path / "split.csv")
    else:
        _write(tmp_path, {f"{side}.csv": ["path,speaker,emotion", *rows] for side, rows in sides.items()})
        found = _audit(tmp_path / "train.csv", tmp_path / "test.csv")
    assert _verdict(found, "recordings") == "1 of 3 recordings are on two sides: training and test"


def _stretches(tmp_path: Path, test: Sequence[tuple[float, float]]) -> Audit:
    """Two dialogues; training has the stretches from 0 to 1, 2 to 3, …, of other emotions than the test's."""
    train = [f"d{number}.wav,{start},{start + 1},joy,x,train" for number in (1, 2) for start in (0, 2, 4)]
    tested = [f"d{number}.wav,{start},{end},sad,y,test" for number in (1, 2) for start, end in test]
    extra = ["e.wav,0,1,sad,x,train", "f.wav,0,1,joy,y,test"]
    _write(tmp_path, {"split.csv": ["path,start_time,end_time,emotion,speaker,split", *train, *tested, *extra]})
    return _audit(tmp_path / "split.csv")


def test_stretches_of_one_recording_that_do_not_overlap(tmp_path: Path) -> None:
    found = _stretches(tmp_path, [(1, 2), (3, 4)])
    assert _verdict(found, "recordings") == "2 of 4 recordings have stretches on two sides: training and test"
    assert _verdict(found, "stretches") == "none of 12 stretches overlaps another on another side"
    assert _statuses(found)["labels"] == "ok"  # other stretches may have other emotions


def test_stretches_are_heard_by_themselves(tmp_path: Path) -> None:
    noise = np.random.default_rng(0).normal(0, 0.1, 16_000 * 6)
    soundfile.write(tmp_path / "dialogue.wav", noise, 16_000)
    rows = [f"dialogue.wav,{start},{start + 1},{EMOTIONS[start % 2]},x,train" for start in (0, 2)]
    rows += [f"dialogue.wav,{start},{start + 1},{EMOTIONS[start % 2]},y,test" for start in (1, 3)]
    table = _write(tmp_path, {"split.csv": ["file,start,end,emotion,speaker,split", *rows]}) / "split.csv"
    found = audit_split(read_split([table], data=tmp_path), with_sound=True)
    statuses = _statuses(found)
    assert (statuses["recordings"], statuses["stretches"]) == ("leak", "ok")
    assert (statuses["audio"], statuses["sound"], statuses["near-identical sound"]) == ("ok", "ok", "ok")


def test_json_may_name_side_and_fold_of_each_row(tmp_path: Path) -> None:
    rows = [
        json.dumps({"file_name": f"{speaker}{emotion}.wav", "speaker_id": speaker, "label": number, "split": side})
        for side, speakers in SIDES.items()
        for speaker in speakers
        for number, emotion in enumerate(EMOTIONS)
    ]
    for path in (_write(tmp_path, {"metadata.jsonl": rows}), tmp_path / "metadata.jsonl"):
        found = _audit(path)
        assert (found.outcome, found.recordings) == ("ok", 18)


def test_names_that_no_file_can_have_are_audited_all_the_same(tmp_path: Path) -> None:
    odd = ["a\0/b.wav", "\ud800/c.wav", f"{'x' * 300}/d.wav"]
    rows = [
        json.dumps({"wav": path, "emo": emotion, "speaker": side, "split": side})
        for side in ("train", "test")
        for path in odd
        for emotion in ("joy",)
    ]
    assert _verdict(_audit(_write(tmp_path, {"all.jsonl": rows}) / "all.jsonl"), "recordings").startswith("3 of 3")


def test_stretches_that_overlap_are_counted(tmp_path: Path) -> None:
    found = _stretches(tmp_path, [(0.5, 2.5), (3, 4)])
    assert _verdict(found, "stretches") == (
        "6 of 12 stretches overlap another on another side: 2 test stretches overlap 4 training stretches"
    )
    assert _statuses(found)["labels"] == "ok"


times = st.integers(0, 12)


@settings(max_examples=60)
@given(st.lists(st.tuples(st.sampled_from("ab"), times, st.integers(1, 5), st.sampled_from(SPLIT[::2])), min_size=1))
def test_overlaps_are_those_of_every_pair(drawn: list[tuple[str, int, int, str]]) -> None:
    drawn = [*dict.fromkeys(drawn), ("c", 0, 1, "train"), ("d", 0, 1, "test")]
    rows = [Row(path=file, base=Path(), emotion="joy", side=side) for file, _, _, side in drawn]
    utterances = [
        Utterance(
            id=f"{file}[{start}-{start + length}]",
            path=Path(file),
            speaker="s",
            emotion="joy",
            start_s=start,
            end_s=start + length,
        )
        for file, start, length, _ in drawn
    ]
    expected = {
        (file, start, length)
        for file, start, length, side in drawn
        for other, from_s, for_s, elsewhere in drawn
        if side != elsewhere and file == other and start < from_s + for_s and from_s < start + length
    }
    found = stretches(Split.of("drawn", rows, utterances))
    assert found is not None
    assert (found.status == "leak") == bool(expected)
    assert found.verdict.startswith(f"{len(expected) or 'none'} of ")


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
    table = _write(tmp_path, {"split.csv": ["path,emotion,split", *rows]}) / "split.csv"
    found = _audit(table)
    assert (found.outcome, found.speakers, found.ok) == ("unchecked", "unchecked", False)
    (finding,) = (finding for finding in found.findings if finding.check == "speakers")
    assert finding.verdict.endswith("the paths may name them")
    first = finding.details[0]
    assert PATHS[form] in first.replace("'\"'\"'", "'")
    assert " finds 8 speakers (" in first
    assert first.endswith("8 of them on two sides")
    leaky = _audit(table, speaker_from=PATHS[form])
    assert leaky.outcome == "leaks"
    assert _verdict(leaky, "speakers") == "8 of 8 speakers are on two sides: training and test"


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


def test_exit_codes_tell_three_outcomes(tmp_path: Path, call: Callable[..., Any]) -> None:
    rows = [
        f"p{speaker}_{emotion}.wav,{emotion},{'train' if speaker < 4 else 'test'}"
        for speaker in range(6)
        for emotion in EMOTIONS
    ]
    table = _write(tmp_path, {"split.csv": ["path,emotion,split", *rows]}) / "split.csv"
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


def test_speakers_that_some_rows_lack_are_not_called_checked(tmp_path: Path) -> None:
    rows = ["a.wav,ada,joy,train", "b.wav,ada,sad,train", "c.wav,bob,joy,test", "d.wav,Unknown,sad,test"]
    table = _write(tmp_path, {"split.csv": ["path,speaker,emotion,split", *rows]}) / "split.csv"
    found = _audit(table)
    assert found.outcome == "unchecked"
    assert _verdict(found, "speakers") == (
        "none of 2 speakers is on two sides; the speakers of 1 of 4 rows are not known"
    )
    table.write_text(table.read_text(encoding="utf-8").replace("bob", "Ada "), encoding="utf-8")
    assert _audit(table).outcome == "leaks"


def test_an_expression_wins_over_what_files_and_schemes_have(tmp_path: Path) -> None:
    # EmoDB's speaker is 03; the expression takes the text instead
    rows = {"train": ["03a01Wa", "03a02Fc"], "test": ["03b01Wa", "03b02Fc"]}
    for side, stems in rows.items():
        _write(
            tmp_path,
            {f"{side}.jsonl": [json.dumps({"wav": f"{stem}.wav", "emo": stem[5], "speaker": "03"}) for stem in stems]},
        )
    assert _audit(tmp_path).speakers == "leaks"
    assert _audit(tmp_path, speaker_from=r"^\d\d([ab]\d\d)").speakers == "ok"


def test_files_of_folds_with_a_column_of_sides_are_folds(tmp_path: Path) -> None:
    for fold, (trained, other) in enumerate([("ada", "bob"), ("bob", "ada")], 1):
        rows = [f"{row},train" for row in _rows([trained], "{speaker}{emotion}{number}.wav,{emotion},{speaker}")]
        rows += [f"{row},test" for row in _rows([other], "{speaker}{emotion}{number}.wav,{emotion},{speaker}")]
        _write(tmp_path, {f"fold_{fold}.csv": ["file,label,speaker,set", *rows]})
    for path in (tmp_path / "fold_*.csv", tmp_path):
        split = read_split([path])
        assert split.fold_names == ("1", "2")
        assert audit_split(split).outcome == "ok"
