"""MSP-Podcast: three forms of annotators' judgements, an official split, speakers whom nobody identified."""

import csv
import math
import os
import shutil
import subprocess
import sys
from collections.abc import Sequence
from itertools import cycle
from pathlib import Path

import numpy as np
import pytest

from ser_tune.corpora import Corpus, Need, Utterance
from ser_tune.corpora.msp_podcast import CODES, CORPUS, MISSING, read
from ser_tune.errors import CorpusError

CONSENSUS = ("FileName", "EmoClass", "EmoAct", "EmoVal", "EmoDom", "SpkrID", "Gender", "Split_Set")
PARTS = ("EmoClass_Major", "EmoClass_Second", "EmoAct", "EmoVal", "EmoDom")
HEADERS = {
    "1.6": ("FileName", "Workers", *PARTS),
    "1.10": ("FileName", "EmoDetail"),
    "2.0": ("FileName", "WorkerID", *PARTS, "Gender"),
}
"""Release to the columns of its table of judgements."""
LABELS = (
    ("1", "N", "2.5", "4.0", "3.0", "127", "Male", "Train"),
    ("2", "X", "4.25", "3.0", "3.5", "Unknown", "Unknown", "Train"),
    ("3", "O", "5.0", "2.0", "6.0", "8.0", "Female", "Development"),
    ("4", "A", "6.0", "1.5", "6.0", "9", "Female", "Test1"),
    ("5", "", "", "", "", "10", "Female", "Test3"),
)
NEEDS: dict[str, Need] = {
    "categorical": "emotion",
    "dimensions": "dimensions",
    "votes": "votes",
    "several": "emotions",
}
JUDGEMENTS = (
    ("1", "Neutral", "Neutral,Concerned", "3.0", "4.0", "3.0"),
    ("1", "Neutral", "", "2.0", "4.0", ""),
    ("1", "Sad", "Sad,Neutral,Dissapointed", "2.5", "4.0", "3.0"),
    ("2", "Happy", "Happy,Excited", "4.0", "3.0", "4.0"),
    ("2", "Other-calm, at ease", "Other-calm, at ease,Amused", "4.5", "3.0", "3.0"),
    ("3", "Other", "Other-in A: hurry; really", "5", "2", "6"),
    ("4", "Angry", "Angry,Contempt", "6", "1.5", "6"),
    ("4", "", "Annoyed", "6", "1.5", "6"),
    ("5", "Angry", "Angry", "6", "1.5", "6"),
)


def _name(number: str) -> str:
    return f"MSP-PODCAST_0001_{int(number):04}.wav"


def _write(file: Path, header: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    with file.open("w", encoding="utf-8", newline="") as table:
        csv.writer(table).writerows([header, *rows])


def _row(release: str, judgement: Sequence[str]) -> tuple[str, ...]:
    number, major, second, arousal, valence, dominance = judgement
    if release != "1.10":
        return _name(number), "WORKER00000001", *judgement[1:], *(["Male"] if release == "2.0" else [])
    beside = f" {second};" if second else ""
    rated = f"A:{arousal}; V:{valence}; D:{dominance};"
    return _name(number), f"WORKER00000001; {major};{beside} {rated}"


def _corpus(folder: Path, release: str = "2.0") -> Path:
    """Five turns, of the last of which the labels are withheld."""
    (folder / "Audios").mkdir()
    labels = folder / ("label" if release == "1.6" else "Labels")
    labels.mkdir()
    for number, *_ in LABELS:
        (folder / "Audios" / _name(number)).touch()
    consensus = labels / ("labels_concensus.csv" if release == "1.6" else "labels_consensus.csv")
    _write(consensus, CONSENSUS, [(_name(number), *cells) for number, *cells in LABELS])
    _write(labels / "labels_detailed.csv", HEADERS[release], [_row(release, judgement) for judgement in JUDGEMENTS])
    return folder


def _read(folder: Path) -> dict[str, Utterance]:
    return {utterance.id.removeprefix("MSP-PODCAST_0001_000"): utterance for utterance in read(folder, folder)}


@pytest.mark.parametrize("release", HEADERS)
def test_all_forms_of_judgements_are_read_alike(tmp_path: Path, release: str) -> None:
    turns = _read(_corpus(tmp_path, release))
    agreed, disputed, other, angry, withheld = turns.values()
    assert agreed.path == tmp_path / "Audios" / "MSP-PODCAST_0001_0001.wav"
    assert [turn.emotion for turn in turns.values()] == ["neutral", "", "other", "anger", ""]
    assert [turn.split for turn in turns.values()] == ["train", "train", "validation", "test1", "test3"]
    assert [turn.speaker for turn in turns.values()] == ["127", "Unknown", "8", "9", "10"]
    assert [dict(turn.attributes).get("gender") for turn in turns.values()] == ["male", None, *["female"] * 3]
    assert agreed.annotation.votes == (("neutral", 2), ("sadness", 1))
    assert agreed.annotation.secondary == (("concern", 1), ("disappointment", 1), ("neutral", 1))
    assert agreed.annotation.dimensions == (("arousal", 2.5), ("dominance", 3.0), ("valence", 4.0))
    first, second, _ = agreed.annotation.ratings
    assert first == (3.0, 3.0, 4.0)
    assert (second[0], second[2], math.isnan(second[1])) == (2.0, 4.0, True)
    assert disputed.annotation.votes == (("happiness", 1), ("other", 1))
    assert disputed.annotation.secondary == (("amusement", 1), ("excitement", 1))
    assert (other.annotation.votes, other.annotation.secondary) == ((("other", 1),), ())
    assert (angry.annotation.votes, angry.annotation.annotators) == ((("anger", 1),), 2)
    assert angry.annotation.secondary == (("annoyance", 1), ("contempt", 1))
    assert withheld.annotation == Utterance(id="", path=tmp_path, speaker="", emotion="").annotation


@pytest.mark.parametrize("withheld", ["nan", "N/A", "-", "Unknown"])
def test_labels_are_withheld_in_several_ways_and_blanks_may_follow_commas(tmp_path: Path, withheld: str) -> None:
    table = _corpus(tmp_path) / "Labels" / "labels_consensus.csv"
    lines = table.read_text(encoding="utf-8").replace(",,,,", f",{withheld},nan,nan,nan")
    table.write_text(lines.replace(",", ", "), encoding="utf-8")
    detailed = table.with_name("labels_detailed.csv")
    detailed.write_text(detailed.read_text(encoding="utf-8").replace(',"', ', "'), encoding="utf-8")
    turns = _read(tmp_path)
    assert (turns["5"].emotion, turns["5"].annotation.annotators) == ("", 0)
    assert (turns["1"].emotion, turns["1"].annotation.votes) == ("neutral", (("neutral", 2), ("sadness", 1)))


def test_turns_without_labels_and_words_come_from_files_beside(tmp_path: Path) -> None:
    _corpus(tmp_path)
    for number in ("6", "7"):
        (tmp_path / "Audios" / _name(number)).touch()
    sides = {"6": "Test3", "7": "Train", "4": "Test1", "8": "Test3"}
    lines = [*(f"{side}; {_name(number)}" for number, side in sides.items()), "", "Test3"]
    (tmp_path / "Partitions.txt").write_text("\r\n".join(lines))
    (tmp_path / "Speaker_ids.txt").write_text(f"Speaker_0077; Female\n{_name('6')}; 0077\n{_name('4')}; Unknown\n")
    (tmp_path / "Transcripts").mkdir()
    (tmp_path / "Transcripts" / "MSP-PODCAST_0001_0001.txt").write_text(" Well,  I don't KNOW. \n")
    (tmp_path / "Transcripts" / "MSP-PODCAST_0001_0006.txt").write_bytes("Café?".encode("latin-1"))
    turns = _read(tmp_path)
    assert list(turns) == ["1", "2", "3", "4", "5", "6"]
    assert (turns["6"].split, turns["6"].speaker, turns["6"].emotion) == ("test3", "77", "")
    assert (turns["4"].speaker, turns["4"].split) == ("9", "test1")
    assert [turns[number].text for number in "126"] == ["well i dont know", "", "caf\ufffd"]


def test_a_task_has_the_classes_of_the_challenges_and_turns_with_its_labels(tmp_path: Path) -> None:
    _corpus(tmp_path)
    names = [_name(str(number)) for number in range(10)]
    rows = [(name, code, *"444", name, "Male", "Train") for name, code in zip(names, "ACDFHNSUOX", strict=True)]
    judged = [(name, "W1", word, "Excited", *"444", "Male") for name, word in zip(names, CODES, strict=False)]
    for name in names:
        (tmp_path / "Audios" / name).touch()
    _write(tmp_path / "Labels" / "labels_consensus.csv", CONSENSUS, rows)
    _write(tmp_path / "Labels" / "labels_detailed.csv", HEADERS["2.0"], judged)
    counts = {}
    for subset, needs in NEEDS.items():
        corpus = Corpus.load(CORPUS, tmp_path, tmp_path, subset=subset, needs=needs)
        counts[subset] = (len(corpus.utterances), corpus.left_out)
    assert counts == {"categorical": (8, 1), "dimensions": (10, 0), "votes": (8, 2), "several": (8, 2)}
    assert Corpus.load(CORPUS, tmp_path, tmp_path).emotions == tuple(CODES)


@pytest.mark.parametrize(
    ("table", "row", "message"),
    [
        (
            "consensus",
            ("1", "Q", "1", "1", "1", "1", "Male", "Train"),
            "line 7: a second row of 'MSP-POD",
        ),
        (
            "consensus",
            ("9", "Q", "1", "1", "1", "1", "Male", "Train"),
            "line 7: unknown class 'Q'; expected A",
        ),
        ("consensus", ("9", "N", "one", "1", "1", "1", "Male", "Train"), "line 7: the rating 'one' is no number"),
        ("consensus", ("9", "N", "inf", "1", "1", "1", "Male", "Train"), "line 7: the rating 'inf' is no number"),
        (
            "consensus",
            ("9", "N", "1", "1", "1", "1", "Male", "Dev"),
            "line 7: 'Dev' is no side of the split",
        ),
        ("consensus", ("9", "N"), "line 7: the row has 2 cells; expected 8"),
        ("detailed", ("9", "W", "Sad", "", "four", "1", "1", ""), "row 10: the rating 'four' is no number; expected a"),
        ("detailed", ("9", *"123456789"), "cannot be read: Error tokenizing data"),
    ],
)
def test_a_row_that_is_not_as_described_is_refused(
    tmp_path: Path, table: str, row: tuple[str, ...], message: str
) -> None:
    (_corpus(tmp_path) / "Audios" / _name("9")).touch()
    with (tmp_path / "Labels" / f"labels_{table}.csv").open("a", newline="") as file:
        csv.writer(file).writerow((_name(row[0]), *row[1:]))
    with pytest.raises(CorpusError, match=rf"labels_{table}\.csv,? ?{message}") as told:
        read(tmp_path, tmp_path)
    assert "\n" not in str(told.value)


@pytest.mark.parametrize(
    ("judgement", "message"),
    [
        ("WORKER01; A:1; V:2; D:3;", "row 2: the judgement has no emotion; expected such as WORKER01; Neutral; A:4.0"),
        ("WORKER01; Sad; V:2; D:3;", "row 2: the judgement has no emotion; expected such as WORKER01; Neutral; A:4.0"),
        ("WORKER01; Sad; A:1; V:2;", "row 2: the ratings 'A:1; V:2;' are not such as A:4.0; V:4.0; D:4.0;"),
        ("WORKER01; Sad; A:1; V:two; D:3;", "row 2: the rating 'two' is no number"),
        ("WORKER01", "row 2: the judgement has no emotion"),
    ],
)
def test_a_judgement_that_is_not_as_described_is_refused(tmp_path: Path, judgement: str, message: str) -> None:
    table = _corpus(tmp_path, "1.10") / "Labels" / "labels_detailed.csv"
    _write(table, HEADERS["1.10"], [(_name("1"), "WORKER01; Sad; A:1; V:; D:3"), (_name("1"), judgement)])
    with pytest.raises(CorpusError, match=message):
        read(tmp_path, tmp_path)


def test_a_table_without_rows_or_columns_is_refused(tmp_path: Path) -> None:
    table = _corpus(tmp_path) / "Labels" / "labels_detailed.csv"
    for release in ("1.10", "2.0"):
        _write(table, HEADERS[release], [])
        with pytest.raises(CorpusError, match="has no rows below its header; expected one for each annotator"):
            read(tmp_path, tmp_path)
    _write(table, ("FileName", "EmoClass_Major"), [])
    with pytest.raises(CorpusError, match=r"lacks column\(s\) 'EmoAct', 'EmoClass_Second', 'EmoDom', 'EmoVal'"):
        read(tmp_path, tmp_path)


def test_recordings_that_are_missing_are_counted_and_one_that_the_release_lacks_is_left_out(tmp_path: Path) -> None:
    table = _corpus(tmp_path) / "Labels" / "labels_consensus.csv"
    with table.open("a", newline="") as file:
        csv.writer(file).writerow((MISSING, *LABELS[0][1:]))
    assert len(_read(tmp_path)) == 5
    for number in "23":
        (tmp_path / "Audios" / _name(number)).unlink()
    with pytest.raises(CorpusError, match=r"2 recording\(s\) of .*consensus.csv are not in '.*', such as MSP-PODCAST"):
        read(tmp_path, tmp_path)
    (tmp_path / "Audios").rename(tmp_path / "Sound")
    with pytest.raises(CorpusError, match="has no folder 'Audios'; expected the recordings there"):
        read(tmp_path, tmp_path)
    table.unlink()
    with pytest.raises(CorpusError, match=r"no labels_consensus.csv in '.*Labels'; expected it in Labels/"):
        read(tmp_path, tmp_path)


PROGRAM = """
import csv, re, sys, time
from pathlib import Path
from ser_tune.corpora.msp_podcast import read
def most_memory():  # not ru_maxrss, which a process has from its parent
    return int(re.search(r"VmHWM:\\s+(\\d+) kB", Path("/proc/self/status").read_text())[1]) * 1024
start = time.process_time()
with (Path(sys.argv[1]) / "Labels" / "labels_detailed.csv").open() as file:
    rows = sum(1 for _ in csv.reader(file))
plain = time.process_time() - start
start = time.process_time()
before = most_memory()
turns = read(Path(sys.argv[1]), Path())
print(len(turns), time.process_time() - start, before, most_memory(), plain)
"""


@pytest.mark.slow
def test_a_corpus_of_a_quarter_of_the_largest_releases_size_is_read_in_seconds(tmp_path: Path) -> None:
    (tmp_path / "Audios").mkdir()
    (tmp_path / "Labels").mkdir()
    names = [f"MSP-PODCAST_{number // 60:04}_{number % 60:04}.wav" for number in range(66_000)]
    for name in names:
        os.mknod(tmp_path / "Audios" / name)
    draw = np.random.default_rng(0)
    chosen = draw.choice(["Angry", "Sad", "Happy", "Surprise", "Fear", "Disgust", "Contempt", "Neutral"], (20_000, 5))
    heard = draw.choice(["Concerned", "Excited,Annoyed", "Other-calm", "Neutral,Frustrated"], chosen.shape)
    rated = draw.integers(1, 8, (*chosen.shape, 3)).tolist()
    judgements = [
        [
            f'"WORKER1; {major}; {major},{second}; A:{a}; V:{v}; D:{d};"\n'
            for major, second, (a, v, d) in zip(*five, strict=True)
        ]
        for five in zip(chosen, heard, rated, strict=True)
    ]
    means, codes = draw.uniform(1, 7, (len(names), 3)).round(4).tolist(), draw.choice(list("ACDFHNSUOX"), len(names))
    with (tmp_path / "Labels" / "labels_consensus.csv").open("w") as file:
        file.write(",".join(CONSENSUS) + "\n")
        rows = zip(names, codes, means, strict=True)
        file.writelines(f"{name},{code},{a},{v},{d},{name[12:16]},Male,Train\n" for name, code, (a, v, d) in rows)
    with (tmp_path / "Labels" / "labels_detailed.csv").open("w") as file:
        file.write("FileName,EmoDetail\n")
        file.writelines(f"{name},{line}" for name, five in zip(names, cycle(judgements), strict=False) for line in five)
    done = subprocess.run([sys.executable, "-c", PROGRAM, str(tmp_path)], capture_output=True, text=True, check=True)
    shutil.rmtree(tmp_path)  # of so many files only the next test run would dispose
    found, seconds, before, most, plain = map(float, done.stdout.split())
    assert found == len(names)
    assert seconds < max(5, 15 * plain)  # a slow or busy machine is slow with a plain pass over the table too
    assert most - before < 0.3 * 2**30
