"""Tables as people and programs write them: read alike where they are unambiguous, else refused in one sentence."""

import csv
import io
import itertools
import zipfile
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ser_tune.corpora.check import check_corpus
from ser_tune.corpora.columns import COLUMNS
from ser_tune.corpora.manifest import CORPUS, read, remarks
from ser_tune.corpora.table import read_table
from ser_tune.errors import CorpusError

ROWS = (("wav/a 1.wav", "Zoë", "joy"), ("wav/b.WAV", "Jürgen", "anger"), ("wav/c,d.wav", "07", "joy"))
SEPARATORS = (",", ";", "\t", "|")
ENCODINGS = ("utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-32", "cp1252", "latin-1")
HEADERS = (
    ("path", "speaker", "emotion"),
    ("Path", "SPEAKER", " Emotion "),
    ("file", "speaker_id", "label"),
    ("FileName", "SpkrID", "EmoClass"),
    ("file_name", "spk", "class"),
    ("filepath", "Actor", "emo"),
    ("wav", "Subject ID", "emotion-label"),
)
SHAPES: dict[str, Callable[[Sequence[Sequence[str]]], list[list[str]]]] = {
    "plain": lambda rows: [list(row) for row in rows],
    "index": lambda rows: [[("" if not number else str(number - 1)), *row] for number, row in enumerate(rows)],
    "pandas": lambda rows: [[("Unnamed: 0" if not number else str(number)), *row] for number, row in enumerate(rows)],
    "R": lambda rows: [[*([str(number)] if number else []), *row] for number, row in enumerate(rows)],
    "titles": lambda rows: [["# Made by hand"], ["My corpus", "", ""], *map(list, rows)],
    "trailing": lambda rows: [[*row, ""] for row in rows],
    "trailing rows": lambda rows: [[*row, *([""] if number else [])] for number, row in enumerate(rows)],
    "trailing header": lambda rows: [[*row, *([] if number else [""])] for number, row in enumerate(rows)],
}
PATHS: dict[str, Callable[[Path, str], str]] = {
    "relative": lambda folder, path: path,
    "dotted": lambda folder, path: f"./{path}",
    "around": lambda folder, path: f"wav/../{path}",
    "backslashes": lambda folder, path: path.replace("/", "\\"),
    "absolute": lambda folder, path: str(folder / path),
    "address": lambda folder, path: (folder / path).as_uri(),
    "ending": lambda folder, path: path[:-4] + path[-4:].swapcase(),
    "without ending": lambda folder, path: path[:-4],
    "two slashes": lambda folder, path: f"file://{path}",
    "case": lambda folder, path: path.upper(),
}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("Corpus")
    (folder / "wav").mkdir()
    for path, _, _ in ROWS:
        (folder / path).touch()
    return folder


def _written(rows: Sequence[Sequence[str]], separator: str = ",") -> str:
    text = io.StringIO()
    csv.writer(text, delimiter=separator).writerows(rows)
    return text.getvalue()


def _read(folder: Path, content: bytes) -> list[tuple[str, str, str]]:
    table = folder / "corpus.csv"
    table.write_bytes(content)
    return [
        (one.path.resolve().relative_to(folder).as_posix(), one.speaker, one.emotion) for one in read(table, folder)
    ]


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("encoding", ENCODINGS)
def test_any_separator_encoding_header_and_shape_is_read_alike(folder: Path, encoding: str, shape: str) -> None:
    for separator, header in itertools.product(SEPARATORS, HEADERS):
        text = _written(SHAPES[shape]([header, *ROWS]), separator)
        start = f"sep={separator}\r\n" if header == HEADERS[-1] else ""
        assert _read(folder, (start + text).encode(encoding)) == list(ROWS), (separator, header)


@pytest.mark.parametrize("form", PATHS)
@pytest.mark.parametrize("separator", SEPARATORS)
def test_any_form_of_a_path_is_read_alike(folder: Path, form: str, separator: str) -> None:
    rows = [(PATHS[form](folder, path), speaker, emotion) for path, speaker, emotion in ROWS]
    assert _read(folder, _written([HEADERS[0], *rows], separator).encode()) == list(ROWS)


@pytest.mark.parametrize("lines", ["\n", "\r\n", "\r", "\n\n"])
def test_any_line_end_is_read_alike(folder: Path, lines: str) -> None:
    text = _written([HEADERS[0], *ROWS]).replace("\r\n", lines)
    assert _read(folder, text.encode()) == list(ROWS)


def test_rows_of_one_quoted_cell_are_read_alike(folder: Path) -> None:
    for separator in SEPARATORS:
        lines = _written([HEADERS[0], *ROWS], separator).splitlines()
        assert _read(folder, _written([[line] for line in lines], ",").encode()) == list(ROWS), separator


def test_spaces_separate_where_nothing_else_does(folder: Path) -> None:
    rows = [("wav/b.WAV", "Jürgen", "anger")]
    assert _read(folder, _written([HEADERS[0], *rows], " ").encode()) == rows


@pytest.mark.slow
@settings(max_examples=50)
@given(
    st.text(alphabet=st.characters(codec="utf-8", exclude_categories=["C", "Z"]), min_size=1), st.sampled_from(",;\t|")
)
def test_any_name_comes_back_as_it_was_written(
    tmp_path_factory: pytest.TempPathFactory, name: str, separator: str
) -> None:
    table = tmp_path_factory.getbasetemp() / "any.csv"
    table.write_text(_written([("path", "speaker", "emotion"), ("a.wav", name, "joy")], separator), encoding="utf-8")
    read_back = read_table(table, required=("path", "speaker", "emotion"), optional=(), header="")
    read_back.problems.refuse()
    assert [line.cells for line in read_back.lines] == [{"path": "a.wav", "speaker": name, "emotion": "joy"}]


def test_every_usual_name_is_of_one_column() -> None:
    for table in (name for name in COLUMNS if name != "utterance"):
        others = {alias for name, aliases in COLUMNS.items() if name != table for alias in (name, *aliases)}
        assert not others & {table, *COLUMNS[table]}


@pytest.mark.parametrize(
    ("separator", "start", "end", "seconds"),
    [
        (",", "1.5", "2.25", (1.5, 2.25)),
        (";", "1,5", "2,25", (1.5, 2.25)),
        (";", "1,500", "2,250", (1.5, 2.25)),
        (",", "1,5", "2,250", (1.5, 2.25)),
        ("\t", "0 days 00:00:01.500000", "0 days 00:00:02.25", (1.5, 2.25)),
        (",", "0 days", "NaT", (0.0, None)),
        (",", "0 days", "", (0.0, None)),
        (",", "0 days 00:00:01", "", (1.0, None)),
        (",", "00:01:00", "00:01:02.5", (60.0, 62.5)),
        (",", "1500ms", "2.25s", (1.5, 2.25)),
    ],
)
def test_times_are_read_as_they_are_written(
    folder: Path, separator: str, start: str, end: str, seconds: tuple[float, float | None]
) -> None:
    table = folder / "times.csv"
    header = ("file", "Start_Time", "end time", "speaker", "label")
    table.write_text(_written([header, ("wav/b.WAV", start, end, "s", "joy")], separator), encoding="utf-8")
    (utterance,) = read(table, folder)
    assert (utterance.start_s, utterance.end_s) == seconds


@pytest.mark.parametrize(
    ("header", "row", "seconds"),
    [
        ("start,duration", "1.5,0.5", (1.5, 2.0)),
        ("offset,duration", "1.5,0.5", (1.5, 2.0)),
        ("onset,offset", "1.5,2", (1.5, 2.0)),
        ("start_ms,end_ms", "1500,2000", (1.5, 2.0)),
        ("Start (s),End [s]", "1.5,2", (1.5, 2.0)),
        ("start (ms),end (ms)", "1500,2000", (1.5, 2.0)),
        ("duration,gender", "1.5,f", (0.0, None)),  # the length of the whole file
    ],
)
def test_other_columns_of_times(folder: Path, header: str, row: str, seconds: tuple[float, float | None]) -> None:
    table = folder / "times.csv"
    table.write_text(f"path,speaker,emotion,{header}\nwav/b.WAV,s,joy,{row}\n", encoding="utf-8")
    (utterance,) = read(table, folder)
    assert (utterance.start_s, utterance.end_s) == seconds


def test_columns_that_are_not_used_are_named_by_the_check(folder: Path) -> None:
    table = folder / "more.csv"
    table.write_text("path,speaker,emotion,Loudness,texts\nwav/b.WAV,s,joy,3,hello\n", encoding="utf-8")
    assert [one.speaker for one in read(table, folder)] == ["s"]
    (remark,) = remarks(table)
    assert remark == f"{table}: columns not used: 'Loudness', 'texts' (did you mean 'text'?)"
    problems = check_corpus(CORPUS, table, folder).problems
    assert [(one.kind, one.wrong, one.message) for one in problems if one.kind == "table"] == [("table", False, remark)]


def test_windows_1252_is_read_and_said(folder: Path) -> None:
    table = folder / "windows.csv"
    table.write_bytes("path,speaker,emotion\nwav/b.WAV,Jürgen,joy\n".encode("cp1252"))
    assert remarks(table) == [f"{table}: the table is not UTF-8 text; it was read as Windows-1252"]


def _xlsx(name: str) -> bytes:
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w") as archive:
        archive.writestr(name, "")
    return content.getvalue()


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"PK\x03\x04binaryxlsx", r"is an Excel workbook \(\.xlsx\) or another zip archive; expected a table as text"),
        (_xlsx("xl/workbook.xml"), r"is an Excel workbook \(\.xlsx\); expected a table as text: save it as CSV"),
        (_xlsx("content.xml"), r"is an OpenDocument spreadsheet \(\.ods\)"),
        (_xlsx("a.wav"), "is a zip archive"),
        (b"\xd0\xcf\x11\xe0\xa1\xb1", r"is an Excel workbook \(\.xls\)"),
        (b"RIFF....WAVE", "is a recording"),
        (b"<!DOCTYPE html><html>", "is HTML or XML; expected a table as text"),
        (b'[{"path": "a.wav"}]', "is JSON; expected a table as text"),
        (b"version https://git-lfs.github.com/spec/v1", "is a pointer of Git LFS"),
        (b"path,speaker,emotion\na\0b,s,joy\n", "is not text: it has null bytes"),
        ("path,speaker,emotion\na.wav,Анна,joy\n".encode("koi8-r"), "is not UTF-8 text: the byte 0xE1 in line 2"),
        ("path,speaker,emotion\na.wav,Paweł B,joy\n".encode("cp1250"), "is not UTF-8 text: the byte 0xB3 in line 2"),
        ("path,speaker,emotion\na.wav,André,joy\n".encode("mac-roman"), "is not UTF-8 text"),
        ("path,speaker,emotion\na.wav,Jörg,joy\n".encode("cp850"), "is not UTF-8 text"),
        ("path,speaker,emotion\na.wav,張偉明,joy\n".encode("gbk"), "is not UTF-8 text"),
        ("path,speaker,emotion\na.wav,山田,joy\n".encode("shift-jis"), "is not UTF-8 text"),
        (b"\xff\xfepat", "is not UTF-16 text"),
    ],
)
def test_what_is_no_table_is_named(folder: Path, content: bytes, message: str) -> None:
    with pytest.raises(CorpusError, match=message) as told:
        _read(folder, content)
    assert "\n" not in str(told.value)


def test_all_problems_are_told_at_once(folder: Path) -> None:
    table = folder / "wrong.csv"
    lines = [
        "path,speaker,emotion,start,end",
        "wav/none.wav,s,joy,,",
        "wav/b.WAV,,joy,,",
        "wav/gone.wav,s,joy,,",
        "C:\\wav\\b.wav,s,joy,,",
        "https://example.org/b.wav,s,joy,,",
        "wav/b.WAV,s,joy,1,5,2,5",
        "/etc/hostname,s,joy,,",
        "wav/b.WAV,s,joy,3,2",
        'wav/b.WAV,s,joy,"1,234",soon',
    ]
    table.write_text("\n".join(lines), encoding="utf-8")
    with pytest.raises(CorpusError) as told:
        read(table, folder)
    message = str(told.value)
    assert message.startswith(f"{table} has 9 problems: ")
    assert "\n" not in message
    for part in (
        f"line 2 (and 1 more: 4): 'wav/none.wav' is not a file; expected a path relative to '{folder}'",
        "line 3: the cell 'speaker' is empty",
        r"line 5: 'C:\wav\b.wav' is a path of Windows; expected a path relative to the table",
        "line 6: 'https://example.org/b.wav' is an address; expected a file",
        "line 7: the row has 7 cells; expected 5: path,speaker,emotion,start,end; quote a cell that has a comma in it",
        "line 8: '/etc/hostname' is outside the manifest's folder",
        "line 9: 'end' is 2; expected more than 'start', which is 3",
        "line 10: 'start' is '1,234'; expected a number of seconds; its comma may be decimal or between thousands",
    ):
        assert part in message


def test_a_quote_that_takes_further_lines_is_told_in_one_line(folder: Path) -> None:
    with pytest.raises(CorpusError) as told:
        _read(folder, b'path,speaker,emotion,start,end\nwav/b.WAV,"s,joy,1,2\nwav/c.wav",joy,"1\n2",3\n')
    assert "line 4: the cell 'speaker' has a line break; is a quote missing?" in str(told.value)
    assert "'start' is '1\\n2'; expected a number of seconds" in str(told.value)
    assert "\n" not in str(told.value)


def test_a_header_with_problems_does_not_hide_the_rows(folder: Path) -> None:
    table = folder / "wrong.csv"
    table.write_text("file,filename,emotion\nwav/none.wav,x,joy\nwav/b.WAV,x,\n", encoding="utf-8")
    with pytest.raises(CorpusError) as told:
        read(table, folder)
    assert "the header lacks column(s) 'speaker'" in str(told.value)
    assert "the header has 2 columns that may be 'path': 'file', 'filename'; call one of them 'path'" in str(told.value)
    assert "line 3: the cell 'emotion' is empty" in str(told.value)


def test_a_documented_name_wins_over_other_names(folder: Path) -> None:
    table = folder / "labels.csv"
    table.write_text("path,speaker,emotion,label\nwav/b.WAV,s,joy,3\n", encoding="utf-8")
    assert [one.emotion for one in read(table, folder)] == ["joy"]
    assert remarks(table) == [f"{table}: column not used: 'label'"]


def test_two_files_that_differ_by_case_are_not_guessed(folder: Path) -> None:
    for name in ("twin.wav", "Twin.wav"):
        (folder / "wav" / name).touch()
    with pytest.raises(CorpusError, match=r"'wav/TWIN\.WAV' is not a file"):
        _read(folder, b"path,speaker,emotion\nwav/TWIN.WAV,s,joy\n")


SHARED = Path(__file__).parents[3] / "shared" / "cases" / "tables"


@pytest.mark.skipif(not SHARED.is_dir(), reason="the shared cases are not on this machine")
@pytest.mark.parametrize(
    "name", ["ok", "header_case", "index_col", "semicolon", "winpath", "extra_col", "pleasant", "xlsx"]
)
def test_shared_tables_are_read_or_named(name: str) -> None:
    table = SHARED / f"{name}.csv"
    if name == "xlsx":
        with pytest.raises(CorpusError, match="is an Excel workbook"):
            read(table, SHARED)
        return
    expected = [(one.path, one.speaker) for one in read(SHARED / "ok.csv", SHARED)]
    assert [(one.path.resolve(), one.speaker) for one in read(table, SHARED)] == [
        (path.resolve(), speaker) for path, speaker in expected
    ]
