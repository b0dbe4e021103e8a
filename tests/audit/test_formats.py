"""Native files of EmoBox, s3prl and SpeechBrain, in the form in which these projects have them."""

import json
from pathlib import Path
from typing import Any

import pytest

from ser_tune.audit import audit_split, read_split
from ser_tune.errors import CorpusError

EMODB = {
    "train": ("03a01Wa", "03a02Fc", "08a01Wb", "08a02Fa"),
    "test": ("03a04Wc", "08a04Ff"),
}


def _emobox(folder: Path, names: dict[str, tuple[str, ...]], *, fold: int = 1) -> Path:
    place = folder / f"fold_{fold}"
    place.mkdir(parents=True)
    for side, stems in names.items():
        lines = [
            {
                "key": f"emodb-{stem}",
                "dataset": "emodb",
                "wav": f"downloads/emodb/wav/{stem}.wav",
                "type": "raw",
                "sample_rate": 16000,
                "num_frame": 33978.0,
                "task": "category",
                "length": 2.123625,
                "emo": "anger" if stem[5] == "W" else "happy",
                "channel": 1,
            }
            for stem in stems
        ]
        text = "".join(json.dumps(line) + "\n" for line in lines)
        (place / f"emodb_{side}_fold_{fold}.jsonl").write_text(text, encoding="utf-8")
        record = {line["key"]: {key: line[key] for key in ("wav", "length", "emo", "dataset")} for line in lines}
        (place / f"emodb_{side}_fold_{fold}.json").write_text(json.dumps(record), encoding="utf-8")
    (folder / "emodb.jsonl").write_text("{}\n", encoding="utf-8")
    (folder / "label_map.json").write_text("{}", encoding="utf-8")
    return folder


def _found(paths: list[Path]) -> dict[str, str]:
    return {finding.check: finding.status for finding in audit_split(read_split(paths)).findings}


def test_emobox_folders_are_read_with_the_speakers_that_emodb_file_names_have(tmp_path: Path) -> None:
    _emobox(tmp_path, EMODB)
    _emobox(tmp_path / "more", EMODB, fold=2)
    split = read_split([tmp_path])
    assert split.fold_names == ("1", "2")
    assert len(split.utterances) == 12  # .jsonl alone: the .json files hold the same
    first = split.utterances[split.folds[0].test[0]]
    assert (first.id, first.speaker, first.emotion) == ("downloads/emodb/wav/03a04Wc.wav", "03", "anger")
    assert first.text == "a04"
    # The same speakers are on both sides
    assert _found([tmp_path])["speakers"] == "leak"
    assert _found(sorted((tmp_path / "fold_1").glob("*.json")))["speakers"] == "leak"


def test_emobox_sound_lies_below_the_data_folder(tmp_path: Path) -> None:
    _emobox(tmp_path, EMODB)
    split = read_split([tmp_path], data=Path("/data"))
    assert split.utterances[split.folds[0].test[0]].path == Path("/data/downloads/emodb/wav/03a04Wc.wav")


def _iemocap(session: int, dialogue: str, letters: str) -> list[dict[str, str]]:
    return [
        {
            "path": f"Session{session}/sentences/wav/{dialogue}/{dialogue}_{letter}00{number}.wav",
            "label": ("neu", "ang")[number % 2],
            "speaker": dialogue.partition("_")[0],
        }
        for letter in letters
        for number in range(2)
    ]


def _s3prl(folder: Path, train: list[dict[str, str]], test: list[dict[str, str]], session: int = 1) -> Path:
    place = folder / f"Session{session}"
    place.mkdir(parents=True)
    for side, rows in (("train", train), ("test", test)):
        record: dict[str, Any] = {"labels": {"neu": 0, "ang": 1}, "meta_data": rows}
        (place / f"{side}_meta_data.json").write_text(json.dumps(record), encoding="utf-8")
    return folder


def test_s3prl_sessions_are_folds_and_the_last_letter_of_a_name_is_the_speaker(tmp_path: Path) -> None:
    first, second = _iemocap(1, "Ses01F_impro04", "FM"), _iemocap(2, "Ses02M_impro01", "FM")
    _s3prl(tmp_path, second, first)
    _s3prl(tmp_path, first, second, session=2)
    split = read_split([tmp_path])
    assert split.fold_names == ("1", "2")
    # The file names a dialogue, Ses01F, as the speaker of both
    assert {utterance.speaker for utterance in split.utterances} == {"1F", "1M", "2F", "2M"}
    assert _found([tmp_path])["speakers"] == "ok"


def test_speechbrain_placeholders_are_dropped(tmp_path: Path) -> None:
    files = []
    for session, side in enumerate(("train", "valid", "test"), 1):
        record = {
            f"psno{session}_{emotion}_s{number:03d}_orgn": {
                "wav": f"{{data_root}}/session{session}/{emotion}/psno{session}_{emotion}_s{number:03d}_orgn.wav",
                "length": 2.5,
                "emo": emotion,
            }
            for number, emotion in enumerate(("ang", "neu"))
        }
        files.append(tmp_path / f"{side}.json")
        files[-1].write_text(json.dumps(record), encoding="utf-8")
    split = read_split(files)
    assert [len(getattr(split.folds[0], side)) for side in ("train", "validation", "test")] == [2, 2, 2]
    assert split.utterances[0].id == "session1/ang/psno1_ang_s000_orgn.wav"
    assert split.utterances[0].speaker == "session 1"
    assert set(_found(files).values()) == {"ok", "unchecked"}
    # A validation utterance that also trains
    record = json.loads(files[0].read_text(encoding="utf-8")) | json.loads(files[1].read_text(encoding="utf-8"))
    files[0].write_text(json.dumps(record), encoding="utf-8")
    assert _found([tmp_path])["validation"] == "leak"


def test_unknown_speakers_are_not_checked(tmp_path: Path) -> None:
    for side in ("train", "test"):
        record = {
            f"{side}{emotion}": {"wav": f"{side}{emotion}.wav", "length": 1.0, "emo": emotion}
            for emotion in ("ang", "neu")
        }
        (tmp_path / f"{side}.json").write_text(json.dumps(record), encoding="utf-8")
    assert _found([tmp_path])["speakers"] == "unchecked"


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        ("test.json", "{", "is not valid JSON"),
        ("test.json", f'[{{"wav": {"1" * 5000}}}]', "is not valid JSON: Exceeds the limit"),
        ("test.json", "[" * 100_000, "is not valid JSON"),
        ("test.json", "[]", "lists no utterances; expected the format of EmoBox, s3prl or SpeechBrain"),
        ("test.jsonl", '{"wav": 1, "emo": "ang"}', "utterance 1: expected 'wav' and 'emo', or 'path' and 'label'"),
        ("all.json", '[{"wav": "a.wav", "emo": "ang"}]', "tells no side; expected train, valid, dev or test"),
    ],
)
def test_a_wrong_file_is_refused(tmp_path: Path, name: str, text: str, message: str) -> None:
    (tmp_path / name).write_text(text, encoding="utf-8")
    with pytest.raises(CorpusError, match=message):
        read_split([tmp_path / name])


def test_two_files_of_one_side_are_refused(tmp_path: Path) -> None:
    _emobox(tmp_path / "one", EMODB)
    _emobox(tmp_path / "two", {**EMODB, "test": ("09a04Wc", "09a04Ff")})
    with pytest.raises(CorpusError, match="are both 1 test; name one file for each side"):
        read_split([tmp_path])


@pytest.mark.parametrize(
    ("stem", "speaker", "text"),
    [
        ("16b10Wb", "16", "b10"),
        ("Ses03F_script02_1_M004", "3M", ""),
        ("psno4_ang_s084_orgn", "session 4", ""),
        ("1040_ITH_SAD_X", "1040", "ith"),
        ("03-01-05-01-02-01-12", "12", "02"),
        ("JE_n23", "JE", "n23"),
        ("DC_sa02", "DC", "02"),  # a sentence that is common to all emotions
        ("OA_bite_neutral", "OA", "bite"),
        ("YAF_back_ps", "YA", "back"),
        ("a_file_of_mine", "", ""),
    ],
)
def test_file_names_of_known_corpora_tell_the_speaker(tmp_path: Path, stem: str, speaker: str, text: str) -> None:
    for side in ("train", "test"):
        (tmp_path / f"{side}.json").write_text(json.dumps({stem: {"wav": f"{stem}.wav", "emo": "x"}}), encoding="utf-8")
    utterance = read_split([tmp_path]).utterances[0]
    assert (utterance.speaker, utterance.text) == (speaker, text)
