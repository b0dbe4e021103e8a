"""What is printed: no name moves a terminal's cursor, no stream's encoding ends a command, no cell is a formula."""

import csv
import io
import logging
import os
import unicodedata
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ser_tune.cli import console
from ser_tune.cli.rows import Rows, print_csv, written
from ser_tune.errors import ConfigError
from ser_tune.spreadsheets import safe_cell

HOSTILE = "anna\x1b]0;x\x07\x1b[2J\r\n\u202e\u2028\x9b1m"
"""Sets a terminal's title, clears it, turns the direction of writing."""


def commands_in(text: str) -> set[str]:
    """Characters that a terminal obeys, but for line ends and the escape sequences of Rich's colours."""
    plain = text.replace("\x1b[1m", "").replace("\x1b[0m", "").replace("\n", "")
    return {one for one in plain if unicodedata.category(one) in console.COMMANDS and one not in console.JOINERS}


class Terminal(io.StringIO):
    """Text that is on somebody's screen."""

    def isatty(self) -> bool:
        return True


@given(st.text())
def test_escaped_text_obeys_nobody_and_printable_text_stays(text: str) -> None:
    shown = console.escaped(text)
    assert not commands_in(shown)
    assert "\n" not in shown
    if not commands_in(text) and "\n" not in text:
        assert shown == text


@given(st.text())
def test_printed_lines_and_tables_obey_nobody(text: str) -> None:
    terminal = io.StringIO()
    safe = console._SafeConsole(file=terminal, force_terminal=True, width=200, highlight=False)
    safe.print(f"speaker {text}", markup=False)
    assert not commands_in(terminal.getvalue())
    plain = io.StringIO()
    console.print_table(["speaker", text], [[f"<{text}>", "1"]], file=plain)
    assert not commands_in(plain.getvalue())
    assert plain.getvalue().count("\n") == 2  # a header and a row, whatever they contain


def test_tables_and_csv_on_a_terminal_show_control_characters_escaped(monkeypatch: pytest.MonkeyPatch) -> None:
    screen = Terminal()
    monkeypatch.setattr("sys.stdout", screen)
    monkeypatch.setattr(console, "results", console._SafeConsole(file=screen, force_terminal=True, width=200))
    console.print_table([HOSTILE], [[HOSTILE]])
    print_csv([HOSTILE], [{HOSTILE: HOSTILE}])
    assert not commands_in(screen.getvalue())
    assert screen.getvalue().count(r"\x1b[2J") == 4


def test_csv_in_a_file_has_every_character(tmp_path: Path) -> None:
    with written(tmp_path / "table.csv") as file:
        print_csv(["name"], [{"name": HOSTILE}], file)
    with (tmp_path / "table.csv").open(encoding="utf-8", newline="") as file:
        assert list(csv.reader(file)) == [["name"], [HOSTILE]]


def test_log_records_show_control_characters_escaped(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    console.prepare_streams()
    monkeypatch.setattr(logging.getLogger(), "handlers", [])  # pytest's
    logging.getLogger("ser_tune.test").warning("note: %s", HOSTILE)
    assert not commands_in(capsys.readouterr().err)


@pytest.mark.parametrize("encoding", ["ascii", "cp1252", "latin-1", "cp932", "koi8-r"])
def test_a_stream_replaces_what_it_cannot_encode(monkeypatch: pytest.MonkeyPatch, encoding: str) -> None:
    raw = io.BytesIO()
    monkeypatch.setattr("sys.stdout", io.TextIOWrapper(raw, encoding=encoding))
    monkeypatch.setattr("sys.stderr", io.TextIOWrapper(io.BytesIO(), encoding=encoding))
    console.prepare_streams()
    everything = "≥ 1 … ± 😀 日本語 عربى \udcff"
    console.results.print(everything, markup=False)
    console.print_table(["name"], [[everything]])
    print_csv(["name"], [{"name": everything}])
    console.sys.stdout.flush()
    assert raw.getvalue().decode(encoding).count(r"\U0001f600") == 3


def test_an_error_shows_control_characters_escaped(call: Callable[..., Any], root: Path) -> None:
    told = call(root, "predict", "no\x1b[2Jmodel", "a.wav")
    told.refused(r"no registered model 'no\x1b[2Jmodel'")
    assert "\x1b" not in told.err


@given(st.one_of(st.text(), st.sampled_from(["=1+1", "+cmd", "-2+3", "@SUM(A1)", "\t=1", "\r=1", "-anna"])))
def test_no_cell_of_text_is_a_formula(text: str) -> None:
    cell = str(safe_cell(text))
    assert cell in (text, f"'{text}")
    if cell.startswith(("=", "@", "\t", "\r", "+", "-")):
        float(cell)  # a number, which a spreadsheet may take for one


@given(st.floats(allow_nan=False, allow_infinity=False), st.integers())
def test_numbers_stay_numbers(real: float, whole: int) -> None:
    for number in (real, whole):
        assert safe_cell(number) is number
        assert safe_cell(str(number)) == str(number)
    assert safe_cell(f"{real:.4f}") == f"{real:.4f}"


def test_rows_of_csv_are_safe_and_keep_their_numbers() -> None:
    file = io.StringIO()
    rows = Rows("csv", ("file", "=label"), file)
    rows.add({"file": "=cmd|' /C calc'!A0", "=label": -0.02}, [])
    rows.end()
    assert list(csv.reader(io.StringIO(file.getvalue()))) == [["file", "'=label"], ["'=cmd|' /C calc'!A0", "-0.02"]]


def test_a_file_appears_when_it_is_complete_and_rests_of_killed_processes_go(tmp_path: Path) -> None:
    out = tmp_path / "table.csv"
    out.write_text("before", encoding="utf-8")
    running = tmp_path / f".table.csv.{os.getppid()}"
    rest = tmp_path / ".table.csv.4194305"  # above the system's largest process number
    for one in (running, rest):
        one.write_text("half", encoding="utf-8")
    with pytest.raises(ValueError, match="now"), written(out) as file:  # noqa: PT012 - the error comes in between
        file.write("half")
        assert out.read_text(encoding="utf-8") == "before"
        raise ValueError("now")
    assert sorted(tmp_path.iterdir()) == [running, out]
    assert out.read_text(encoding="utf-8") == "before"
    with written(out) as file:
        file.write("after")
    assert out.read_text(encoding="utf-8") == "after"


def test_a_file_in_no_folder_is_refused(tmp_path: Path) -> None:
    expected = r"^--csv is .*; expected a file's name in an existing folder$"
    with pytest.raises(ConfigError, match=expected), written(tmp_path / "none" / "a.csv", "--csv"):
        pass
