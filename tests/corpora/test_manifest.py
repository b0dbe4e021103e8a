"""A corpus from a CSV: what it says is what is read, and what it says wrongly is named by its line."""

import os
from pathlib import Path

import pytest

from ser_tune.corpora.manifest import ALLOWED_FOLDERS, CORPUS, read
from ser_tune.errors import CorpusError


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "sound").mkdir()
    for name in ("a.wav", "b.wav", "c, d.wav"):
        (tmp_path / "sound" / name).touch()
    return tmp_path


def _table(folder: Path, *lines: str) -> Path:
    table = folder / "corpus.csv"
    table.write_text("\n".join(lines), encoding="utf-8")
    return table


def test_a_row_becomes_an_utterance(folder: Path) -> None:
    (utterance,) = read(_table(folder, "path,speaker,emotion", "sound/a.wav,07,joy"), folder)
    assert utterance.id == "sound/a.wav"
    assert utterance.path == folder / "sound" / "a.wav"
    assert utterance.speaker == "07"  # not the number 7
    assert (utterance.emotion, utterance.group) == ("joy", "")
    assert (utterance.start_s, utterance.end_s) == (0.0, None)


def test_columns_come_in_any_order_with_sessions_and_stretches(folder: Path) -> None:
    table = _table(
        folder,
        "emotion,end,start,session,speaker,path",
        "joy,2.50,1,one,s,sound/a.wav",
        "joy,,,one,s,sound/a.wav",
    )
    stretch, whole = read(table, folder)
    assert (stretch.id, stretch.start_s, stretch.end_s) == ("sound/a.wav[1-2.50]", 1.0, 2.5)
    assert (whole.id, whole.start_s, whole.end_s) == ("sound/a.wav", 0.0, None)
    assert stretch.group == whole.group == "one"


def test_a_spreadsheets_file_is_read(folder: Path) -> None:
    # A byte order mark, Windows line ends, quoted commas, spaces around cells, an empty line at the end.
    text = '\ufeffpath,speaker,emotion\r\n"sound/c, d.wav", Zoë , joy \r\n\r\n,,\r\n'
    table = folder / "corpus.csv"
    table.write_bytes(text.encode())
    (utterance,) = read(table, folder)
    assert (utterance.id, utterance.speaker, utterance.emotion) == ("sound/c, d.wav", "Zoë", "joy")


def test_texts_are_compared_without_case_and_punctuation(folder: Path) -> None:
    table = _table(
        folder,
        "path,speaker,emotion,text",
        'sound/a.wav,s,joy,"Don\'t go,  PLEASE!"',
        "sound/b.wav,t,joy,dont go please",
        '"sound/c, d.wav",t,joy,',
    )
    assert [one.text for one in read(table, folder)] == ["dont go please", "dont go please", ""]


@pytest.fixture
def elsewhere(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A recording outside the manifest's folder."""
    recording = tmp_path_factory.mktemp("elsewhere") / "e.wav"
    recording.touch()
    return recording


def test_an_absolute_path_stays_as_it_is(folder: Path) -> None:
    recording = folder / "sound" / "a.wav"
    (utterance,) = read(_table(folder, "path,speaker,emotion", f"{recording},s,joy"), folder)
    assert utterance.path == recording
    assert utterance.id == str(recording)


@pytest.mark.parametrize("written", ["{elsewhere}", "../{folder}/e.wav", "sound/link.wav", "linked/e.wav"])
def test_a_recording_outside_the_folder_is_refused_unless_its_folder_is_allowed(
    folder: Path, elsewhere: Path, written: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    (folder / "sound" / "link.wav").symlink_to(elsewhere)
    (folder / "linked").symlink_to(elsewhere.parent)
    cell = written.format(elsewhere=elsewhere, folder=Path(os.path.relpath(elsewhere.parent, folder.parent)))
    table = _table(folder, "path,speaker,emotion", f"{cell},s,joy")
    with pytest.raises(CorpusError, match=f"line 2: '{cell}' is outside the manifest's folder.*with the envi") as told:
        read(table, folder)
    name, _, allowed = str(told.value).rpartition(" ")[2].partition("=")
    assert name == ALLOWED_FOLDERS
    monkeypatch.setenv(name, os.pathsep.join([str(folder / "none"), allowed]))
    (utterance,) = read(table, folder)
    assert utterance.path.samefile(elsewhere)


def test_every_link_is_followed_in_a_folder_of_plain_files(folder: Path, elsewhere: Path) -> None:
    (folder / "sound" / "link.wav").symlink_to(elsewhere)
    table = _table(folder, "path,speaker,emotion", "sound/a.wav,s,joy", "sound/link.wav,s,joy")
    with pytest.raises(CorpusError, match=r"line 3: 'sound/link.wav' is outside") as told:
        read(table, folder)
    assert "line 2" not in str(told.value)


def test_a_manifest_behind_a_link_may_name_the_files_beside_the_link(folder: Path, tmp_path: Path) -> None:
    (folder / "also").symlink_to(folder)
    _table(folder, "path,speaker,emotion", "sound/a.wav,s,joy")
    (utterance,) = read(folder / "also" / "corpus.csv", tmp_path)
    assert utterance.path.samefile(folder / "sound" / "a.wav")


HEADER = "path,speaker,emotion"
STRETCH = "path,speaker,emotion,start,end"


@pytest.mark.parametrize(
    ("lines", "message"),
    [
        ((), "corpus.csv is empty; expected the header path,speaker,emotion"),
        ((HEADER,), "corpus.csv has no rows below its header"),
        (("path,emotion",), "line 1: the header lacks column.* 'speaker'; expected path,speaker,emotion"),
        (("a;b;c",), "line 1: the header lacks column.* 'path', 'speaker', 'emotion'; expected .*, but it has a;b;c"),
        (("file,wav,speaker,emotion",), "line 1: the header has 2 columns that may be 'path': 'file', 'wav'; call one"),
        (("sound/a.wav,s,joy",), "line 1: the header is missing: this line is a row already; expected path,speaker"),
        ((f"{HEADER},path",), "line 1: the header repeats column.* 'path'"),
        ((f"{HEADER},end",), "line 1: the header has 'end' without 'start'"),
        ((f"{HEADER},start",), "line 1: the header has 'start' without 'end'"),
        ((HEADER, "sound/a.wav,s"), "line 2: the row has 2 cells; expected 3: path,speaker,emotion"),
        ((HEADER, "sound/a.wav,s,joy", "sound/b.wav, ,joy"), "line 3: the cell 'speaker' is empty"),
        ((HEADER, "sound/a.wav,s,"), "line 2: the cell 'emotion' is empty"),
        ((HEADER, ",s,joy"), "line 2: the cell 'path' is empty"),
        ((f"{HEADER},session", "sound/a.wav,s,joy,"), "line 2: the cell 'session' is empty"),
        ((HEADER, "sound/x.wav,s,joy"), "line 2: 'sound/x.wav' is not a file; expected a path relative to"),
        ((HEADER, "sound,s,joy"), "line 2: 'sound' is not a file"),
        ((STRETCH, "sound/a.wav,s,joy,early,2"), "line 2: 'start' is 'early'; expected a number of seconds"),
        ((STRETCH, "sound/a.wav,s,joy,0,nan"), "line 2: 'end' is 'nan'; expected a number of seconds"),
        ((STRETCH, "sound/a.wav,s,joy,-1,2"), "line 2: 'start' is '-1'; expected a number of seconds, 0 or"),
        ((STRETCH, "sound/a.wav,s,joy,2,2"), "line 2: 'end' is 2; expected more than 'start', which is 2"),
        ((STRETCH, "sound/a.wav,s,joy,2,"), "line 2: 'start' is 2 but 'end' is empty"),
        ((STRETCH, "sound/a.wav,s,joy,,2"), "line 2: 'end' is 2 but 'start' is empty"),
        ((HEADER, '"sound/a.wav,s,joy'), "line 2 is not valid CSV"),
    ],
)
def test_a_wrong_table_is_refused_by_line_and_value(folder: Path, lines: tuple[str, ...], message: str) -> None:
    with pytest.raises(CorpusError, match=message) as caught:
        read(_table(folder, *lines), folder)
    assert str(folder / "corpus.csv") in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_table_that_is_not_there_is_named(folder: Path) -> None:
    with pytest.raises(CorpusError, match="pass --data FILE"):
        CORPUS.read(None, folder)
    with pytest.raises(CorpusError, match=r"none\.csv' does not exist"):
        read(folder / "none.csv", folder)
    with pytest.raises(CorpusError, match="is a folder; expected the CSV file itself"):
        read(folder, folder)


def test_gender_and_columns_of_ones_own_are_attributes(folder: Path) -> None:
    table = _table(
        folder,
        "path,speaker,emotion,gender,meta_microphone",
        "sound/a.wav,07,joy,female,near",
        "sound/b.wav,08,joy,,far",
    )
    first, second = read(table, folder)
    assert first.attributes == (("gender", "female"), ("microphone", "near"))
    assert second.attributes == (("microphone", "far"),)
