"""CMU-MOSEI: ratings of annotators become an emotion, several emotions and sentiment; what is wrong is named."""

from pathlib import Path

import pytest

from ser_tune.corpora import Corpus
from ser_tune.corpora.cmu_mosei import CORPUS, read
from ser_tune.errors import CorpusError

HEADER = (
    "HITId,Input.VIDEO_ID,Input.CLIP,Answer.anger,Answer.disgust,Answer.fear,Answer.happiness,Answer.sadness,"
    "Answer.surprise,Answer.sentiment"
)
LINES = "v___0___0.5___2.25___I, um, LIKE it.\nv___1___2.25___4___No.\nv___2___4___5___Yes.\n"


def _corpus(folder: Path, *rows: str, lines: str = LINES) -> Path:
    for place in ("Labels", "Transcript/Segmented/Combined", "Audio/Full/WAV_16000"):
        (folder / "raw" / place).mkdir(parents=True)
    (folder / "raw" / "Labels" / "batch.csv").write_text("\n".join([HEADER, *rows]))
    (folder / "raw" / "Transcript" / "Segmented" / "Combined" / "v.txt").write_text(lines)
    (folder / "raw" / "Audio" / "Full" / "WAV_16000" / "v.wav").touch()
    return folder


def test_ratings_of_annotators_become_labels(tmp_path: Path) -> None:
    rows = (
        "h,v,0,0,0,0,3,0,1,2",
        "h,v,0,0,0,0,0,0,1,-1",
        "h,v,0,0,,0,3,0,,",
        "h,v,1,1,1,0,0,0,0,0",
        "h,v,9,1,0,0,0,0,0,0",
    )
    joy, tie = read(_corpus(tmp_path, *rows), tmp_path)
    assert (joy.id, joy.speaker, joy.emotion, joy.text) == ("v_0", "v", "happiness", "i um like it")
    assert (joy.start_s, joy.end_s) == (0.5, 2.25)
    assert joy.annotation.emotions == ("happiness", "surprise")
    assert joy.annotation.votes == (("happiness", 2), ("surprise", 2))
    assert joy.annotation.dimensions == (("sentiment", 0.5),)
    assert joy.annotation.annotators == 3
    assert (tie.emotion, tie.annotation.emotions) == ("", ("anger", "disgust"))
    assert read(tmp_path / "raw", tmp_path) == [joy, tie]
    found = Corpus.load(CORPUS, tmp_path, tmp_path, subset="dimensions", needs="dimensions")
    assert (len(found.utterances), found.scales) == (2, {"sentiment": (-3.0, 3.0)})


@pytest.mark.parametrize(
    ("row", "lines", "message"),
    [
        ("h,v,0,0,0,0,4,0,1,2", LINES, r"batch\.csv, line 2: 'happiness' is '4'; expected a number from 0 to 3"),
        ("h,v,0,0,0,0,x,0,1,2", LINES, r"'happiness' is 'x'; expected a number"),
        ("h,v,0,0,0,0,1,0,1,nan", LINES, r"'sentiment' is 'nan'; expected a number from -3 to 3"),
        ("h,v,0,0,0,0,1,0,1,1", "v___0___1", r"v\.txt, line 1: 'v___0___1' is not VIDEO___CLIP___START___END___WORDS"),
        ("h,w,0,0,0,0,1,0,1,1", LINES, r"no sentence of the tables in '.*Labels' has a line in .* and a recording in"),
    ],
)
def test_what_is_wrong_is_named(tmp_path: Path, row: str, lines: str, message: str) -> None:
    with pytest.raises(CorpusError, match=message):
        read(_corpus(tmp_path, row, lines=lines), tmp_path)


def test_tables_without_ratings_are_no_tables(tmp_path: Path) -> None:
    folder = _corpus(tmp_path)
    (folder / "raw" / "Labels" / "batch.csv").write_text("a,b")
    with pytest.raises(
        CorpusError, match=r"no table in '.*Labels' has the columns Input\.VIDEO_ID, Input\.CLIP, Answer"
    ):
        read(folder, tmp_path)
    (folder / "raw" / "Labels" / "batch.csv").unlink()
    (folder / "raw" / "Labels").rmdir()
    with pytest.raises(
        CorpusError, match=r"corpus cmu_mosei: no folder 'Labels' in '.*raw'; expected Labels, Transcript"
    ):
        read(folder, tmp_path)
